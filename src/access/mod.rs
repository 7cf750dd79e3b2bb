//! The users of a broker, what they may do, and how that is changed while they do it.
//!
//! Changes are made one after another and are in the journal before anybody can see them. Each ends with a new epoch:
//! whatever was remembered of rights holds as long as that stays the same.

mod attempts;
mod book;
mod change;
mod login;
mod operator;
mod places;
mod telling;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

pub use attempts::{Attempts, LoginProtocol, Source, Tried};
pub use change::{AccessError, PermissionEntry, TopicEntry};
pub use login::{LoginRefused, Origin};
pub use operator::{operator, rights_of_operator};
pub use places::{AllTaken, Place, Places};

use crate::auth::{AccessSettings, Penalties, Rights, User};
use crate::event::Events;
use crate::name::VhostName;
use crate::rate::RateMeter;
use crate::store::definitions::{AccessDefinition, Definitions};
use book::Book;

/// Who may do what in a broker.
#[derive(Debug)]
pub struct Access {
    settings: RwLock<Arc<AccessSettings>>,
    book: RwLock<Book>,
    epoch: AtomicU64,
    /// Held while something is changed.
    changing: Mutex<()>,
    penalties: Mutex<Penalties>,
    attempts: Attempts,
    /// Channels of all users together.
    channels: Places,
    /// None in a broker that keeps nothing.
    definitions: Option<Arc<Definitions>>,
    /// What happens to them is told here.
    events: Arc<Events>,
}

impl Access {
    /// The default user and nobody else, of which nothing is kept.
    pub fn in_memory(settings: AccessSettings) -> Self {
        let access = Self::empty(settings);
        access.add_default_user();
        access
    }

    /// Nobody yet, of which nothing is kept.
    pub fn empty(settings: AccessSettings) -> Self {
        Self::with(settings, None)
    }

    /// Users as they were defined in an earlier run; from now on changes are written down.
    pub fn restored(
        settings: AccessSettings,
        defined: Vec<AccessDefinition>,
        definitions: Arc<Definitions>,
    ) -> Self {
        let access = Self::with(settings, Some(definitions));
        let mut book = access.book.write().unwrap_or_else(PoisonError::into_inner);
        // They are in the order of their kinds: users, then permissions.
        let left_out = defined.into_iter().filter_map(|found| book.define(found).is_none().then_some(()));
        let left_out = left_out.count();
        drop(book);
        if left_out > 0 {
            tracing::error!("{left_out} permissions are left out, since their users are not defined");
        }
        access
    }

    fn with(settings: AccessSettings, definitions: Option<Arc<Definitions>>) -> Self {
        Self {
            settings: RwLock::new(Arc::new(settings)),
            book: RwLock::default(),
            epoch: AtomicU64::new(1),
            changing: Mutex::default(),
            penalties: Mutex::default(),
            attempts: Attempts::default(),
            channels: Places::default(),
            definitions,
            events: Arc::default(),
        }
    }

    /// What happens to users is told here from now on.
    pub fn tell_to(&mut self, events: &Arc<Events>) {
        self.events = Arc::clone(events);
    }

    /// The logins that were tried.
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// What the configuration says at present.
    pub fn settings(&self) -> Arc<AccessSettings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The configuration was read again: who logs in, opens a channel or consumes from now on finds this.
    pub fn set_settings(&self, settings: AccessSettings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// A number that grows with every change.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// A user.
    pub fn user(&self, name: &str) -> Option<Arc<User>> {
        self.book().get(name).map(|entry| Arc::clone(&entry.user))
    }

    /// All users, in the order of their names.
    pub fn users(&self) -> Vec<Arc<User>> {
        self.book().iter().map(|entry| Arc::clone(&entry.user)).collect()
    }

    /// What a user may do in a virtual host; nothing when there is no such user.
    pub fn rights(&self, user: &str, vhost: &VhostName) -> Option<Rights> {
        self.book().get(user).map(|entry| entry.rights(vhost))
    }

    /// A place for a connection of a user; none that counts when it was deleted a moment ago, and is about to be closed.
    pub fn connect(&self, user: &str) -> Result<Option<Place>, AllTaken> {
        let Some((max, places)) = self.usage(user, |user| user.limits.max_connections) else {
            return Ok(None);
        };
        places.connections.take(max).map(Some)
    }

    /// A place for a channel of a user. The error says whose limit it is.
    pub fn open_channel(&self, user: &str) -> Result<ChannelPlace, ChannelRefused> {
        let of_user = match self.usage(user, |user| user.limits.max_channels) {
            None => None,
            Some((max, places)) => {
                Some(places.channels.take(max).map_err(|AllTaken(max)| ChannelRefused::User(max))?)
            }
        };
        let of_node = self.channels.take(self.settings().channel_max_per_node);
        let of_node = of_node.map_err(|AllTaken(max)| ChannelRefused::Node(max))?;
        Ok(ChannelPlace { _of_user: of_user, _of_node: of_node })
    }

    /// How much a user may publish in a second, if there is a limit.
    pub fn publish_rate(&self, user: &str) -> Option<Arc<RateMeter>> {
        self.book().get(user).and_then(|entry| entry.usage.publish_rate.clone())
    }

    fn usage(
        &self,
        user: &str,
        limit: impl FnOnce(&User) -> Option<u64>,
    ) -> Option<(Option<u64>, book::Usage)> {
        let book = self.book();
        let entry = book.get(user)?;
        Some((limit(&entry.user), entry.usage.clone()))
    }

    fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a channel counts.
#[derive(Debug)]
pub struct ChannelPlace {
    _of_user: Option<Place>,
    _of_node: Place,
}

/// Why a channel is not opened: as many are open as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelRefused {
    /// Of this user.
    User(u64),
    /// In this broker.
    Node(u64),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
