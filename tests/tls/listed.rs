//! What an operator is told of a connection.

use leveret::broker::Broker as Running;
use leveret::config::{Config, TlsSettings, Verify};
use tokio::runtime::Builder;

use crate::authority::Authority;
use crate::client::trusting;
use crate::house::Files;
use crate::support::Raw;
use crate::tunnel::Tunnel;

#[test]
fn a_connection_says_how_it_is_encrypted_and_whose_certificate_it_has() {
    let authority = Authority::new("A");
    let files = Files::new(&authority, &authority.server(&["localhost"]));
    let any = || vec!["127.0.0.1:0".parse().unwrap()];
    let tls = TlsSettings {
        listeners: any(),
        cacertfile: Some(files.path("ca.pem")),
        certfile: Some(files.path("cert.pem")),
        keyfile: Some(files.path("key.pem")),
        verify: Verify::Peer,
        ..TlsSettings::default()
    };
    let config = Config { in_memory: true, listeners: any(), workers: Some(1), tls, ..Config::default() };
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let within = runtime.enter();
    let running = Running::start(config).unwrap();
    drop(within);
    let connections = &running.environment().connections;
    let [tcp, tls] = running.addresses() else { panic!("two listeners") };
    let plain = Raw::connect(&crate::support::Broker::at(*tcp));
    assert_eq!(connections.ids().into_iter().filter_map(|id| connections.encryption(id)).count(), 0);
    drop(plain);
    let identity = authority.client("client");
    let tunnel = Tunnel::to(*tls, &trusting(&authority, Some(&identity)));
    let _raw = Raw::connect(&tunnel.broker);
    let mut encrypted = connections.ids().into_iter().filter_map(|id| connections.encryption(id));
    let encryption = encrypted.next().unwrap();
    assert_eq!((encryption.protocol, encryption.key_exchange, encryption.hash), ("tlsv1.3", "any", "aead"));
    assert_eq!(encryption.cipher, "aes_256_gcm");
    assert_eq!(encryption.login.as_deref(), Some("CN=client,O=Example"));
    let peer = encryption.peer.as_ref().unwrap();
    assert_eq!((peer.subject.as_str(), peer.issuer.as_str()), ("CN=client,O=Example", "CN=A"));
    assert_eq!(peer.validity(), "1975-01-01T00:00:00Z - 4096-01-01T00:00:00Z");
    runtime.block_on(running.stop());
}
