//! Where connections come in, with TLS or without it.

use std::io;
use std::net::TcpListener;

use super::StartError;
use crate::config::{Config, ListenAddress};
use crate::management::Listening;
use crate::net::{Bound, Listener, Transport};

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
