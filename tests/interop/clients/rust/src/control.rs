//! Asks the runner to restart this client's own broker, or to block its publishers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scenario::{Outcome, variable};

/// How the broker ends before it is started again: by SIGKILL or by SIGTERM.
#[derive(Clone, Copy, Debug)]
pub enum How {
    Kill,
    Stop,
}

impl How {
    pub fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
        }
    }
}

/// Restarts the broker with its port and its data. It serves when this returns.
pub async fn restart(how: How) -> Outcome {
    post(&format!("/restart?how={}", how.word())).await
}

/// Sets or clears an alarm of the broker, which blocks publishers as long as it is set.
pub async fn alarm(is_set: bool) -> Outcome {
    post(if is_set { "/alarm?is=set" } else { "/alarm?is=clear" }).await
}

async fn post(path: &str) -> Outcome {
    let address = variable("INTEROP_CONTROL");
    let host = address.strip_prefix("http://").ok_or("INTEROP_CONTROL is no http:// address")?;
    let mut stream = TcpStream::connect(host).await?;
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.split(' ').nth(1) {
        Some("204") => Ok(()),
        _ => Err(format!("POST {path}: {answer}").into()),
    }
}
