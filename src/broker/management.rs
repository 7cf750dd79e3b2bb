//! The HTTP API of a broker: its socket is taken with the others, before anything is read from the disk.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::StartError;
use crate::config::{Config, ListenAddress};
use crate::connection::Environment;
use crate::management::{Listening, Server, Site};
use crate::net::Bound;
use crate::time::Time;

/// Where the HTTP API is to be served.
pub(super) struct ManagementSocket {
    address: ListenAddress,
    bound: Bound,
}

impl ManagementSocket {
    /// Takes the configured address. That the usual port is taken is no reason not to start.
    pub(super) fn take(config: &Config) -> Result<Option<Self>, StartError> {
        let Some(address) = config.management.address() else { return Ok(None) };
        match Bound::to(address, &config.tcp) {
            Ok(bound) => Ok(Some(Self { address, bound })),
            Err(error) => refused(config, address, error).map(|()| None),
        }
    }

    /// Serves the broker there. Gives the server and its addresses.
    pub(super) fn serve(
        self,
        environment: &Arc<Environment>,
        amqp: &[Listening],
        descriptors: usize,
    ) -> Result<Option<(Server, Vec<SocketAddr>)>, StartError> {
        let config = environment.config();
        let (address, bound, mut addresses) = (self.address, self.bound, Vec::new());
        let body_max_bytes = usize::try_from(config.management.max_body_size).unwrap_or(usize::MAX);
        let site = |http: &[SocketAddr]| {
            addresses.extend_from_slice(http);
            let http = http.iter().map(|address| Listening { protocol: Listening::HTTP, address: *address });
            let mut host_names = config.management.hosts.clone();
            host_names.push(Site::host_name());
            Site {
                environment: Arc::clone(environment),
                listening: amqp.iter().cloned().chain(http).collect(),
                node: Site::node_name(),
                started: Time::now(),
                descriptors,
                host_names,
            }
        };
        let listen = || Ok(vec![bound.listen(config.tcp.backlog)?]);
        match Server::start(listen, site, body_max_bytes) {
            Ok(server) => {
                for address in &addresses {
                    tracing::info!("Management plugin: HTTP (non-TLS) listener started on {address}");
                }
                Ok(Some((server, addresses)))
            }
            Err(error) => refused(&config, address, error).map(|()| None),
        }
    }
}

fn refused(config: &Config, address: ListenAddress, error: io::Error) -> Result<(), StartError> {
    if config.management.listen.is_some() || error.kind() != io::ErrorKind::AddrInUse {
        return Err(StartError::Management { address, error });
    }
    tracing::warn!(
        "the HTTP API is not served: another program listens on {address}; choose another address with \
         --management-listen, or none"
    );
    Ok(())
}
