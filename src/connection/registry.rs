//! The open connections of a broker. No guard of the map leaves this file.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use leveret_protocol::TableBuf;
use leveret_protocol::reply_code::ReplyCode;

use super::entry::ConnectionEntry;
use super::outbox::{Notice, Outbox};
use super::throttle::Throttle;
use crate::auth::Mechanism;
use crate::name::{ConnectionId, UserName, VhostName};
use crate::net::Encryption;
use crate::queue::delivery::Recipient;
use crate::time::Time;

/// The open connections by id.
#[derive(Default)]
pub struct Connections {
    next: AtomicU64,
    open: DashMap<ConnectionId, Entered>,
}

struct Entered {
    outbox: Arc<Outbox>,
    user: UserName,
    vhost: VhostName,
    encryption: Option<Arc<Encryption>>,
    about: Option<Arc<About>>,
}

/// What was agreed with the client of a connection, and what it says of itself.
#[derive(Debug)]
pub struct About {
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Where it arrived.
    pub local: SocketAddr,
    /// When it was opened.
    pub connected_at: Time,
    /// The largest frame, in bytes, header and end included.
    pub frame_max: u32,
    /// How many channels may be open at a time.
    pub channel_max: u16,
    /// The heartbeat interval in seconds; 0 is none.
    pub heartbeat: u16,
    /// What the client says about itself.
    pub client_properties: TableBuf,
    /// How it logged in.
    pub mechanism: Mechanism,
    /// Whether it is read.
    pub throttle: Arc<Throttle>,
    /// How it goes on.
    pub entry: Arc<ConnectionEntry>,
}

/// An open connection, for an operator.
#[derive(Clone, Debug)]
pub struct Described {
    /// Which it is.
    pub id: ConnectionId,
    /// Who is logged in.
    pub user: UserName,
    /// Where to.
    pub vhost: VhostName,
    /// How its bytes are encrypted, if they are.
    pub encryption: Option<Arc<Encryption>>,
    /// The rest.
    pub about: Arc<About>,
}

impl Described {
    /// What it is called: where it comes from and where it arrived.
    pub fn name(&self) -> String {
        format!("{} -> {}", self.about.peer, self.about.local)
    }
}

impl Connections {
    /// Enters a connection of a user to a virtual host.
    pub fn enter(&self, outbox: &Arc<Outbox>, user: UserName, vhost: VhostName) -> ConnectionId {
        let id = ConnectionId(self.next.fetch_add(1, Ordering::Relaxed).saturating_add(1));
        self.open
            .insert(id, Entered { outbox: Arc::clone(outbox), user, vhost, encryption: None, about: None });
        id
    }

    /// Says how the bytes of one are encrypted.
    pub fn set_encryption(&self, id: ConnectionId, encryption: Arc<Encryption>) {
        if let Some(mut entered) = self.open.get_mut(&id) {
            entered.encryption = Some(encryption);
        }
    }

    /// Says what was agreed with one: from now on it is listed.
    pub fn describe(&self, id: ConnectionId, about: About) {
        if let Some(mut entered) = self.open.get_mut(&id) {
            entered.about = Some(Arc::new(about));
        }
    }

    /// Those that are open, in the order in which they came.
    pub fn described(&self) -> Vec<Described> {
        let described = self.open.iter().filter_map(|entered| {
            let Entered { user, vhost, encryption, about, .. } = entered.value();
            Some(Described {
                id: *entered.key(),
                user: user.clone(),
                vhost: vhost.clone(),
                encryption: encryption.clone(),
                about: Arc::clone(about.as_ref()?),
            })
        });
        let mut described: Vec<Described> = described.collect();
        described.sort_by_key(|connection| connection.id);
        described
    }

    /// Those that are open, by the number that queues know them by.
    pub fn by_recipient(&self) -> HashMap<u64, Described> {
        let described = self.open.iter().filter_map(|entered| {
            let Entered { outbox, user, vhost, encryption, about } = entered.value();
            let described = Described {
                id: *entered.key(),
                user: user.clone(),
                vhost: vhost.clone(),
                encryption: encryption.clone(),
                about: Arc::clone(about.as_ref()?),
            };
            Some((outbox.id(), described))
        });
        described.collect()
    }

    /// Asks one to close, with this code and text.
    pub fn close(&self, id: ConnectionId, code: ReplyCode, text: &str) {
        if let Some(entered) = self.open.get(&id) {
            entered.outbox.notify(Notice::Close(code, text.to_owned()));
        }
    }

    /// How the bytes of one are encrypted, if they are.
    pub fn encryption(&self, id: ConnectionId) -> Option<Arc<Encryption>> {
        self.open.get(&id)?.encryption.clone()
    }

    /// The ids of those that are open.
    pub fn ids(&self) -> Vec<ConnectionId> {
        self.open.iter().map(|entered| *entered.key()).collect()
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
        self.close_those(|_, _| true, code, text);
    }

    /// Asks those of a user to close.
    pub fn close_user(&self, user: &str, code: ReplyCode, text: &str) {
        self.close_those(|of, _| of.as_str() == user, code, text);
    }

    /// Asks those to a virtual host to close.
    pub fn close_vhost(&self, vhost: &str, code: ReplyCode, text: &str) {
        self.close_those(|_, to| to.as_str() == vhost, code, text);
    }

    /// What a user may do in a virtual host has changed.
    pub fn rights_changed(&self, user: &str, vhost: &str) {
        self.tell(|of, to| of.as_str() == user && to.as_str() == vhost, || Notice::RightsChanged);
    }

    /// The limits of a user have changed.
    pub fn limits_changed(&self, user: &str) {
        self.tell(|of, _| of.as_str() == user, || Notice::RightsChanged);
    }

    /// No alarm is raised any more.
    pub fn alarms_cleared(&self) {
        self.tell(|_, _| true, || Notice::AlarmsCleared);
    }

    /// None of them is given anything more before the first one closes: what that one gives back would go to the next,
    /// which closes as well, and be marked and counted as delivered by each of them.
    fn close_those(&self, whom: impl Fn(&UserName, &VhostName) -> bool, code: ReplyCode, text: &str) {
        for entered in self.open.iter().filter(|entered| whom(&entered.user, &entered.vhost)) {
            entered.outbox.end();
        }
        self.tell(whom, || Notice::Close(code, text.to_owned()));
    }

    fn tell(&self, whom: impl Fn(&UserName, &VhostName) -> bool, what: impl Fn() -> Notice) {
        for entered in &self.open {
            if whom(&entered.user, &entered.vhost) {
                entered.outbox.notify(what());
            }
        }
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connections({})", self.len())
    }
}
