//! Connects to a broker, and says what is in the way.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use super::{Endpoint, Target, trust};
use crate::cli::exit;
use crate::cli::failure::Failure;

/// How long connecting to one address may take, and a handshake of TLS.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Connects to the first endpoint where somebody listens.
pub(super) async fn connect(target: &Target) -> Result<(SendRequest<Body>, Endpoint), Failure> {
    for (at, endpoint) in target.endpoints.iter().enumerate() {
        let is_last = at + 1 == target.endpoints.len();
        match one(target, endpoint).await {
            Ok(sender) => return Ok((sender, endpoint.clone())),
            Err(Unconnected::Absent(_)) if !is_last => {}
            Err(Unconnected::Absent(_)) if target.endpoints.len() > 1 => break,
            Err(Unconnected::Absent(failure) | Unconnected::Refused(failure)) => return Err(failure),
        }
    }
    let looked: Vec<String> = target.endpoints.iter().map(ToString::to_string).collect();
    Err(Failure::new(exit::UNAVAILABLE, "no running broker was found")
        .because(format!("nobody listens at {}", looked.join(", ")))
        .helped_by(
            "Start one with 'leveret', or say where it is: --data-dir DIR for one on this machine, --url \
             http://HOST:15672 for another.",
        ))
}

/// Why there is no connection.
enum Unconnected {
    /// Nobody is there.
    Absent(Failure),
    /// Somebody is, and something is wrong.
    Refused(Failure),
}

async fn one(target: &Target, endpoint: &Endpoint) -> Result<SendRequest<Body>, Unconnected> {
    match endpoint {
        Endpoint::Socket(path) => {
            let stream = UnixStream::connect(path).await.map_err(|error| socket_failure(path, &error))?;
            speak(stream, endpoint).await
        }
        Endpoint::Host { host, port, tls, .. } => {
            let stream = tcp(host, *port, endpoint).await?;
            if !tls {
                return speak(stream, endpoint).await;
            }
            let trust = trust::connector(target.ca_file.as_deref()).map_err(Unconnected::Refused)?;
            let name = trust::server_name(host).map_err(Unconnected::Refused)?;
            let encrypted = timeout(CONNECT_TIME, trust.connect(name, stream)).await;
            let encrypted = encrypted.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
            let stream =
                encrypted.map_err(|error| Unconnected::Refused(trust::failure(host, endpoint, &error)))?;
            speak(stream, endpoint).await
        }
    }
}

fn socket_failure(path: &Path, error: &io::Error) -> Unconnected {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory => {
            let why = if error.kind() == ErrorKind::ConnectionRefused {
                format!("nobody listens at {path}")
            } else {
                format!("there is no {path}")
            };
            Unconnected::Absent(Failure::new(exit::UNAVAILABLE, "the broker does not run").because(why).helped_by(
                "Start it with 'leveret', or say where it is: --data-dir DIR for one on this machine, --url \
                 http://HOST:15672 for another.",
            ))
        }
        ErrorKind::PermissionDenied => Unconnected::Refused(
            Failure::new(exit::NO_PERMISSION, format!("{path} may not be used"))
                .because(if rustix::process::geteuid().is_root() {
                    "it is for the user that the broker runs as, and this root has not the rights of one (the capability \
                     DAC_OVERRIDE)"
                } else {
                    "it is for the user that the broker runs as, and for root"
                })
                .helped_by(
                    "Run this as that user or as root, or log in over HTTP: --url http://localhost:15672 --user NAME \
                     --password-file FILE.",
                ),
        ),
        _ => Unconnected::Refused(
            Failure::new(exit::UNAVAILABLE, format!("{path} cannot be connected to")).because(error.to_string()),
        ),
    }
}

async fn tcp(host: &str, port: u16, endpoint: &Endpoint) -> Result<TcpStream, Unconnected> {
    let addresses = lookup_host((host, port)).await.map_err(|error| {
        Unconnected::Refused(
            Failure::new(exit::NO_HOST, format!("the host '{host}' is not known")).because(error.to_string()),
        )
    })?;
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in addresses {
        match timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Requests are small and waited for.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = ErrorKind::TimedOut.into(),
        }
    }
    let why = match last.kind() {
        ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        ErrorKind::TimedOut => format!("nothing came back within {} s", CONNECT_TIME.as_secs()),
        _ => last.to_string(),
    };
    Err(Unconnected::Absent(
        Failure::new(exit::UNAVAILABLE, format!("no broker answers at {endpoint}")).because(why).helped_by(
            "Does it run, with its HTTP API there (management.listen, usually port 15672)? A firewall may be in the way.",
        ),
    ))
}

async fn speak<S>(stream: S, endpoint: &Endpoint) -> Result<SendRequest<Body>, Unconnected>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Unconnected::Refused(broken(endpoint, &error)))?;
    // Its end is told to whoever waits for an answer.
    tokio::spawn(connection);
    Ok(sender)
}

/// A connection that ended, or on which no HTTP is spoken.
pub(super) fn broken(endpoint: &Endpoint, error: &hyper::Error) -> Failure {
    if error.is_parse() {
        return Failure::new(exit::PROTOCOL, format!("what answers at {endpoint} does not speak HTTP"))
            .because(error.to_string())
            .helped_by(
                "The HTTP API is usually at port 15672, AMQP at 5672; with TLS the URL begins with https://.",
            );
    }
    let inner = std::error::Error::source(error).map(|inner| format!(" ({inner})")).unwrap_or_default();
    Failure::new(exit::TRY_AGAIN, format!("the connection to {endpoint} ended before an answer came"))
        .because(format!("{error}{inner}"))
        .helped_by("The broker may have been stopped, or speaks TLS there (https://); see 'leveret status'.")
}
