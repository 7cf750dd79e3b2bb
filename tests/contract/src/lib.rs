//! A broker process of a check's own, and clients of it.

mod amqp;
mod broker;

pub use amqp::Amqp;
pub use broker::Broker;

use rabbitmq_http_client::blocking_api::{Client, HttpClientError};

/// RabbitMQ's client of the HTTP API.
pub type Api = Client<String, &'static str, &'static str>;

/// A broker with a client of its HTTP API.
pub struct House {
    /// Its process.
    pub broker: Broker,
    /// Asks as the user that there is from the start.
    pub api: Api,
}

impl House {
    /// Starts a broker that knows nobody but guest.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn new() -> Self {
        let broker = Broker::start();
        let api = broker.api("guest", "guest");
        Self { broker, api }
    }
}

impl Default for House {
    fn default() -> Self {
        Self::new()
    }
}

/// An answer that has to be a good one.
pub trait Done<T> {
    /// What was answered.
    ///
    /// # Panics
    ///
    /// With what was answered instead: the client's own text of an error has no body, and a backtrace.
    fn done(self) -> T;
}

impl<T> Done<T> for Result<T, HttpClientError> {
    #[track_caller]
    fn done(self) -> T {
        match self {
            Ok(answer) => answer,
            Err(
                HttpClientError::ClientErrorResponse { url, status_code, body, .. }
                | HttpClientError::ServerErrorResponse { url, status_code, body, .. },
            ) => panic!(
                "{status_code} {}: {}",
                url.map(String::from).unwrap_or_default(),
                body.unwrap_or_default()
            ),
            Err(HttpClientError::RequestError { error, .. }) => panic!("{:?}", error),
            Err(HttpClientError::HealthCheckFailed { path, details, .. }) => panic!("{path}: {details:?}"),
            Err(failed) => panic!("{failed}"),
        }
    }
}
