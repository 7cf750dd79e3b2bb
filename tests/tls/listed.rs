//! What an operator is told of a connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use leveret::broker::Broker as Running;
use leveret::config::{Config, Listen, ManagementConfig, TlsSettings, Verify};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::authority::Authority;
use crate::client::trusting;
use crate::house::Files;
use crate::support::Raw;
use crate::support::raw::DEADLINE;
use crate::tunnel::Tunnel;

/// The connections as the HTTP API lists them.
fn listed(api: SocketAddr) -> Vec<Value> {
    let mut stream = TcpStream::connect(api).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = "GET /api/connections HTTP/1.1\r\nconnection: close\r\nauthorization: Basic Z3Vlc3Q6Z3Vlc3Q=";
    write!(stream, "{head}\r\nhost: {api}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    // It comes in chunks, of which such a short list is one.
    let list = answer.find('[').unwrap()..=answer.rfind(']').unwrap();
    serde_json::from_str(&answer[list]).unwrap()
}

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
    let listen = Some(Listen::At("127.0.0.1:0".parse().unwrap()));
    let management = ManagementConfig { listen, ..ManagementConfig::default() };
    let config =
        Config { in_memory: true, listeners: any(), workers: Some(1), tls, management, ..Config::default() };
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let within = runtime.enter();
    let running = Running::start(config).unwrap();
    drop(within);
    let connections = &running.environment().connections;
    let [tcp, tls] = running.addresses() else { panic!("two listeners") };
    let plain = Raw::connect(&crate::support::Broker::at(*tcp));
    assert_eq!(connections.ids().into_iter().filter_map(|id| connections.encryption(id)).count(), 0);
    let api = running.management_addresses()[0];
    let names = ["ssl_protocol", "ssl_key_exchange", "ssl_cipher", "ssl_hash"];
    let names = names.iter().chain(&["peer_cert_subject", "peer_cert_issuer", "peer_cert_validity"]);
    let told = |connection: &Value| names.clone().map(|name| connection[name].clone()).collect::<Vec<_>>();
    let without = &listed(api)[0];
    assert_eq!((&without["ssl"], &without["auth_mechanism"]), (&json!(false), &json!("PLAIN")));
    assert!(told(without).iter().all(Value::is_null), "{without}");
    assert!(names.clone().all(|name| without.get(name).is_some()), "{without}");
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
    let all = listed(api);
    let with = all.iter().find(|connection| connection["ssl"] == true).unwrap();
    let expected = ["tlsv1.3", "any", "aes_256_gcm", "aead", "CN=client,O=Example", "CN=A", peer.validity()];
    assert_eq!(told(with), expected);
    runtime.block_on(running.stop());
}
