//! How many objects there are.

use super::family::RABBITMQ;
use super::scrape::Subject;
use super::text::{Kind, Text};

/// Counts of what is open and declared.
pub(super) fn write(subject: &Subject, channels: u64, consumers: u64, text: &mut Text) {
    let queues: usize = subject.site.environment.vhosts.all().iter().map(|vhost| vhost.queues().len()).sum();
    let rows = [
        ("connections", subject.site.environment.connections.len() as u64, "Connections currently open"),
        ("channels", channels, "Channels currently open"),
        ("consumers", consumers, "Consumers currently connected"),
        ("queues", queues as u64, "Queues available"),
    ];
    for (name, number, help) in rows {
        text.family(RABBITMQ, name, Kind::Gauge, help);
        text.plain(RABBITMQ, name, number);
    }
}
