//! What is logged is changed while the broker runs.

use std::fs;

use leveret::broker::Broker;
use leveret::config::{Config, Listen, LogCategory, LogConfig, LogLevel, ManagementConfig};
use leveret::log;

use crate::directory::TempDir;
use crate::lives::run;

#[test]
fn a_level_changes_for_its_category_at_once_and_until_the_configuration_is_read_again() {
    let folder = TempDir::new();
    let path = folder.path().join("log");
    let mut config = LogConfig::default();
    config.console.enabled = false;
    config.file.path = Some(path.clone());
    let guard = log::start(&config).unwrap();
    let say = |number: u8| {
        tracing::debug!(target: "leveret::channel::test", "channel {number}.");
        tracing::debug!(target: "leveret::queue::test", "queue {number}.");
        tracing::warn!(target: "leveret::channel::test", "channel warns {number}.");
    };
    run(async {
        let listeners = vec!["127.0.0.1:0".parse().unwrap()];
        let settings = Config {
            listeners,
            management: ManagementConfig { listen: Some(Listen::Nowhere), ..ManagementConfig::default() },
            in_memory: true,
            workers: Some(1),
            log: config.clone(),
            ..Config::default()
        };
        let broker = Broker::start(settings.clone()).unwrap();
        say(1);
        broker.set_log_level(LogCategory::Channel, LogLevel::Debug);
        assert_eq!(broker.log_level(LogCategory::Channel), LogLevel::Debug);
        say(2);
        broker.set_log_level(LogCategory::Channel, LogLevel::None);
        say(3);
        broker.reload(&settings).unwrap();
        say(4);
        broker.stop().await;
    });
    drop(guard);
    let written = fs::read_to_string(path).unwrap();
    let said = ["channel ", "queue "].map(|beginning| {
        let lines = written.lines().filter_map(|line| line.split_once("] ")?.1.strip_prefix(beginning));
        lines.filter(|line| line.ends_with('.')).collect::<Vec<_>>().join(" ")
    });
    assert_eq!(said, ["warns 1. 2. warns 2. warns 4.", ""], "{written}");
}
