//! A broker within the test's process, and what comes after it.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lapin::{Channel, Connection, ConnectionProperties};
use leveret::broker::Broker;
use leveret::config::{Config, Listen, ManagementConfig};
use leveret::vhost::Vhost;
use serde_json::Value;

use leveret::policy::{Policy, PolicyKind};

/// Nothing here takes longer than this, however busy the machine is.
const DEADLINE: Duration = Duration::from_mins(5);

/// Runs a test against a runtime of its own.
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, test).await.expect("done before the deadline") });
}

/// A broker that runs, and a channel in confirm mode.
pub(crate) struct Life {
    pub(crate) broker: Broker,
    pub(crate) vhost: Arc<Vhost>,
    pub(crate) channel: Channel,
    pub(crate) connection: Connection,
}

impl Life {
    /// A broker on this directory.
    pub(crate) async fn begin(data: &Path) -> Self {
        let config = Config {
            listeners: vec!["127.0.0.1:0".parse().unwrap()],
            data_dir: data.to_owned(),
            management: ManagementConfig { listen: Some(Listen::Nowhere), ..ManagementConfig::default() },
            workers: Some(1),
            ..Config::default()
        };
        let broker = Broker::start(config).unwrap();
        let vhost = broker.vhosts().get("/").unwrap();
        let url = format!("amqp://guest:guest@{}/%2f", broker.addresses()[0]);
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(lapin::options::ConfirmSelectOptions::default()).await.unwrap();
        Self { broker, vhost, channel, connection }
    }

    /// Ends in order, and gives the broker that comes after.
    pub(crate) async fn restarted(self, data: &Path) -> Self {
        self.broker.stop().await;
        Self::begin(data).await
    }

    /// A broker on a copy of what is on the disk at this moment, as if this one had been killed.
    pub(crate) async fn after_a_kill(self, data: &Path, copy: &Path) -> Self {
        crate::directory::copy_folder(data, copy);
        let after = Self::begin(copy).await;
        self.broker.stop().await;
        after
    }

    /// Waits until what was changed is on the disk.
    pub(crate) fn wait(&self, until: Option<leveret::place::Batch>) {
        assert!(self.vhost.stored().unwrap().journal.wait(until.expect("something to wait for")));
    }

    /// Sets a policy for all, and waits until it is on the disk.
    pub(crate) fn set_policy(&self, kind: PolicyKind, name: &str, pattern: &str, definition: &Value) {
        let policy = Policy::parse(kind, name, pattern, "all", 1, definition).unwrap();
        self.wait(self.vhost.set_policy(kind, policy));
    }
}
