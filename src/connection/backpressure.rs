//! When a connection's publishes are not read: during an alarm, while the disk has more than enough to write, while those
//! that it publishes to are far behind, and when more was published than may be in a second.
//!
//! An alarm concerns who publishes while it is raised, as in RabbitMQ: a consumer that published something before goes on
//! to settle. What was read with the publish is served, then nothing more is read until the alarm clears.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use leveret_protocol::method::connection;
use tokio::io::{AsyncRead, AsyncWrite};

use super::open::{Open, State};
use crate::channel::Peer;
use crate::rate::RateMeter;
use crate::store::Blocked;
use crate::time::Time;
use crate::vhost::publisher::Behind;

/// Those that are far behind hold a publisher back for so long between two reads. It is read less often, never not at
/// all: they may be behind because their client writes to us before it reads, or waits for one that does.
const HOLD_MAX: Duration = Duration::from_millis(20);

/// How long a blocked connection outlives its client.
const HUNG_UP_MAX: Duration = Duration::from_secs(5);

/// What keeps a connection from being read, besides those that are far behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing.
    #[default]
    Not,
    /// The disk needs a moment to catch up.
    Congested,
    /// An alarm is raised, and the client was told if it wants to be.
    Blocked,
    /// More was published than may be in a second, and the client was told if it wants to be; it is read again then.
    Over(Time),
    /// It is read again, and told so then: by and by, so that it is not blocked again at once.
    Easing(Time),
}

impl Held {
    /// Whether the client is to think that it is blocked.
    fn is_told(self) -> bool {
        matches!(self, Self::Blocked | Self::Over(_) | Self::Easing(_))
    }

    /// Whether nothing is read for as long as that takes.
    fn is_blocked(self) -> bool {
        matches!(self, Self::Blocked | Self::Over(_))
    }

    fn is_read(self) -> bool {
        matches!(self, Self::Not | Self::Easing(_))
    }

    /// What comes after this with a limit that is passed until then.
    fn with_limit(self, meter: &RateMeter, now: Time) -> Self {
        let until = meter.over_until(now);
        if until > now {
            Self::Over(until)
        } else if self.is_told() {
            Self::Easing(meter.eased_at(now))
        } else {
            // That was over before anybody looked: nothing stopped, so nothing is to be told.
            Self::Not
        }
    }
}

/// What holds back the reading of publishes.
#[derive(Default)]
pub(super) struct Publishing {
    /// Something of a message was in what was served since the last look.
    pub(super) published: bool,
    /// Messages of this connection were written to the journal.
    pub(super) journalled: bool,
    /// Why nothing is read, if that is so.
    pub(super) held: Held,
    pub(super) wants_to_be_told: bool,
    /// Who is far behind, and which limits are passed.
    pub(super) behind: Vec<Behind>,
    /// Since when they hold it back.
    pub(super) held_since: Option<Time>,
    /// Since when the client of a blocked connection is gone, which nobody would read.
    pub(super) hung_up_since: Option<Time>,
    /// When the client of a blocked connection without heartbeats was last sent one.
    pub(super) probed: Option<Time>,
}

impl Publishing {
    /// Whether anybody is far behind.
    pub(super) fn any_behind(&self) -> bool {
        self.behind.iter().any(|behind| behind.over().is_none())
    }

    /// These were found while a batch was handed over.
    pub(super) fn found_behind(&mut self, found: Vec<Behind>) {
        for behind in found {
            let is_known = behind.over().is_some_and(|meter| {
                self.behind.iter().filter_map(Behind::over).any(|known| Arc::ptr_eq(known, meter))
            });
            if !is_known {
                self.behind.push(behind);
            }
        }
    }

    /// Whether the client of a blocked connection without heartbeats is to be sent one. As long as what it sent is not
    /// read its end does not arrive either; its machine answers what comes for a client that is gone.
    pub(super) fn probe_is_due(&mut self, now: Time) -> bool {
        if !self.held.is_blocked() {
            self.probed = None;
            return false;
        }
        let due = now >= self.probed.get_or_insert(now).plus(HUNG_UP_MAX);
        if due {
            self.probed = Some(now);
        }
        due
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Open<S> {
    /// Whether publishes are not to be read now.
    pub(super) fn is_held_back(&mut self) -> bool {
        if !matches!(self.state, State::Running) {
            // What comes is not served any more, and the answer to our close is behind it.
            self.publishing.behind.clear();
            self.publishing.held = Held::Not;
            return false;
        }
        self.publishing.behind.retain(Behind::persists);
        if !self.publishing.behind.is_empty() && self.waits_for_those_behind() {
            return true;
        }
        self.publishing.held_since = None;
        let (held, reason) = self.held();
        self.publishing.published = false;
        if held.is_told() != self.publishing.held.is_told() && self.publishing.wants_to_be_told {
            let told = if held.is_told() {
                connection::Blocked { reason: &reason }.into()
            } else {
                connection::Unblocked {}.into()
            };
            self.output.method(0, told);
        }
        if !held.is_blocked() || !(self.is_hung_up)(&self.socket) {
            self.publishing.hung_up_since = None;
        } else if self.publishing.hung_up_since.is_none() {
            self.publishing.hung_up_since = Some(Time::now());
        }
        if held != self.publishing.held {
            self.show(held);
        }
        self.publishing.held = held;
        !held.is_read()
    }

    /// Lets operators see what has changed.
    fn show(&self, held: Held) {
        self.throttle.set_blocked(held.is_blocked());
        if held == Held::Congested {
            self.throttle.slowed(Time::now());
        }
    }

    /// Whether those that are far behind have a while left.
    fn waits_for_those_behind(&mut self) -> bool {
        if !self.publishing.any_behind() {
            return false;
        }
        let now = Time::now();
        if self.publishing.held_since.is_none() {
            self.throttle.slowed(now);
        }
        if now < self.publishing.held_since.get_or_insert(now).plus(HOLD_MAX) {
            return true;
        }
        self.publishing.behind.retain(|behind| behind.over().is_some());
        false
    }

    /// What keeps publishes from being read now; with the reason that clients are told, in RabbitMQ's words where it has
    /// some.
    fn held(&self) -> (Held, Cow<'static, str>) {
        let is_held = matches!(self.publishing.held, Held::Blocked | Held::Congested);
        let publishes = self.publishing.published || is_held;
        // Whoever waits for confirms that do not come would wait without knowing why.
        if !publishes && self.session.unconfirmed.is_empty() {
            return self.over();
        }
        if publishes
            && self.alarms.is_raised()
            && let Some(reason) = self.alarms.raised().reason()
        {
            return (Held::Blocked, reason.into());
        }
        let stored = self.session.vhost.stored();
        let held = match stored.and_then(|stored| stored.handle.blocked()) {
            Some(Blocked::NoSpace) => (Held::Blocked, "low on disk"),
            Some(Blocked::DiskFailed) => (Held::Blocked, "disk failed"),
            Some(Blocked::JournalFull) => (Held::Blocked, "disk is behind"),
            // Over in a moment.
            Some(Blocked::PagingLags) => (Held::Congested, ""),
            None if self.publishing.journalled
                && stored.is_some_and(|stored| stored.journal.is_congested()) =>
            {
                (Held::Congested, "")
            }
            None => return self.over(),
        };
        (held.0, held.1.into())
    }

    /// Which limit on what is published in a second is passed, and until when.
    fn over(&self) -> (Held, Cow<'static, str>) {
        if self.publishing.behind.is_empty() {
            return (Held::Not, "".into());
        }
        let now = Time::now();
        let passed = self.publishing.behind.iter().filter_map(Behind::over);
        let Some(latest) = passed.max_by_key(|meter| meter.over_until(now)) else {
            return (Held::Not, "".into());
        };
        let held = self.publishing.held.with_limit(latest, now);
        if !held.is_blocked() {
            return (held, "".into());
        }
        if latest.is_news(now) {
            tracing::warn!("connection {} is held back: {latest}", self.session.name);
        }
        (held, latest.to_string().into())
    }

    /// Whether the client is gone whose publishes are not read. It has a while in which the alarm may clear, so that what
    /// it sent last is read all the same; then what it held, and the memory of it, must go back.
    pub(super) fn is_gone_while_blocked(&self, now: Time) -> bool {
        self.publishing.hung_up_since.is_some_and(|since| now >= since.plus(HUNG_UP_MAX))
    }

    /// Whether nothing is read for now.
    pub(super) fn may_be_held_back(&self) -> bool {
        !self.publishing.held.is_read() || self.publishing.any_behind()
    }

    /// Whether time is to bring another look at what holds it back.
    pub(super) fn is_to_look_again(&self) -> bool {
        self.publishing.held != Held::Not || !self.publishing.behind.is_empty()
    }
}

#[cfg(test)]
mod tests;
