//! The HTTP API and the metrics of a broker, each on a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use super::http::OpenDoor;
use crate::config::{Config, SocketFile};
use crate::management::{Entrance, Served, Server, Site, front};
use crate::metrics::{self, Awaited};
use crate::net::{CurrentTls, LocalListener, runtime_socket_path, socket_path_inside};

/// How long a request for metrics may take to come.
const METRICS_IDLE: Duration = Duration::from_mins(1);

/// Serves metrics, and what there is to be asked of a broker that is still to come.
pub(super) fn serve_metrics(
    config: &Config,
    doors: Vec<OpenDoor>,
    tls: Option<&CurrentTls>,
    awaited: &Awaited,
) -> Result<Server, StartError> {
    let router = metrics::router(awaited, &config.metrics.path);
    let served = Served { router, idle_timeout: Arc::new(|| METRICS_IDLE) };
    Server::start("metrics", served, || entrances(doors, tls))
}

/// Serves the HTTP API there, and at a socket of its own.
pub(super) fn serve_management(
    site: &Arc<Site>,
    doors: Vec<OpenDoor>,
    socket: Option<LocalSocket>,
    tls: Option<&CurrentTls>,
) -> Result<Server, StartError> {
    let environment = Arc::clone(&site.environment);
    let idle_timeout = Arc::new(move || environment.config().management.idle_timeout);
    Server::start("management", Served { router: front(site), idle_timeout }, || {
        let mut entrances = entrances(doors, tls)?;
        entrances.extend(socket.map(LocalSocket::listen).transpose()?.flatten().map(Entrance::Local));
        Ok(entrances)
    })
}

fn entrances(doors: Vec<OpenDoor>, tls: Option<&CurrentTls>) -> Result<Vec<Entrance>, StartError> {
    let entrances = doors.into_iter().map(|door| {
        door.tell();
        Ok(door.entrance(tls)?)
    });
    entrances.collect()
}

/// The socket of this machine's operator.
pub(super) struct LocalSocket {
    path: PathBuf,
    mode: u32,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where somebody says.
    Said,
    /// The data directory, which is this broker's alone by now.
    DataDirectory,
    /// The directory for what runs.
    RuntimeDirectory,
}

impl LocalSocket {
    /// Where it is to be, if there is to be one.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let inside = if config.in_memory { None } else { socket_path_inside(&config.data_dir) };
        let (path, place) = match (&config.management.socket, inside) {
            (Some(SocketFile::Nowhere), _) => return None,
            (Some(SocketFile::At(path)), _) => (path.clone(), Place::Said),
            (None, Some(inside)) => (inside, Place::DataDirectory),
            (None, None) => (runtime_socket_path(&config.data_dir), Place::RuntimeDirectory),
        };
        Some(Self { path, mode: config.management.socket_mode.0, place })
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// A broker without it is one all the same, unless somebody has asked for it.
    fn listen(self) -> Result<Option<LocalListener>, StartError> {
        let Self { path, mode, place } = self;
        let listener = match place {
            Place::Said => LocalListener::at(path.clone(), mode),
            Place::DataDirectory => LocalListener::in_own_directory(path.clone(), mode),
            Place::RuntimeDirectory => LocalListener::in_directory_of_many(path.clone(), mode),
        };
        match listener {
            Ok(listener) => {
                tracing::info!("Management plugin: HTTP listener started on {}", path.display());
                Ok(Some(listener))
            }
            Err(error) if place == Place::Said => Err(StartError::Socket { path, error }),
            Err(error) => {
                tracing::warn!(
                    "the command line cannot reach this broker without a password: the socket {} cannot be made: {error}; \
                     choose another place with --management-socket, or none",
                    path.display()
                );
                Ok(None)
            }
        }
    }
}
