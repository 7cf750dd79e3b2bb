//! A broker within the test's process, and its operator.

use std::path::Path;
use std::sync::Arc;

use leveret::access::Access;
use leveret::auth::{AccessSettings, Permission, Tags, User, UserLimits};
use leveret::broker::Broker as Running;
use leveret::config::{Changes, Config, Listen, ManagementConfig, VhostSettings};
use leveret::connection::Environment;
use tokio::runtime::{Builder, Runtime};

use crate::support::raw::client_properties;
use crate::support::{Broker, Payload, Raw, Table, method};

pub(crate) struct House {
    runtime: Runtime,
    running: Option<Running>,
    pub(crate) broker: Broker,
}

impl House {
    /// A broker that keeps nothing, with guest.
    pub(crate) fn new() -> Self {
        Self::with(AccessSettings::default())
    }

    pub(crate) fn configured(vhosts: VhostSettings) -> Self {
        Self::start(Config { in_memory: true, vhosts, ..Config::default() })
    }

    pub(crate) fn with(access: AccessSettings) -> Self {
        Self::start(Config { in_memory: true, access, ..Config::default() })
    }

    /// A broker that keeps what is durable in a directory.
    pub(crate) fn on(data: &Path) -> Self {
        Self::start(Config { data_dir: data.to_owned(), ..Config::default() })
    }

    fn start(config: Config) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listeners = vec!["127.0.0.1:0".parse().unwrap()];
        let management = ManagementConfig { listen: Some(Listen::Nowhere), ..ManagementConfig::default() };
        let within = runtime.enter();
        let running = Running::start(Config { listeners, management, workers: Some(1), ..config }).unwrap();
        drop(within);
        let broker = Broker::at(running.addresses()[0]);
        Self { runtime, running: Some(running), broker }
    }

    pub(crate) fn environment(&self) -> &Arc<Environment> {
        self.running.as_ref().unwrap().environment()
    }

    /// The configuration is read again, in which this has changed.
    pub(crate) fn reload(&self, change: impl FnOnce(&mut Config)) -> Changes {
        let mut config = Config::clone(&self.environment().config());
        change(&mut config);
        self.running.as_ref().unwrap().reload(&config).unwrap()
    }

    pub(crate) fn access(&self) -> &Access {
        &self.environment().access
    }

    /// Adds a user whose password is its name.
    pub(crate) fn add(&self, name: &str, tags: &str) {
        let password = Some(self.access().hash(name.as_bytes()).unwrap());
        let (tags, limits) = (Tags::parse(tags).unwrap(), UserLimits::default());
        let until = self.access().add_user(User { name: name.into(), password, tags, limits }).unwrap();
        assert!(self.environment().wait(until));
    }

    /// Says what a user may do in `/`.
    pub(crate) fn allow(&self, user: &str, configure: &str, write: &str, read: &str) {
        self.allow_in("/", user, configure, write, read);
    }

    pub(crate) fn allow_in(&self, vhost: &str, user: &str, configure: &str, write: &str, read: &str) {
        let permission = Permission::parse(configure, write, read).unwrap();
        let until = self.environment().set_permission(user, vhost, permission).unwrap();
        assert!(self.environment().wait(until));
    }

    /// A connection that has logged in and asked for a virtual host; the answer is still to come.
    pub(crate) fn opening(&self, user: &str, vhost: &str) -> Raw {
        let mut raw = Raw::started(&self.broker);
        let response = format!("\0{user}\0{user}");
        raw.send(0, method::connection_start_ok(&client_properties(), "PLAIN", response.as_bytes()));
        raw.expect_tune();
        raw.send(0, method::connection_tune_ok(2047, 131_072, 0));
        raw.send(0, method::connection_open(vhost));
        raw
    }

    /// An open connection to `/` with channel 1.
    pub(crate) fn connect(&self, user: &str) -> Raw {
        self.connect_to(user, "/")
    }

    pub(crate) fn connect_to(&self, user: &str, vhost: &str) -> Raw {
        let mut raw = self.opening(user, vhost);
        raw.expect(0, method::CONNECTION_OPEN_OK);
        raw.open_channel(1);
        raw
    }

    /// Ends in order.
    pub(crate) fn stop(mut self) {
        let running = self.running.take().unwrap();
        self.runtime.block_on(running.stop());
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}

pub(crate) fn exchange_bind(destination: &str, source: &str, key: &str) -> Payload {
    let ends = Payload::method((40, 30)).short(0).shortstr(destination).shortstr(source);
    ends.shortstr(key).octet(0).table(&Table::new())
}

pub(crate) fn exchange_unbind(destination: &str, source: &str, key: &str) -> Payload {
    let ends = Payload::method((40, 40)).short(0).shortstr(destination).shortstr(source);
    ends.shortstr(key).octet(0).table(&Table::new())
}

/// Receives channel.close on channel 1 with exactly this, answers it and opens the channel anew.
#[track_caller]
pub(crate) fn expect_channel_close(raw: &mut Raw, code: u16, text: &str) {
    let frame = raw.expect(1, method::CHANNEL_CLOSE);
    let (got, got_text, ..) = frame.close().unwrap();
    assert_eq!((got, got_text.as_str()), (code, text));
    raw.send(1, Payload::method(method::CHANNEL_CLOSE_OK));
    raw.open_channel(1);
}
