//! Why a broker did not start, with what helps.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::http::HttpDoor;
use crate::config::ListenAddress;
use crate::definitions::NotMade;
use crate::net::TlsError;
use crate::store::{DirectoryError, OpenError};

/// Why a broker did not start.
#[derive(Debug)]
pub enum StartError {
    /// The data directory cannot be used.
    Directory(DirectoryError),
    /// An address cannot be listened at.
    Listen {
        /// The address as configured.
        address: ListenAddress,
        /// Whether it is one for TLS.
        is_tls: bool,
        /// What the operating system says.
        error: io::Error,
    },
    /// TLS cannot be spoken.
    Tls(TlsError),
    /// The HTTP API or metrics cannot be served where they are to be.
    Http {
        /// Which of them.
        door: HttpDoor,
        /// The address as configured.
        address: ListenAddress,
        /// What the operating system says.
        error: io::Error,
    },
    /// The Unix socket that is asked for cannot be made.
    Socket {
        /// Where it was to be.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A socket that was passed cannot be listened at.
    Inherited(io::Error),
    /// What is in the data directory cannot be used.
    Store {
        /// The data directory.
        path: PathBuf,
        /// Why.
        error: OpenError,
    },
    /// The file cannot be written that names the addresses.
    PortsFile {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// What is to be there from the start cannot be.
    Definitions(NotMade),
    /// A thread, a runtime or a signal handler could not be made.
    Thread(io::Error),
}

impl From<io::Error> for StartError {
    /// Of what is made of the system's: a thread, a runtime.
    fn from(error: io::Error) -> Self {
        Self::Thread(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => error.fmt(f),
            Self::Listen { address, is_tls, error } => {
                let flag = if *is_tls { "--listeners-tls" } else { "--listen" };
                write!(f, "cannot listen on {address}: {error}; {}", remedy(error.kind(), flag))
            }
            Self::Tls(error) => write!(f, "TLS cannot be spoken as configured: {error}"),
            Self::Http { door, address, error } => write!(
                f,
                "cannot serve {} on {address}: {error}; {}",
                door.service,
                remedy(error.kind(), door.flag())
            ),
            Self::Socket { path, error } => write!(
                f,
                "the socket {} of management.socket cannot be made: {error}; choose another place, or none",
                path.display()
            ),
            Self::Inherited(error) => write!(f, "sockets that were passed cannot be used: {error}"),
            Self::Store { path, error } => {
                write!(
                    f,
                    "data directory {} cannot be used: {error}; nothing in it was deleted",
                    path.display()
                )
            }
            Self::PortsFile { path, error } => {
                write!(f, "the file {} of ports_file cannot be written: {error}", path.display())
            }
            Self::Definitions(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// What helps against an address that cannot be listened at.
fn remedy(kind: io::ErrorKind, flag: &str) -> String {
    match kind {
        io::ErrorKind::AddrInUse => {
            format!(
                "another program listens there (ss -ltnp names it): stop it, or choose another address with {flag}"
            )
        }
        io::ErrorKind::PermissionDenied => format!(
            "ports below 1024 need a right of their own (CAP_NET_BIND_SERVICE): grant it, or choose another with {flag}"
        ),
        _ => format!("choose another address with {flag}"),
    }
}
