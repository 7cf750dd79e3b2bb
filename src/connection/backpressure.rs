//! When a connection's publishes are not read: during an alarm, and while those that it publishes to are far behind.

use leveret_protocol::method::connection;
use tokio::io::{AsyncRead, AsyncWrite};

use super::open::Open;
use crate::channel::Peer;
use crate::channel::publisher::Behind;

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
}

impl<S: AsyncRead + AsyncWrite + Unpin> Open<S> {
    /// Whether publishes are not to be read now.
    pub(super) fn is_held_back(&mut self) -> bool {
        self.publishing.behind.retain(Behind::persists);
        if !self.publishing.behind.is_empty() {
            return true;
        }
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
