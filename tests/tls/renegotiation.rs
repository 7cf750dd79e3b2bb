//! A client of TLS 1.2 that begins a second handshake within the first one's connection. Clients that mean well do not, so that
//! this one writes its records by itself once it has the keys.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    InboundOpaqueMessage, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundPlainMessage,
};
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::{
    AlertDescription, ConnectionTrafficSecrets, ContentType, ProtocolVersion, SupportedCipherSuite, version,
};

use crate::authority::Authority;
use crate::client::{Secured, connect, trusting, with_provider};
use crate::house::{House, PATIENT};

const SUITE: SupportedCipherSuite = cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
const V12: ProtocolVersion = ProtocolVersion::TLSv1_2;
/// A method without an id, which is answered with connection.close.
const WRONG_FRAME: [u8; 8] = [1, 0, 0, 0, 0, 0, 0, 0xce];
const WARNING: u8 = 1;
const FATAL: u8 = 2;

/// The records of a connection, whose handshake somebody else did.
struct Records {
    stream: TcpStream,
    encrypter: (u64, Box<dyn MessageEncrypter>),
    decrypter: (u64, Box<dyn MessageDecrypter>),
}

impl Records {
    fn of(client: Secured) -> Self {
        let secrets = client.conn.dangerous_extract_secrets().unwrap();
        let SupportedCipherSuite::Tls12(suite) = SUITE else { panic!("a suite of TLS 1.3") };
        let parts = |secrets| match secrets {
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
            _ => panic!("keys of another suite"),
        };
        let (ours, theirs) = (parts(secrets.tx.1), parts(secrets.rx.1));
        Self {
            stream: client.sock,
            encrypter: (secrets.tx.0, suite.aead_alg.encrypter(ours.0, ours.1.as_ref(), &[])),
            decrypter: (secrets.rx.0, suite.aead_alg.decrypter(theirs.0, theirs.1.as_ref())),
        }
    }

    fn send(&mut self, kind: ContentType, bytes: &[u8]) -> std::io::Result<()> {
        let payload = OutboundChunks::Single(bytes);
        let message = OutboundPlainMessage { typ: kind, version: V12, payload };
        let (number, encrypter) = &mut self.encrypter;
        let record = encrypter.encrypt(message, *number).unwrap();
        *number += 1;
        self.stream.write_all(&record.encode())
    }

    /// The next record; nothing at the end.
    fn recv(&mut self) -> Option<(ContentType, Vec<u8>)> {
        let mut header = [0; 5];
        self.stream.read_exact(&mut header).ok()?;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        self.stream.read_exact(&mut payload).ok()?;
        let (number, decrypter) = &mut self.decrypter;
        let message = InboundOpaqueMessage::new(header[0].into(), V12, &mut payload);
        let plain = decrypter.decrypt(message, *number).unwrap();
        *number += 1;
        Some((plain.typ, plain.payload.to_vec()))
    }
}

/// A client hello, as it may stand at the beginning of a connection.
fn client_hello() -> Vec<u8> {
    // Version, random, no session, one suite, no compression.
    let hello = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xcc, 0xa9, 1, 0]].concat();
    [&[1, 0, 0, u8::try_from(hello.len()).unwrap()][..], &hello].concat()
}

#[test]
fn b19_who_begins_a_second_handshake_is_refused_it_and_goes_on_or_is_put_out_and_no_other() {
    let authority = Authority::new("A");
    let mut house = House::new(&authority, &PATIENT);
    let provider = CryptoProvider { cipher_suites: vec![SUITE], ..default_provider() };
    let mut config = with_provider(provider, &[&version::TLS12], &authority, None);
    std::sync::Arc::get_mut(&mut config).unwrap().enable_secret_extraction = true;
    let mut witness = connect(house.tls, "localhost", &trusting(&authority, None)).unwrap();
    let begin = || {
        let mut client = connect(house.tls, "localhost", &config).unwrap();
        // Up to the end of connection.start, of which four octets were read.
        let mut length = [0; 3];
        client.read_exact(&mut length).unwrap();
        let rest = usize::from(u16::from_be_bytes([length[1], length[2]]));
        client.read_exact(&mut vec![0; rest + 1]).unwrap();
        Records::of(client)
    };

    let mut client = begin();
    client.send(ContentType::Handshake, &client_hello()).unwrap();
    client.send(ContentType::ApplicationData, &WRONG_FRAME).unwrap();
    // The refusal goes with what is written next.
    let refusal = vec![WARNING, AlertDescription::NoRenegotiation.into()];
    assert_eq!(client.recv(), Some((ContentType::Alert, refusal.clone())));
    let (kind, answer) = client.recv().unwrap();
    assert_eq!((kind, &answer[7..11]), (ContentType::ApplicationData, &[0, 10, 0, 50][..]), "it is served");

    let mut client = begin();
    // Until it is put out.
    for _ in 0..1000 {
        if client.send(ContentType::Handshake, &client_hello()).is_err() {
            break;
        }
    }
    let mut alerts = Vec::new();
    while let Some((kind, alert)) = client.recv() {
        assert_eq!(kind, ContentType::Alert);
        alerts.push(alert);
    }
    // A reset may be faster than the last.
    assert!(
        alerts.len() <= 2 && alerts.iter().all(|alert| *alert == refusal || alert[0] == FATAL),
        "{alerts:?}"
    );
    house.broker.wait_for_line("TooManyRenegotiationRequests");

    witness.write_all(&WRONG_FRAME).unwrap();
    let mut rest = Vec::new();
    let _ = witness.read_to_end(&mut rest);
    assert!(rest.windows(4).any(|method| method == [0, 10, 0, 50]), "it is served to its close");
}
