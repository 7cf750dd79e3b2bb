//! Tables of families: what each is called, and where its value is from.

use super::text::{Kind, Labels, Number, Text};

/// The families that RabbitMQ has of itself.
pub(super) const RABBITMQ: &str = "rabbitmq_";
/// The same where they were asked for by their groups.
pub(super) const DETAILED: &str = "rabbitmq_detailed_";
/// What concerns all nodes alike.
pub(super) const CLUSTER: &str = "rabbitmq_cluster_";
/// Our own.
pub(super) const LEVERET: &str = "leveret_";

/// A family whose values are told by rows of type `R`.
pub(super) struct Family<R: 'static> {
    /// The name behind the prefix.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    /// The value of a row; nothing when it has none.
    pub(super) value: fn(&R) -> Option<Number>,
}

/// Families that are asked for together, by RabbitMQ's name for them.
pub(super) struct Group<R: 'static> {
    pub(super) name: &'static str,
    pub(super) families: &'static [Family<R>],
}

/// A family that counts up.
pub(super) const fn counter<R>(
    name: &'static str,
    help: &'static str,
    value: fn(&R) -> Option<Number>,
) -> Family<R> {
    Family { name, kind: Kind::Counter, help, value }
}

/// A family that goes up and down.
pub(super) const fn gauge<R>(
    name: &'static str,
    help: &'static str,
    value: fn(&R) -> Option<Number>,
) -> Family<R> {
    Family { name, kind: Kind::Gauge, help, value }
}

/// What a family has a sample of: an object, or a sum of objects.
pub(super) trait Row: Send + 'static {
    /// Puts what tells it from others; nothing for a sum.
    fn label(&self, labels: &mut Labels<'_>);
}

impl<R: Row> Family<R> {
    /// Begins it.
    pub(super) fn head(&self, prefix: &str, text: &mut Text) {
        text.family(prefix, self.name, self.kind, self.help);
    }

    /// Its sample of a row.
    pub(super) fn row(&self, prefix: &str, row: &R, text: &mut Text) {
        if let Some(value) = (self.value)(row) {
            text.sample(prefix, self.name, |labels| row.label(labels), value);
        }
    }
}

/// All families of some groups with the samples of one row.
pub(super) fn write_one<R: Row>(prefix: &str, groups: &[&Group<R>], row: &R, text: &mut Text) {
    for family in groups.iter().flat_map(|group| group.families) {
        family.head(prefix, text);
        family.row(prefix, row, text);
    }
}
