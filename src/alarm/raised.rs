//! Which alarms are raised, for all who want to know.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// The alarms that are raised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Raised {
    /// Too much memory is used.
    pub memory: bool,
    /// Too little of the disk is free.
    pub disk: bool,
}

impl Raised {
    /// Whether publishers are to be blocked.
    pub const fn is_any(self) -> bool {
        self.memory || self.disk
    }

    /// What blocked clients are told, in RabbitMQ's words; nothing when no alarm is raised.
    pub const fn reason(self) -> Option<&'static str> {
        match (self.memory, self.disk) {
            (true, false) => Some("low on memory"),
            (false, true) => Some("low on disk"),
            (true, true) => Some("low on disk & memory"),
            (false, false) => None,
        }
    }
}

/// What the alarms of a broker say together.
#[derive(Debug)]
pub(super) struct Signal {
    /// Whether `changed` says any, without its lock.
    is_any: AtomicBool,
    changed: watch::Sender<Raised>,
}

impl Signal {
    pub(super) fn new() -> Self {
        Self { is_any: AtomicBool::new(false), changed: watch::Sender::default() }
    }

    pub(super) fn is_any(&self) -> bool {
        self.is_any.load(Ordering::Relaxed)
    }

    pub(super) fn raised(&self) -> Raised {
        *self.changed.borrow()
    }

    pub(super) fn changes(&self) -> watch::Receiver<Raised> {
        self.changed.subscribe()
    }

    /// Decides about one of the alarms, given whether it is raised. Gives that when it is another one than before.
    pub(super) fn decide(
        &self,
        alarm: fn(&mut Raised) -> &mut bool,
        is_raised: impl FnOnce(bool) -> bool,
    ) -> Option<bool> {
        let mut changed = None;
        self.changed.send_if_modified(|raised| {
            let alarm = alarm(raised);
            let (before, after) = (*alarm, is_raised(*alarm));
            *alarm = after;
            self.is_any.store(raised.is_any(), Ordering::Relaxed);
            changed = (before != after).then_some(after);
            changed.is_some()
        });
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_are_those_that_rabbitmq_gives() {
        for (memory, disk, reason) in [
            (false, false, None),
            (true, false, Some("low on memory")),
            (false, true, Some("low on disk")),
            (true, true, Some("low on disk & memory")),
        ] {
            let raised = Raised { memory, disk };
            assert_eq!((raised.reason(), raised.is_any()), (reason, reason.is_some()), "{raised:?}");
        }
    }

    #[test]
    fn what_is_decided_of_one_alarm_leaves_the_other_as_it_is_and_only_a_change_is_told() {
        let signal = Signal::new();
        let mut changes = signal.changes();
        let memory: fn(&mut Raised) -> &mut bool = |raised| &mut raised.memory;
        let disk: fn(&mut Raised) -> &mut bool = |raised| &mut raised.disk;
        for (alarm, now, change, all) in [
            (memory, false, None, Raised::default()),
            (memory, true, Some(true), Raised { memory: true, disk: false }),
            (disk, true, Some(true), Raised { memory: true, disk: true }),
            (memory, false, Some(false), Raised { memory: false, disk: true }),
            (disk, true, None, Raised { memory: false, disk: true }),
            (disk, false, Some(false), Raised::default()),
        ] {
            assert_eq!(signal.decide(alarm, |_| now), change);
            assert_eq!((signal.raised(), signal.is_any()), (all, all.is_any()));
            assert_eq!(changes.has_changed().unwrap(), change.is_some());
            changes.mark_unchanged();
        }
    }
}
