//! What an operator changes of users and virtual hosts that open connections have to feel.
//!
//! What nobody feels at once (a user that is added, a password, tags) is changed in [`Access`] itself.
//!
//! [`Access`]: crate::access::Access

use std::fmt;

use super::Environment;
use crate::access::AccessError;
use crate::alarm::Raised;
use crate::auth::{Permission, Tags, TopicPermission, UserLimits};
use crate::channel::exception::{connection_forced, user_deleted, vhost_deleted};
use crate::name::{UserName, VhostName};
use crate::place::Batch;
use crate::store::Blocked;
use crate::store::definitions::VhostMetadata;
use crate::vhost::registry::{NoSuchVhost, NotCreated, NotDeleted};

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unchanged {
    /// There is no such user.
    NoSuchUser,
    /// There is a user of that name.
    UserExists,
    /// There is no such virtual host.
    NoSuchVhost,
    /// There is a virtual host of that name.
    VhostExists,
    /// There are as many virtual hosts as `vhost_max` allows.
    TooManyVhosts(u64),
    /// The virtual host is protected from deletion.
    ProtectedVhost,
    /// No client could say that name.
    InvalidName,
}

impl From<AccessError> for Unchanged {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NoSuchUser => Self::NoSuchUser,
            AccessError::UserExists => Self::UserExists,
            AccessError::InvalidName => Self::InvalidName,
        }
    }
}

impl From<NoSuchVhost> for Unchanged {
    fn from(_: NoSuchVhost) -> Self {
        Self::NoSuchVhost
    }
}

impl From<NotCreated> for Unchanged {
    fn from(error: NotCreated) -> Self {
        match error {
            NotCreated::Exists => Self::VhostExists,
            NotCreated::TooMany(max) => Self::TooManyVhosts(max),
            NotCreated::InvalidName => Self::InvalidName,
        }
    }
}

impl From<NotDeleted> for Unchanged {
    fn from(error: NotDeleted) -> Self {
        match error {
            NotDeleted::NoSuchVhost => Self::NoSuchVhost,
            NotDeleted::Protected => Self::ProtectedVhost,
        }
    }
}

impl fmt::Display for Unchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchUser => f.write_str("no such user"),
            Self::UserExists => f.write_str("there is a user of that name"),
            Self::NoSuchVhost => f.write_str("no such virtual host"),
            Self::VhostExists => f.write_str("there is a virtual host of that name"),
            Self::TooManyVhosts(max) => {
                write!(f, "vhost limit of {max} is reached; it is vhost_max in the configuration")
            }
            Self::ProtectedVhost => f.write_str("the virtual host is protected from deletion"),
            Self::InvalidName => f.write_str("a name has 1 to 255 bytes"),
        }
    }
}

impl std::error::Error for Unchanged {}

/// What a change gives: what to wait for until it is on the disk, if it is to be there.
pub type Changed = Result<Option<Batch>, Unchanged>;

impl Environment {
    /// Deletes a user with its permissions; its connections are closed.
    pub fn delete_user(&self, name: &str) -> Changed {
        let until = self.access.delete_user(name)?;
        self.renew_all();
        let exception = connection_forced(user_deleted(&UserName::from(name)));
        self.connections.close_user(name, exception.code, &exception.text);
        tracing::info!("user '{name}' is deleted");
        Ok(until)
    }

    /// Sets the limits of a user. What it has beyond them stays; how much it may publish in a second holds at once.
    pub fn set_user_limits(&self, name: &str, limits: UserLimits) -> Changed {
        let until = self.access.set_limits(name, limits)?;
        self.connections.limits_changed(name);
        Ok(until)
    }

    /// Makes a virtual host. Nobody may enter it yet but those that the configuration makes with it.
    pub fn create_vhost(&self, name: &str, metadata: VhostMetadata) -> Changed {
        let vhost = VhostName::from(name);
        let until = self.vhosts.create(vhost.clone(), metadata)?;
        let users = &self.config().vhosts;
        let until = until.max(self.access.add_users_of(&vhost, users.users_for(name)));
        tracing::info!("vhost '{name}' is created");
        Ok(until)
    }

    /// Says something else of a virtual host, its limits among it. What it has beyond them stays.
    pub fn change_vhost(&self, name: &str, metadata: VhostMetadata) -> Changed {
        Ok(self.vhosts.get(name).ok_or(NoSuchVhost)?.set_metadata(metadata))
    }

    /// Deletes a virtual host with all that is in it, and all permissions for it; its connections are closed.
    pub fn delete_vhost(&self, name: &str) -> Changed {
        Ok(self.vhosts.delete(name, |vhost| self.let_nobody_in(vhost.name()))?)
    }

    fn let_nobody_in(&self, vhost: &VhostName) {
        self.access.forget_vhost(vhost);
        let exception = connection_forced(vhost_deleted(vhost));
        self.connections.close_vhost(vhost.as_str(), exception.code, &exception.text);
        tracing::info!("vhost '{vhost}' is deleted");
    }

    /// Deletes every virtual host, user and parameter of the broker, with all that is in them, in an order that leaves an
    /// administrator up to the end: wherever it is cut short, somebody can go on, or nobody is left and the next start
    /// makes the default user.
    pub(super) fn delete_all(&self) -> Option<Batch> {
        let mut until = self.vhosts.delete_all(|vhost| self.let_nobody_in(vhost.name()));
        let parameters = self.vhosts.global_parameters();
        for (name, _) in parameters.all() {
            // One that went meanwhile is gone all the same, here as below.
            until = until.max(parameters.clear(&name).unwrap_or_default());
        }
        let mut users = self.access.users();
        users.sort_by_key(|user| user.tags.has(Tags::ADMINISTRATOR));
        for user in users {
            until = until.max(self.delete_user(user.name.as_str()).unwrap_or_default());
        }
        until
    }

    /// Says what a user may do in a virtual host.
    pub fn set_permission(&self, user: &str, vhost: &str, permission: Permission) -> Changed {
        let vhost = self.named(vhost)?;
        let until = self.access.set_permission(user, &vhost, permission)?;
        self.rights_changed(user, &vhost);
        Ok(until)
    }

    /// Takes a user's permission in a virtual host back: it may not be there any more.
    pub fn clear_permission(&self, user: &str, vhost: &str) -> Changed {
        let vhost = self.named(vhost)?;
        let until = self.access.clear_permission(user, &vhost)?;
        self.rights_changed(user, &vhost);
        Ok(until)
    }

    /// Says with which keys of an exchange a user may publish and bind.
    pub fn set_topic_permission(&self, user: &str, vhost: &str, topic: TopicPermission) -> Changed {
        let vhost = self.named(vhost)?;
        let until = self.access.set_topic_permission(user, &vhost, topic)?;
        self.rights_changed(user, &vhost);
        Ok(until)
    }

    /// Takes a user's permission for the keys of an exchange back, or for those of all exchanges.
    pub fn clear_topic_permissions(&self, user: &str, vhost: &str, exchange: Option<&str>) -> Changed {
        let vhost = self.named(vhost)?;
        let until = self.access.clear_topic_permissions(user, &vhost, exchange)?;
        self.rights_changed(user, &vhost);
        Ok(until)
    }

    /// The alarms that are raised. That the store finds no space is one of the disk, whatever its limit is.
    pub fn raised(&self) -> Raised {
        let raised = self.alarms.raised();
        let no_space = matches!(self.vhosts.store_blocked(), Some(Blocked::NoSpace | Blocked::DiskFailed));
        Raised { disk: raised.disk || no_space, ..raised }
    }

    /// Waits until a change is on the disk; false when it will not be. Not to be called on a thread that serves.
    pub fn wait(&self, until: Option<Batch>) -> bool {
        self.vhosts.wait(until)
    }

    fn named(&self, vhost: &str) -> Result<VhostName, NoSuchVhost> {
        self.vhosts.get(vhost).map(|vhost| vhost.name().clone()).ok_or(NoSuchVhost)
    }

    /// Open connections find out anew what their user may do.
    fn rights_changed(&self, user: &str, vhost: &VhostName) {
        if let Some(vhost) = self.vhosts.get(vhost.as_str()) {
            vhost.forget_routes();
        }
        self.connections.rights_changed(user, vhost.as_str());
    }

    fn renew_all(&self) {
        for vhost in self.vhosts.all() {
            vhost.forget_routes();
        }
    }
}
