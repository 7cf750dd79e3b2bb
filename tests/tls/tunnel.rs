//! TLS for clients that do not speak it: whatever goes in at one end comes out encrypted at the other.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;

use crate::support::Broker;

pub(crate) struct Tunnel {
    _runtime: Runtime,
    /// The broker, as it is seen through here.
    pub(crate) broker: Broker,
}

impl Tunnel {
    /// To the host `localhost` at that address.
    pub(crate) fn to(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let broker = Broker::at(listener.local_addr().unwrap());
        let connector = TlsConnector::from(Arc::clone(config));
        runtime.spawn(async move {
            while let Ok((inner, _)) = listener.accept().await {
                tokio::spawn(carry(inner, address, connector.clone()));
            }
        });
        Self { _runtime: runtime, broker }
    }
}

async fn carry(mut inner: TcpStream, address: SocketAddr, connector: TlsConnector) {
    let outer = TcpStream::connect(address).await.unwrap();
    let host = ServerName::try_from("localhost").unwrap();
    // Whoever uses a tunnel sees its end.
    let Ok(mut outer) = connector.connect(host, outer).await else { return };
    let _ = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
}
