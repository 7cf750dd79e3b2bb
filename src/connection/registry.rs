//! The open connections of a broker. No guard of the map leaves this file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use leveret_protocol::reply_code::ReplyCode;

use super::outbox::{Notice, Outbox};
use crate::name::ConnectionId;

/// The open connections by id.
#[derive(Default)]
pub struct Connections {
    next: AtomicU64,
    open: DashMap<ConnectionId, Arc<Outbox>>,
}

impl Connections {
    /// Enters a connection.
    pub fn enter(&self, outbox: &Arc<Outbox>) -> ConnectionId {
        let id = ConnectionId(self.next.fetch_add(1, Ordering::Relaxed).saturating_add(1));
        self.open.insert(id, Arc::clone(outbox));
        id
    }

    /// Removes a connection that has ended.
    pub fn leave(&self, id: ConnectionId) {
        self.open.remove(&id);
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Asks all to close, with this code and text.
    pub fn close_all(&self, code: ReplyCode, text: &str) {
        for outbox in &self.open {
            outbox.notify(Notice::Close(code, text.to_owned()));
        }
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connections({})", self.len())
    }
}
