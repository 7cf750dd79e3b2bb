//! A small HTTP client that says exactly what it is told to.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// A request to be sent on a connection of its own.
pub(crate) struct Request {
    head: String,
    body: String,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { head: format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n"), body: String::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        write!(self.head, "{name}: {value}\r\n").unwrap();
        self
    }

    pub(crate) fn login(self, user: &str, password: &str) -> Self {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        self.header("authorization", &format!("Basic {encoded}"))
    }

    pub(crate) fn body(self, body: impl Into<String>) -> Self {
        let body = body.into();
        Self { body: body.clone(), ..self.header("content-length", &body.len().to_string()) }
    }

    /// Sends it to where it names the host, unless it does so itself.
    pub(crate) fn send(mut self, address: SocketAddr) -> Answer {
        if !self.head.contains("\r\nhost:") {
            self = self.header("host", &address.to_string());
        }
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        self.over(stream)
    }

    /// Sends it to a Unix socket.
    pub(crate) fn send_to(self, socket: &Path) -> Answer {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        self.over(stream)
    }

    fn over(self, mut stream: impl Read + Write) -> Answer {
        write!(stream, "{}\r\n{}", self.head, self.body).unwrap();
        let mut bytes = Vec::new();
        // A server that refuses a body may reset the connection behind its answer.
        let read = stream.read_to_end(&mut bytes);
        assert!(read.is_ok() || !bytes.is_empty(), "{read:?}");
        Answer::read(&bytes)
    }
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pair = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let head: Vec<_> = lines.map(pair).collect();
        let mut answer = Self { status, head, body: String::new() };
        let body = &bytes[end + 4..];
        let chunked = answer.header("transfer-encoding") == Some("chunked");
        let body = if chunked { joined(body) } else { body.to_vec() };
        let packed = answer.header("content-encoding") == Some("gzip");
        let body = if packed { unpacked(&body) } else { body };
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn unpacked(body: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut unpacked).unwrap();
    unpacked
}

/// The chunks of a body, which has to end as one that is complete.
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a chunk");
        let size = usize::from_str_radix(str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        rest = &rest[end + 2..];
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}
