//! A broker of the test's own with its HTTP API, and requests to it.

use leveret::broker::Broker;
use leveret::config::{Config, Listen, ListenAddress, ManagementConfig, MetricsConfig};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use tokio::runtime::{Builder, Runtime};

use crate::http::{Answer, Request};
use crate::support::TempDir;

/// Any port.
const ANY: &str = "127.0.0.1:0";

pub(crate) struct Desk {
    runtime: Runtime,
    broker: Option<Broker>,
    pub(crate) address: SocketAddr,
}

impl Desk {
    /// A broker that keeps nothing.
    pub(crate) fn new() -> Self {
        Self::with(Config { in_memory: true, ..Config::default() })
    }

    /// A broker that keeps what is durable in a directory.
    pub(crate) fn on(data: &Path) -> Self {
        Self::with(Config { data_dir: data.to_owned(), ..Config::default() })
    }

    /// A broker that keeps nothing, and has a directory's name to be found by.
    pub(crate) fn new_at(data: &TempDir) -> Self {
        Self::with(Config { in_memory: true, data_dir: data.path().to_owned(), ..Config::default() })
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::listening_at(ANY, config)
    }

    /// A broker that keeps nothing, at an address of this machine that no other test has: nobody is given its ports while it
    /// does not listen there.
    pub(crate) fn apart(host: &str) -> Self {
        Self::listening_at(&format!("{host}:0"), Config { in_memory: true, ..Config::default() })
    }

    fn listening_at(any: &str, config: Config) -> Self {
        let any: ListenAddress = any.parse().unwrap();
        let management = ManagementConfig { listen: Some(Listen::At(any)), ..config.management };
        Self::start(any, Config { management, ..config })
    }

    /// A broker whose HTTP API is where the configuration says; its address is nowhere if that is nowhere.
    pub(crate) fn listening_as_configured(config: Config) -> Self {
        Self::start(ANY.parse().unwrap(), config)
    }

    fn start(any: ListenAddress, config: Config) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let metrics = MetricsConfig { listen: Some(Listen::At(any)), ..config.metrics };
        let config = Config { listeners: vec![any], workers: Some(1), metrics, ..config };
        let within = runtime.enter();
        let broker = Broker::start(config).unwrap();
        drop(within);
        let nowhere = ([0, 0, 0, 0], 0).into();
        let address = broker.management_addresses().first().copied().unwrap_or(nowhere);
        Self { runtime, broker: Some(broker), address }
    }

    pub(crate) fn broker(&self) -> &Broker {
        self.broker.as_ref().unwrap()
    }

    /// Asks as guest.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_as("guest", method, path, body)
    }

    /// Asks as a user whose password is its name. `null` is no body.
    pub(crate) fn ask_as(&self, user: &str, method: &str, path: &str, body: &Value) -> Answer {
        let request = Request::new(method, path).login(user, user);
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        request.send(self.address)
    }

    /// What is there; it has to be.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, &Value::Null);
        assert_eq!(answer.status, 200, "GET {path}: {answer:?}");
        answer.json()
    }

    /// Has something done; that has to succeed.
    #[track_caller]
    pub(crate) fn done(&self, method: &str, path: &str, body: &Value) {
        let answer = self.ask(method, path, body);
        assert!([200, 201, 204].contains(&answer.status), "{method} {path} {body}: {answer:?}");
    }

    /// Asks as guest for each of these, and expects these statuses, and bodies where one is given.
    #[track_caller]
    pub(crate) fn check(&self, rows: &[(&str, &str, Value, u16, Value)]) {
        for (method, path, body, status, expected) in rows {
            let answer = self.ask(method, path, body);
            assert_eq!(answer.status, *status, "{method} {path} {body}: {answer:?}");
            if !expected.is_null() {
                assert_eq!(answer.json(), *expected, "{method} {path} {body}");
            }
        }
    }

    /// Adds a user whose password is its name.
    pub(crate) fn add_user(&self, name: &str, tags: &str) {
        self.done("PUT", &format!("/api/users/{name}"), &json!({ "password": name, "tags": tags }));
    }

    /// Lets a user do everything in a virtual host.
    pub(crate) fn let_in(&self, user: &str, vhost: &str) {
        let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        self.done("PUT", &format!("/api/permissions/{vhost}/{user}"), &all);
    }

    /// Ends in order.
    pub(crate) fn stop(mut self) {
        let broker = self.broker.take().unwrap();
        self.runtime.block_on(broker.stop());
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take() {
            self.runtime.block_on(broker.stop());
        }
    }
}

/// The body of a 404 for something that is not there.
pub(crate) fn no_object() -> Value {
    json!({ "error": "Object Not Found", "reason": "Not Found" })
}

/// The body of a 400.
pub(crate) fn bad_request(reason: impl Into<Value>) -> Value {
    json!({ "error": "bad_request", "reason": reason.into() })
}

/// The body of a 401 for who may not.
pub(crate) fn not_authorised(reason: &str) -> Value {
    json!({ "error": "not_authorised", "reason": reason })
}
