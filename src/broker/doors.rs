//! Where connections come in, with TLS or without it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::config::{Config, ListenAddress};
use crate::connection::{self, Environment};
use crate::management::Listening;
use crate::net::{Admission, Bound, Listener, Transport, Workers};

/// An address, and what is spoken there below AMQP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Door {
    pub(super) address: ListenAddress,
    pub(super) transport: Transport,
}

/// Takes the configured addresses, or the sockets that were passed if there are any.
pub(super) fn bound(config: &Config, inherited: Vec<TcpListener>) -> Result<Vec<(Door, Bound)>, StartError> {
    if inherited.is_empty() {
        let over = |transport| move |address: &ListenAddress| Door { address: *address, transport };
        let doors = config.listeners.iter().map(over(Transport::Tcp));
        let doors = doors.chain(config.tls.listeners.iter().map(over(Transport::Tls)));
        let bound = doors.map(|door| {
            let bound = Bound::to(door.address, &config.tcp);
            let bound = bound.map_err(|error| StartError::Listen {
                address: door.address,
                is_tls: door.transport == Transport::Tls,
                error,
            });
            Ok((door, bound?))
        });
        return bound.collect();
    }
    tracing::info!("listening at the sockets that were passed, and not at listeners.tcp and listeners.tls");
    let bound = inherited.into_iter().map(|listener| {
        let (address, bound) = Bound::inherited(listener, &config.tcp)?;
        Ok((Door { address, transport: of_passed(address, config) }, bound))
    });
    bound.collect::<io::Result<_>>().map_err(StartError::Inherited)
}

/// How a listener is listed.
pub(super) fn listening(listener: &Listener) -> Listening {
    let protocol = match listener.transport() {
        Transport::Tcp => Listening::AMQP,
        Transport::Tls => Listening::AMQPS,
    };
    Listening { protocol, address: listener.address() }
}

/// Serves at a listener whenever clients are to be served. One that was passed cannot be opened again: while they are not, who
/// comes there is turned away.
pub(super) async fn keep(
    mut listener: Listener,
    is_passed: bool,
    (admission, workers, environment): (Arc<Admission>, Arc<Workers>, Arc<Environment>),
) {
    let mut wanted = environment.app.wanted();
    let (address, transport) = (listener.address(), listener.transport());
    loop {
        tokio::select! {
            biased;
            stopped = wanted.wait_for(|wanted| !wanted) => if stopped.is_err() { return },
            () = accept(&mut listener, &admission, &workers, &environment) => return,
        }
        if is_passed {
            environment.app.door_closed();
            tokio::select! {
                started = wanted.wait_for(|wanted| *wanted) => if started.is_err() { return },
                () = turn_away(&mut listener) => return,
            }
        } else {
            drop(listener);
            tracing::info!("stopped listener on {address}");
            environment.app.door_closed();
            if wanted.wait_for(|wanted| *wanted).await.is_err() {
                return;
            }
            listener = reopened(address, transport, &environment).await;
        }
        environment.app.door_opened();
    }
}

/// The same address again; tries until it is free.
async fn reopened(address: SocketAddr, transport: Transport, environment: &Environment) -> Listener {
    loop {
        let config = environment.config();
        let bound = Bound::to(ListenAddress::At(address), &config.tcp);
        match bound.and_then(|bound| bound.listen(config.tcp.backlog)) {
            Ok(listener) => {
                tracing::info!("started listener on {address}");
                return listener.over(transport);
            }
            Err(error) => {
                let why = format!("cannot listen on {address}: {error}");
                tracing::error!("{why}; trying again");
                environment.app.door_failed(why);
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// How long to wait before an address is tried again.
const RETRY: Duration = Duration::from_millis(500);

async fn turn_away(listener: &mut Listener) {
    loop {
        drop(listener.accept().await);
    }
}

async fn accept(
    listener: &mut Listener,
    admission: &Arc<Admission>,
    workers: &Workers,
    environment: &Arc<Environment>,
) {
    loop {
        let accepted = listener.accept().await;
        // Without room the socket is closed at once, which frees the descriptor for those that are served.
        let Some(permit) = admission.admit(accepted.peer.ip()) else {
            let (peer, open) = (accepted.peer, admission.connections());
            tracing::warn!(
                "refusing a connection from {peer}: {open} are open, or too many of them have not logged in; \
                 raise max_connections if they are meant to be"
            );
            continue;
        };
        let environment = Arc::clone(environment);
        workers.serve(move || connection::serve(accepted, permit, environment));
    }
}

/// A socket that was passed does not say what it is for: its port does.
fn of_passed(address: ListenAddress, config: &Config) -> Transport {
    if config.tls.listeners.iter().any(|tls| port(*tls) == port(address)) {
        Transport::Tls
    } else {
        Transport::Tcp
    }
}

fn port(address: ListenAddress) -> u16 {
    match address {
        ListenAddress::AllInterfaces(port) => port,
        ListenAddress::At(address) => address.port(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_was_passed_speaks_tls_at_a_port_for_that() {
        let mut config = Config::default();
        config.tls.listeners = vec!["127.0.0.1:5671".parse().unwrap()];
        for (address, expected) in [
            ("0.0.0.0:5671", Transport::Tls),
            ("[::]:5671", Transport::Tls),
            ("0.0.0.0:5672", Transport::Tcp),
        ] {
            assert_eq!(of_passed(address.parse().unwrap(), &config), expected, "{address}");
        }
    }
}
