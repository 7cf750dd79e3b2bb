//! The HTTP API of a broker: its socket is taken with the others, before anything is read from the disk.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::StartError;
use crate::config::{Config, ListenAddress};
use crate::connection::Environment;
use crate::management::{Entrance, Jobs, Listening, Server, Site};
use crate::net::{Bound, Listener, LocalListener, SOCKET_MODE, runtime_socket_path, socket_path_inside};
use crate::time::Time;

/// Where the HTTP API is to be served.
pub(super) struct ManagementSocket {
    tcp: Option<(ListenAddress, Bound)>,
}

/// The HTTP API as it is served.
#[derive(Debug)]
pub(super) struct Management {
    pub(super) server: Server,
    pub(super) addresses: Vec<SocketAddr>,
}

impl ManagementSocket {
    /// Takes the configured address. That the usual port is taken is no reason not to start.
    pub(super) fn take(config: &Config) -> Result<Self, StartError> {
        let Some(address) = config.management.address() else { return Ok(Self { tcp: None }) };
        let tcp = match Bound::to(address, &config.tcp) {
            Ok(bound) => Some((address, bound)),
            Err(error) => {
                refused(config, address, error)?;
                None
            }
        };
        Ok(Self { tcp })
    }

    /// Serves the broker there, and at a socket of its own.
    pub(super) fn serve(
        self,
        environment: &Arc<Environment>,
        amqp: &[Listening],
        descriptors: usize,
    ) -> Result<Management, StartError> {
        let config = environment.config();
        let body_max_bytes = usize::try_from(config.management.max_body_size).unwrap_or(usize::MAX);
        let mut addresses = Vec::new();
        let site = |entrances: &[Entrance]| {
            addresses.extend(entrances.iter().filter_map(Entrance::address));
            let http =
                addresses.iter().map(|address| Listening { protocol: Listening::HTTP, address: *address });
            let mut host_names = config.management.hosts.clone();
            host_names.push(Site::host_name());
            Site {
                environment: Arc::clone(environment),
                listening: amqp.iter().cloned().chain(http).collect(),
                node: Site::node_name(),
                started: Time::now(),
                descriptors,
                jobs: Jobs::default(),
                host_names,
            }
        };
        let open = || {
            let tcp = self.listen(&config)?.map(Entrance::Tcp);
            Ok::<_, StartError>(tcp.into_iter().chain(local(&config).map(Entrance::Local)).collect())
        };
        let server = Server::start(open, site, body_max_bytes)?;
        for address in &addresses {
            tracing::info!("Management plugin: HTTP (non-TLS) listener started on {address}");
        }
        Ok(Management { server, addresses })
    }

    fn listen(self, config: &Config) -> Result<Option<Listener>, StartError> {
        let Some((address, bound)) = self.tcp else { return Ok(None) };
        match bound.listen(config.tcp.backlog) {
            Ok(listener) => Ok(Some(listener)),
            Err(error) => refused(config, address, error).map(|()| None),
        }
    }
}

/// The socket of this machine's operator, in the data directory if there is one: it is this broker's alone by now. A broker without
/// the socket is one all the same.
fn local(config: &Config) -> Option<LocalListener> {
    let inside = if config.in_memory { None } else { socket_path_inside(&config.data_dir) };
    let is_inside = inside.is_some();
    let path = inside.unwrap_or_else(|| runtime_socket_path(&config.data_dir));
    let listener = if is_inside {
        LocalListener::in_own_directory(path.clone(), SOCKET_MODE)
    } else {
        LocalListener::in_directory_of_many(path.clone(), SOCKET_MODE)
    };
    match listener {
        Ok(listener) => {
            tracing::info!("Management plugin: HTTP listener started on {}", path.display());
            Some(listener)
        }
        Err(error) => {
            tracing::warn!(
                "the command line cannot reach this broker without a password: the socket {} cannot be made: {error}",
                path.display()
            );
            None
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
