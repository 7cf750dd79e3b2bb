//! When a connection's publishes are not read: during an alarm, and while those that it publishes to are far behind.

use std::time::Duration;

use leveret_protocol::method::connection;
use tokio::io::{AsyncRead, AsyncWrite};

use super::open::{Open, State};
use crate::channel::Peer;
use crate::channel::publisher::Behind;
use crate::time::Time;

/// Those that are far behind hold a publisher back for so long between two reads. It is read less often, never not at
/// all: they may be behind because their client writes to us before it reads, or waits for one that does.
const HOLD_MAX: Duration = Duration::from_millis(20);

/// What holds back the reading of publishes.
#[derive(Default)]
pub(super) struct Publishing {
    /// The connection has published: an alarm concerns it.
    pub(super) publishes: bool,
    /// The alarm is raised, and the client was told if it wants to be.
    pub(super) blocked: bool,
    pub(super) wants_to_be_told: bool,
    /// Who is far behind.
    pub(super) behind: Vec<Behind>,
    /// Since when they hold it back.
    pub(super) held_since: Option<Time>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Open<S> {
    /// Whether publishes are not to be read now.
    pub(super) fn is_held_back(&mut self) -> bool {
        if !matches!(self.state, State::Running) {
            // What comes is not served any more, and the answer to our close is behind it.
            self.publishing.behind.clear();
            self.publishing.blocked = false;
            return false;
        }
        self.publishing.behind.retain(Behind::persists);
        if !self.publishing.behind.is_empty() {
            let now = Time::now();
            if now < self.publishing.held_since.get_or_insert(now).plus(HOLD_MAX) {
                return true;
            }
            self.publishing.behind.clear();
        }
        self.publishing.held_since = None;
        let blocked = self.publishing.publishes && self.alarm.is_raised();
        if blocked != self.publishing.blocked {
            self.publishing.blocked = blocked;
            if self.publishing.wants_to_be_told {
                let told = if blocked {
                    connection::Blocked { reason: "low on memory" }.into()
                } else {
                    connection::Unblocked {}.into()
                };
                self.output.method(0, told);
            }
        }
        blocked
    }

    pub(super) fn may_be_held_back(&self) -> bool {
        self.publishing.blocked || !self.publishing.behind.is_empty()
    }
}
