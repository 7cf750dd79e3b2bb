use super::header::{SIGNATURE, payload_len, version_1, version_2};
use super::*;
use proptest::prelude::*;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream as Blocking};

fn client(source: &str, destination: &str) -> Header {
    Header::Client { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
}

#[test]
fn version_1_is_a_line() {
    let four = Some(client("192.0.2.7:65535", "198.51.100.1:5672"));
    for (line, expected) in [
        ("PROXY TCP4 192.0.2.7 198.51.100.1 65535 5672", four),
        ("PROXY TCP6 2001:db8::7 ::1 1 5672", Some(client("[2001:db8::7]:1", "[::1]:5672"))),
        ("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 65535 5672", four),
        ("PROXY UNKNOWN", Some(Header::Unknown)),
        ("PROXY UNKNOWN ffff::1 garbage 1", Some(Header::Unknown)),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 65536 5672", None),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 1 05672", None),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 1 +5672", None),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 1", None),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3", None),
        ("PROXY TCP4  192.0.2.7 198.51.100.1 1 2", None),
        ("PROXY TCP4 ::1 ::1 1 2", None),
        ("PROXY TCP6 192.0.2.7 198.51.100.1 1 2", None),
        ("PROXY TCP4 proxy.example 198.51.100.1 1 2", None),
        ("PROXY UDP4 192.0.2.7 198.51.100.1 1 2", None),
        ("PROXY", None),
        ("proxy UNKNOWN", None),
        ("", None),
    ] {
        assert_eq!(version_1(line.as_bytes()).ok(), expected, "{line}");
    }
    assert!(version_1(b"PROXY TCP4 \xff").is_err());
}

fn fixed(command: u8, family: u8, length: usize) -> [u8; 16] {
    let mut fixed = [0; 16];
    fixed[..12].copy_from_slice(&SIGNATURE);
    fixed[12..14].copy_from_slice(&[command, family]);
    fixed[14..].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    fixed
}

const FOUR: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 255, 255, 0x16, 0x28];

fn six() -> Vec<u8> {
    let source: std::net::Ipv6Addr = "2001:db8::7".parse().unwrap();
    [&source.octets()[..], &std::net::Ipv6Addr::LOCALHOST.octets(), &[0, 1, 0x16, 0x28]].concat()
}

#[test]
fn version_2_is_addresses_and_parts() {
    let four = Some(client("192.0.2.7:65535", "198.51.100.1:5672"));
    let with = |parts: &[u8]| [&FOUR[..], parts].concat();
    for (command, family, payload, expected) in [
        (0x21, 0x11, FOUR.to_vec(), four),
        (0x21, 0x21, six(), Some(client("[2001:db8::7]:1", "[::1]:5672"))),
        (0x21, 0x11, with(&[0x04, 0, 2, 9, 9, 0xea, 0, 0]), four),
        (0x20, 0x11, FOUR.to_vec(), Some(Header::Unknown)),
        (0x20, 0x00, vec![], Some(Header::Unknown)),
        (0x20, 0x12, vec![1, 2, 3], Some(Header::Unknown)),
        (0x21, 0x00, b"whatever".to_vec(), Some(Header::Unknown)),
        (0x21, 0x31, vec![0; 216], Some(Header::Unknown)),
        (0x21, 0x31, vec![0; 215], None),
        (0x21, 0x11, FOUR[..11].to_vec(), None),
        (0x21, 0x21, FOUR.to_vec(), None),
        (0x21, 0x11, with(&[0x04]), None),
        (0x21, 0x11, with(&[0x04, 0, 3, 1, 2]), None),
        (0x21, 0x11, with(&[0x03, 0, 3, 1, 2, 3]), None),
        (0x21, 0x12, FOUR.to_vec(), None),
        (0x21, 0x41, FOUR.to_vec(), None),
        (0x22, 0x11, FOUR.to_vec(), None),
        (0x11, 0x11, FOUR.to_vec(), None),
    ] {
        let read = version_2(&fixed(command, family, payload.len()), &payload);
        assert_eq!(read.ok(), expected, "{command:02x} {family:02x} {payload:?}");
    }
    assert!(payload_len(&fixed(0x21, 0x11, 4096)).is_ok());
    assert!(payload_len(&fixed(0x21, 0x11, 4097)).is_err());
}

#[test]
fn a_checksum_of_version_2_has_to_be_right() {
    let mut payload = [&FOUR[..], &[0x04, 0, 1, 7], &[0x03, 0, 4, 0, 0, 0, 0], &[0x04, 0, 1, 8]].concat();
    let fixed = fixed(0x21, 0x11, payload.len());
    let crc = crc32c::crc32c(&[&fixed[..], &payload].concat());
    payload[19..23].copy_from_slice(&crc.to_be_bytes());
    assert!(version_2(&fixed, &payload).is_ok());
    for at in 0..payload.len() {
        let mut other = payload.clone();
        other[at] ^= 1;
        let changed = version_2(&fixed, &other);
        // What names the checksum, or says how long it or what is before it is, takes it away.
        assert!(changed.is_err() || (12..19).contains(&at), "{at}: {changed:?}");
    }
}

proptest! {
    #[test]
    fn what_a_proxy_says_is_what_is_read(source: [u8; 4], destination: [u8; 4], source_port: u16, port: u16) {
        let (source, destination) = ((source, source_port).into(), (destination, port).into());
        let expected = Header::Client { source, destination };
        let (from, to) = (source.ip(), destination.ip());
        let line = format!("PROXY TCP4 {from} {to} {source_port} {port}");
        prop_assert_eq!(version_1(line.as_bytes()), Ok(expected));
        let octets = |address: std::net::SocketAddr| match address {
            std::net::SocketAddr::V4(address) => address.ip().octets(),
            std::net::SocketAddr::V6(_) => [0; 4],
        };
        let ports = [source_port.to_be_bytes(), port.to_be_bytes()].concat();
        let payload = [&octets(source)[..], &octets(destination), &ports].concat();
        prop_assert_eq!(version_2(&fixed(0x21, 0x11, payload.len()), &payload), Ok(expected));
    }

    #[test]
    fn no_bytes_panic(line: Vec<u8>, command: u8, family in prop_oneof![Just(0x11), Just(0x21), any::<u8>()],
                      payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = version_1(&line);
        let _ = version_1(&[&b"PROXY TCP4 "[..], &line].concat());
        for command in [0x20, 0x21, command] {
            let _ = version_2(&fixed(command, family, payload.len()), &payload);
        }
    }
}

/// What is read of these bytes, each piece sent by itself, and what is left behind the header.
fn read(pieces: &[&[u8]]) -> (Result<Header, String>, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut peer = Blocking::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    runtime.block_on(async {
        let mut stream = TcpStream::from_std(stream).unwrap();
        let header = {
            let mut reading = std::pin::pin!(read_header(&mut stream));
            let mut header = None;
            for piece in pieces {
                peer.write_all(piece).unwrap();
                // Lets it see this piece before the next one is there, if there is anything to be seen.
                tokio::select! {
                    read = &mut reading, if header.is_none() => header = Some(read),
                    () = tokio::task::yield_now() => {}
                }
            }
            peer.shutdown(std::net::Shutdown::Write).unwrap();
            match header {
                Some(header) => header,
                None => reading.await,
            }
        };
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        (header.map_err(|error| error.to_string()), rest)
    })
}

#[test]
fn a_header_is_read_however_it_is_cut_and_nothing_behind_it() {
    let four = client("192.0.2.7:65535", "198.51.100.1:5672");
    let one = b"PROXY TCP4 192.0.2.7 198.51.100.1 65535 5672\r\n".to_vec();
    let two = [&fixed(0x21, 0x11, 12)[..], &FOUR].concat();
    for (header, expected) in [(one, four), (two, four), (b"PROXY UNKNOWN\r\n".to_vec(), Header::Unknown)] {
        let all = [&header[..], b"AMQP\0\0\x09\x01"].concat();
        assert_eq!(read(&[&all]), (Ok(expected), b"AMQP\0\0\x09\x01".to_vec()));
        for size in [1, 2, 11, 13] {
            let pieces: Vec<&[u8]> = all.chunks(size).collect();
            assert_eq!(read(&pieces), (Ok(expected), b"AMQP\0\0\x09\x01".to_vec()), "{size}");
        }
    }
}

#[test]
fn b18_garbage_in_the_place_of_a_header_is_told_apart() {
    let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
    for (bytes, expected) in [
        (&b"AMQP\0\0\x09\x01AMQP\0\0\x09\x01"[..], "there is no header of the PROXY protocol"),
        (&long, "its line is too long"),
        (b"PROXY UNKNOWN\n", "its line has no end"),
        (b"PROXY TCP4 1.2.3.4\r\n", "its line cannot be read"),
        (&fixed(0x21, 0x11, 65_535), "it is too long"),
        (b"PROXY TCP4 1.2.3", "unexpected end of file"),
        (b"", "early eof"),
    ] {
        let (header, _) = read(&[bytes]);
        assert_eq!(header.unwrap_err(), expected, "{bytes:?}");
    }
}
