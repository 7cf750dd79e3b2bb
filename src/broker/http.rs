//! Where HTTP is spoken: the API and the metrics, each with TLS or without it. Addresses are taken with those of AMQP, before
//! anything is read from the disk.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

use super::StartError;
use crate::config::{Config, Listen, ListenAddress};
use crate::management::{Entrance, Listening};
use crate::net::{Bound, CurrentTls, Open, Passed, Transport};

/// What is served over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpService {
    /// The HTTP API.
    Management,
    /// Metrics and checks of health.
    Metrics,
}

/// What is served where, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpDoor {
    /// What is served.
    pub service: HttpService,
    /// What is spoken below HTTP.
    pub transport: Transport,
}

impl HttpDoor {
    const ALL: [Self; 4] = [
        Self { service: HttpService::Management, transport: Transport::Tcp },
        Self { service: HttpService::Management, transport: Transport::Tls },
        Self { service: HttpService::Metrics, transport: Transport::Tcp },
        Self { service: HttpService::Metrics, transport: Transport::Tls },
    ];

    /// The name by which a service manager passes a socket for it (`FileDescriptorName=`).
    const fn name(self) -> &'static str {
        match (self.service, self.transport) {
            (HttpService::Management, Transport::Tcp) => "management",
            (HttpService::Management, Transport::Tls) => "management-tls",
            (HttpService::Metrics, Transport::Tcp) => "metrics",
            (HttpService::Metrics, Transport::Tls) => "metrics-tls",
        }
    }

    /// The door that a socket was passed for.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.name() == name)
    }

    /// The flag that says where it is.
    pub(super) const fn flag(self) -> &'static str {
        match (self.service, self.transport) {
            (HttpService::Management, Transport::Tcp) => "--management-listen",
            (HttpService::Management, Transport::Tls) => "--management-tls-listen or --management-listen",
            (HttpService::Metrics, Transport::Tcp) => "--metrics-listen",
            (HttpService::Metrics, Transport::Tls) => "--metrics-tls-listen",
        }
    }

    const fn protocol(self) -> &'static str {
        match (self.service, self.transport) {
            (HttpService::Management, Transport::Tcp) => Listening::HTTP,
            (HttpService::Management, Transport::Tls) => Listening::HTTPS,
            (HttpService::Metrics, Transport::Tcp) => Listening::METRICS,
            (HttpService::Metrics, Transport::Tls) => Listening::METRICS_TLS,
        }
    }
}

impl fmt::Display for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Management => "the HTTP API",
            Self::Metrics => "metrics",
        })
    }
}

/// A door, and where it is to be.
pub(super) struct Planned {
    pub(super) door: HttpDoor,
    place: Place,
}

enum Place {
    /// Here; whether somebody has said so.
    Configured(ListenAddress, bool),
    /// Where a service manager listens already.
    Passed(TcpListener),
}

/// The doors that are configured; what a socket was passed for is there and nowhere else.
pub(super) fn planned(config: &Config, passed: Vec<(HttpDoor, TcpListener)>) -> Vec<Planned> {
    use HttpService::{Management, Metrics};
    let (management, metrics) = (&config.management, &config.metrics);
    let said = |listen: Option<Listen>| listen.is_some();
    let over = if management.listen_tls { Transport::Tls } else { Transport::Tcp };
    let configured = [
        (Management, over, management.address(), said(management.listen)),
        (Management, Transport::Tls, management.tls.address(), true),
        (Metrics, Transport::Tcp, metrics.address(), said(metrics.listen)),
        (Metrics, Transport::Tls, metrics.tls.address(), true),
    ];
    let configured = configured.into_iter().filter_map(|(service, transport, address, is_said)| {
        if passed.iter().any(|(door, _)| door.service == service) {
            return None;
        }
        let place = Place::Configured(address?, is_said);
        Some(Planned { door: HttpDoor { service, transport }, place })
    });
    let mut planned: Vec<Planned> = configured.collect();
    planned
        .extend(passed.into_iter().map(|(door, listener)| Planned { door, place: Place::Passed(listener) }));
    planned
}

/// A door whose address is taken.
pub(super) struct Taken {
    door: HttpDoor,
    address: ListenAddress,
    is_said: bool,
    bound: Bound,
}

/// A door that listens.
pub(super) struct OpenDoor {
    pub(super) door: HttpDoor,
    socket: Open,
}

impl Planned {
    /// Takes the address. That a usual port is taken is no reason not to start.
    pub(super) fn take(self, config: &Config) -> Result<Option<Taken>, StartError> {
        let door = self.door;
        match self.place {
            Place::Passed(listener) => {
                let (address, bound) =
                    Bound::inherited(listener, &config.tcp).map_err(StartError::Inherited)?;
                Ok(Some(Taken { door, address, is_said: true, bound }))
            }
            Place::Configured(address, is_said) => match Bound::to(address, &config.tcp) {
                Ok(bound) => Ok(Some(Taken { door, address, is_said, bound })),
                Err(error) => refused(door, address, is_said, error).map(|()| None),
            },
        }
    }
}

impl Taken {
    /// Whether this is served there.
    pub(super) fn is_for(&self, service: HttpService) -> bool {
        self.door.service == service
    }

    /// Listens.
    pub(super) fn open(self, config: &Config) -> Result<Option<OpenDoor>, StartError> {
        let Self { door, address, is_said, bound } = self;
        match bound.open(config.tcp.backlog) {
            Ok(socket) => Ok(Some(OpenDoor { door, socket })),
            Err(error) => refused(door, address, is_said, error).map(|()| None),
        }
    }
}

/// All of these that can.
pub(super) fn open(taken: Vec<Taken>, config: &Config) -> Result<Vec<OpenDoor>, StartError> {
    taken.into_iter().filter_map(|taken| taken.open(config).transpose()).collect()
}

impl OpenDoor {
    pub(super) fn address(&self) -> SocketAddr {
        self.socket.address()
    }

    /// How it is listed.
    pub(super) fn listening(&self) -> Listening {
        Listening { protocol: self.door.protocol(), address: self.address() }
    }

    /// Says in RabbitMQ's words that it is there.
    pub(super) fn tell(&self) {
        let served = match self.door.service {
            HttpService::Management => "Management plugin",
            HttpService::Metrics => "Prometheus metrics",
        };
        let spoken = match self.door.transport {
            Transport::Tcp => "HTTP (non-TLS)",
            Transport::Tls => "HTTPS",
        };
        tracing::info!("{served}: {spoken} listener started on {}", self.address());
    }

    /// Accepts connections; must be called within a runtime. Without `tls` there is no door that speaks it.
    pub(super) fn entrance(self, tls: Option<&CurrentTls>) -> io::Result<Entrance> {
        let listener = self.socket.accepting()?;
        Ok(match (self.door.transport, tls) {
            (Transport::Tls, Some(tls)) => Entrance::Tls(listener, tls.clone()),
            (Transport::Tls, None) => return Err(io::Error::other("there is no certificate for it")),
            (Transport::Tcp, _) => Entrance::Tcp(listener),
        })
    }
}

fn refused(
    door: HttpDoor,
    address: ListenAddress,
    is_said: bool,
    error: io::Error,
) -> Result<(), StartError> {
    if is_said || error.kind() != io::ErrorKind::AddrInUse {
        return Err(StartError::Http { door, address, error });
    }
    let (service, flag) = (door.service, door.flag());
    let verb = if service == HttpService::Management { "is" } else { "are" };
    tracing::warn!(
        "{service} {verb} not served: another program listens on {address}; choose another address with {flag}, or none"
    );
    Ok(())
}

/// The sockets for AMQP, and those for HTTP, which their names tell.
pub(super) fn by_name(passed: Vec<Passed>) -> (Vec<TcpListener>, Vec<(HttpDoor, TcpListener)>) {
    let (mut amqp, mut http) = (Vec::new(), Vec::new());
    for Passed { name, listener } in passed {
        match HttpDoor::named(&name) {
            Some(door) => http.push((door, listener)),
            None => amqp.push(listener),
        }
    }
    (amqp, http)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(config: &Config, passed: Vec<(HttpDoor, TcpListener)>) -> Vec<String> {
        let told = planned(config, passed).into_iter().map(|planned| match planned.place {
            Place::Configured(address, is_said) => {
                format!("{} {address}{}", planned.door.name(), if is_said { "" } else { "?" })
            }
            Place::Passed(_) => format!("{} passed", planned.door.name()),
        });
        told.collect()
    }

    #[test]
    fn doors_are_where_the_configuration_says_and_at_the_usual_ports_if_it_says_nothing() {
        let mut config = Config::default();
        assert_eq!(told(&config, Vec::new()), ["management [::]:15672?", "metrics [::]:15692?"]);
        config.management.listen_tls = true;
        config.metrics.tls.listen = Some("15691".parse().unwrap());
        assert_eq!(told(&config, Vec::new()), ["management-tls [::]:15672?", "metrics-tls [::]:15691"]);
        config.management.tls.listen = Some("127.0.0.1:15671".parse().unwrap());
        config.metrics.listen = Some("127.0.0.1:0".parse().unwrap());
        let both = ["management-tls 127.0.0.1:15671", "metrics 127.0.0.1:0", "metrics-tls [::]:15691"];
        assert_eq!(told(&config, Vec::new()), both);
        config.metrics.listen = Some(Listen::Nowhere);
        config.metrics.tls.listen = None;
        let passed = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = HttpDoor::named("management").unwrap();
        assert_eq!(told(&config, vec![(door, passed)]), ["management passed"]);
    }

    #[test]
    fn a_socket_is_for_what_its_name_says_and_for_amqp_if_that_says_nothing() {
        let names = ["leveret.socket", "metrics", "", "management-tls", "unknown"];
        let passed = names.map(|name| Passed {
            name: name.to_owned(),
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        });
        let (amqp, http) = by_name(passed.into());
        assert_eq!(amqp.len(), 3);
        assert_eq!(
            http.iter().map(|(door, _)| door.name()).collect::<Vec<_>>(),
            ["metrics", "management-tls"]
        );
    }
}
