//! What an operator changes: users, tags, limits, permissions.
//!
//! Connections are not told here: whoever changes something for those that are open tells them.

use std::fmt;
use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::Access;
use super::book::{Book, Entry};
use crate::auth::{
    CredentialsRefused, PasswordHash, Permission, SALT_BYTES, Secret, Tags, TopicPermission, User, UserLimits,
};
use crate::config::VhostUser;
use crate::name::{UserName, VhostName};
use crate::place::Batch;
use crate::store::definitions::{
    AccessDefinition, Definition, permission_key, topic_permission_key, user_key,
};

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessError {
    /// There is no such user.
    NoSuchUser,
    /// There is one of that name.
    UserExists,
    /// It is empty, or longer than a name of AMQP can be.
    InvalidName,
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchUser => "no such user",
            Self::UserExists => "there is a user of that name",
            Self::InvalidName => "a user's name has 1 to 255 bytes",
        })
    }
}

impl std::error::Error for AccessError {}

/// A user's permission in a virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionEntry {
    /// Whose.
    pub user: UserName,
    /// Where.
    pub vhost: VhostName,
    /// What.
    pub permission: Permission,
}

/// A user's permission for an exchange of a virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicEntry {
    /// Whose.
    pub user: UserName,
    /// Where.
    pub vhost: VhostName,
    /// What.
    pub topic: TopicPermission,
}

/// What is done to the book, and written down of it.
pub(super) enum Change {
    /// All of these, or none if the power fails.
    Define(Vec<AccessDefinition>),
    ForgetUser(UserName),
    ForgetPermission(UserName, VhostName),
    ForgetTopics(UserName, VhostName, Option<String>),
    ForgetVhost(VhostName),
}

impl Access {
    /// The hash of a password, with a salt of its own, by the algorithm that the configuration says.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn hash(&self, password: &[u8]) -> io::Result<PasswordHash> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        Ok(PasswordHash::new(self.settings().hashing, salt, password))
    }

    /// Adds a user. Gives what to wait for until that is on the disk, here as below.
    pub fn add_user(&self, user: User) -> Result<Option<Batch>, AccessError> {
        valid(&user.name)?;
        self.change(|book| match book.get(user.name.as_str()) {
            Some(_) => Err(AccessError::UserExists),
            None => Ok(Change::define(AccessDefinition::User(user))),
        })
    }

    /// Adds a user, or puts it in the place of one of that name, which keeps its permissions.
    pub fn put_user(&self, user: User) -> Result<Option<Batch>, AccessError> {
        valid(&user.name)?;
        self.change(|_| Ok(Change::define(AccessDefinition::User(user))))
    }

    /// Adds the users that a virtual host is made with, unless they are there, and says what they may do in it.
    pub fn add_users_of<'a>(
        &self,
        vhost: &VhostName,
        users: impl Iterator<Item = &'a VhostUser>,
    ) -> Option<Batch> {
        let mut until = None;
        for VhostUser { name, password, tags, permission, .. } in users {
            let made = if self.user(name.as_str()).is_some() {
                self.set_permission(name.as_str(), vhost, permission.clone())
            } else if let Err(refused) =
                self.settings().credentials.check(password.as_ref().map(Secret::expose))
            {
                tracing::error!(
                    "user '{name}' of default_users is not made, since its password is not taken: {refused}"
                );
                continue;
            } else {
                let hash = password.as_ref().map(|password| self.hash(password.expose())).transpose();
                let salt_of = |error| tracing::error!("user '{name}' gets no password: {error}");
                let (password, limits) = (hash.map_err(salt_of).ok().flatten(), UserLimits::default());
                let user = User { name: name.clone(), password, tags: tags.clone(), limits };
                tracing::info!("user '{name}' is made for vhost '{vhost}', as default_users says");
                self.put_user_with(user, vhost, permission.clone())
            };
            until = until.max(made.unwrap_or_default());
        }
        until
    }

    /// Adds a user, or changes the one of that name, with what it may do in a virtual host: after a loss of power both are
    /// there or neither is.
    fn put_user_with(
        &self,
        user: User,
        vhost: &VhostName,
        permission: Permission,
    ) -> Result<Option<Batch>, AccessError> {
        valid(&user.name)?;
        let permission = AccessDefinition::Permission(user.name.clone(), vhost.clone(), permission);
        self.change(|_| Ok(Change::Define(vec![AccessDefinition::User(user), permission])))
    }

    /// Deletes a user with its permissions.
    pub fn delete_user(&self, name: &str) -> Result<Option<Batch>, AccessError> {
        self.change(|book| match book.get(name) {
            Some(entry) => Ok(Change::ForgetUser(entry.user.name.clone())),
            None => Err(AccessError::NoSuchUser),
        })
    }

    /// Gives a user another password, or none.
    pub fn set_password(
        &self,
        name: &str,
        password: Option<PasswordHash>,
    ) -> Result<Option<Batch>, AccessError> {
        self.change_user(name, |user| user.password = password)
    }

    /// Gives a user other tags.
    pub fn set_tags(&self, name: &str, tags: Tags) -> Result<Option<Batch>, AccessError> {
        self.change_user(name, |user| user.tags = tags)
    }

    /// Sets the limits of a user. What it has beyond them stays, and what it may publish in a second holds for connections
    /// that come: `Environment::set_user_limits` tells those that are open.
    pub fn set_limits(&self, name: &str, limits: UserLimits) -> Result<Option<Batch>, AccessError> {
        self.change_user(name, |user| user.limits = limits)
    }

    fn change_user(&self, name: &str, change: impl FnOnce(&mut User)) -> Result<Option<Batch>, AccessError> {
        self.change(|book| {
            let mut user = User::clone(&book.get(name).ok_or(AccessError::NoSuchUser)?.user);
            change(&mut user);
            Ok(Change::define(AccessDefinition::User(user)))
        })
    }

    /// Says what a user may do in a virtual host, which the caller knows.
    pub fn set_permission(
        &self,
        user: &str,
        vhost: &VhostName,
        permission: Permission,
    ) -> Result<Option<Batch>, AccessError> {
        self.change(|book| {
            let user = named(book, user)?;
            Ok(Change::define(AccessDefinition::Permission(user, vhost.clone(), permission)))
        })
    }

    /// Takes a user's permission in a virtual host back.
    pub fn clear_permission(&self, user: &str, vhost: &VhostName) -> Result<Option<Batch>, AccessError> {
        self.change(|book| Ok(Change::ForgetPermission(named(book, user)?, vhost.clone())))
    }

    /// Says with which keys of an exchange a user may publish and bind.
    pub fn set_topic_permission(
        &self,
        user: &str,
        vhost: &VhostName,
        topic: TopicPermission,
    ) -> Result<Option<Batch>, AccessError> {
        self.change(|book| {
            let user = named(book, user)?;
            Ok(Change::define(AccessDefinition::TopicPermission(user, vhost.clone(), topic)))
        })
    }

    /// Takes a user's permission for an exchange back, or those for all exchanges of a virtual host.
    pub fn clear_topic_permissions(
        &self,
        user: &str,
        vhost: &VhostName,
        exchange: Option<&str>,
    ) -> Result<Option<Batch>, AccessError> {
        self.change(|book| {
            let exchange = exchange.map(str::to_owned);
            Ok(Change::ForgetTopics(named(book, user)?, vhost.clone(), exchange))
        })
    }

    /// Takes all permissions in a virtual host back: it is about to go.
    pub fn forget_vhost(&self, vhost: &VhostName) -> Option<Batch> {
        self.change(|_| Ok(Change::ForgetVhost(vhost.clone()))).unwrap_or_default()
    }

    /// All permissions, in the order of users and virtual hosts.
    pub fn permissions(&self) -> Vec<PermissionEntry> {
        let book = self.book();
        let entries = book.iter().flat_map(|entry| {
            entry.grants().filter_map(|(vhost, grant)| {
                let permission = Permission::clone(grant.permission.as_ref()?);
                Some(PermissionEntry { user: entry.user.name.clone(), vhost: vhost.clone(), permission })
            })
        });
        entries.collect()
    }

    /// All topic permissions, in the order of users, virtual hosts and exchanges.
    pub fn topic_permissions(&self) -> Vec<TopicEntry> {
        let book = self.book();
        let entries = book.iter().flat_map(|entry| {
            entry.grants().flat_map(|(vhost, grant)| {
                let (user, vhost) = (entry.user.name.clone(), vhost.clone());
                let entry = move |topic: &TopicPermission| TopicEntry {
                    user: user.clone(),
                    vhost: vhost.clone(),
                    topic: topic.clone(),
                };
                grant.topics.iter().map(entry)
            })
        });
        entries.collect()
    }

    /// Whether there is nobody, as in a broker that starts for the first time.
    pub fn is_empty(&self) -> bool {
        self.book().is_empty()
    }

    /// Whether the default user's password is as the configuration wants passwords.
    ///
    /// # Errors
    /// It is not.
    pub fn check_default_user(&self) -> Result<(), CredentialsRefused> {
        let settings = self.settings();
        settings.credentials.check(Some(settings.default_user.password.expose()))
    }

    /// Makes the default user. Gives what to wait for until it is on the disk.
    pub fn add_default_user(&self) -> Option<Batch> {
        let settings = self.settings();
        let default = &settings.default_user;
        let salt_of = |error| tracing::error!("the default user gets no password: {error}");
        let password = self.hash(default.password.expose()).map_err(salt_of).ok();
        let limits = UserLimits::default();
        let user = User { name: default.name.clone(), password, tags: default.tags.clone(), limits };
        let made = match Permission::parse(&default.configure, &default.write, &default.read) {
            Ok(permission) => self.put_user_with(user, &default.vhost, permission),
            Err(invalid) => {
                tracing::error!("the default user gets no permissions: {invalid}");
                self.put_user(user)
            }
        };
        made.unwrap_or_else(|error| {
            tracing::error!("the default user is not made: {error}");
            None
        })
    }

    /// Decides on a change, writes it down, then makes it.
    fn change(
        &self,
        decide: impl FnOnce(&Book) -> Result<Change, AccessError>,
    ) -> Result<Option<Batch>, AccessError> {
        let _alone = super::lock(&self.changing);
        let (change, gone) = {
            let book = self.book();
            let change = decide(&book)?;
            let gone = change.gone(&book);
            (change, gone)
        };
        let until = self.definitions.as_ref().and_then(|definitions| {
            let mut record = definitions.record();
            if let Change::Define(definitions) = &change {
                for definition in definitions {
                    record.define(&Definition::Access(definition.clone()));
                }
            }
            for key in gone {
                record.forget(key);
            }
            record.commit()
        });
        self.tell(&change);
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            // That there is such a user was seen under the same lock, or it comes first.
            Change::Define(definitions) => {
                for definition in definitions {
                    let _ = book.define(definition);
                }
            }
            Change::ForgetUser(name) => book.forget_user(name.as_str()),
            Change::ForgetPermission(user, vhost) => book.forget_permission(user.as_str(), vhost.as_str()),
            Change::ForgetTopics(user, vhost, exchange) => {
                book.forget_topics(user.as_str(), vhost.as_str(), exchange.as_deref());
            }
            Change::ForgetVhost(vhost) => book.forget_vhost(vhost.as_str()),
        }
        drop(book);
        self.epoch.fetch_add(1, Ordering::Release);
        Ok(until)
    }
}

impl Change {
    fn define(definition: AccessDefinition) -> Self {
        Self::Define(vec![definition])
    }

    /// The keys of what is defined and will not be any more.
    fn gone(&self, book: &Book) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        match self {
            Self::Define(_) => {}
            Self::ForgetUser(user) => {
                keys.push(user_key(user.as_str()));
                let grants = book.get(user.as_str()).into_iter().flat_map(Entry::grants);
                for (vhost, _) in grants {
                    permission_gone(book, user, vhost, &mut keys);
                    topics_gone(book, user, vhost, None, &mut keys);
                }
            }
            Self::ForgetPermission(user, vhost) => permission_gone(book, user, vhost, &mut keys),
            Self::ForgetTopics(user, vhost, exchange) => {
                topics_gone(book, user, vhost, exchange.as_deref(), &mut keys);
            }
            Self::ForgetVhost(vhost) => {
                for entry in book.iter() {
                    permission_gone(book, &entry.user.name, vhost, &mut keys);
                    topics_gone(book, &entry.user.name, vhost, None, &mut keys);
                }
            }
        }
        keys
    }
}

/// Names are shortstrs of AMQP.
fn valid(name: &UserName) -> Result<(), AccessError> {
    let bytes = name.as_str().len();
    if (1..=UserName::MAX_BYTES).contains(&bytes) { Ok(()) } else { Err(AccessError::InvalidName) }
}

fn permission_gone(book: &Book, user: &UserName, vhost: &VhostName, keys: &mut Vec<Vec<u8>>) {
    let grant = book.get(user.as_str()).and_then(|entry| entry.grant(vhost.as_str()));
    if grant.is_some_and(|grant| grant.permission.is_some()) {
        keys.push(permission_key(user.as_str(), vhost.as_str()));
    }
}

fn topics_gone(
    book: &Book,
    user: &UserName,
    vhost: &VhostName,
    exchange: Option<&str>,
    keys: &mut Vec<Vec<u8>>,
) {
    let grant = book.get(user.as_str()).and_then(|entry| entry.grant(vhost.as_str()));
    for topic in grant.iter().flat_map(|grant| grant.topics.iter()) {
        if exchange.is_none_or(|name| topic.exchange.as_str() == name) {
            keys.push(topic_permission_key(user.as_str(), vhost.as_str(), topic.exchange.as_str()));
        }
    }
}

fn named(book: &Book, user: &str) -> Result<UserName, AccessError> {
    book.get(user).map(|entry| entry.user.name.clone()).ok_or(AccessError::NoSuchUser)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::{AccessSettings, CredentialRules, CredentialValidator};
    use crate::store::Journal;
    use crate::store::definitions::Opened;
    use crate::store::journal::{Limits, Start};
    use crate::store::simulated::SimDisk;
    use crate::store::temporary::Temporary;

    #[test]
    fn a_user_and_its_first_permission_are_one_group_of_the_journal() {
        let data = Temporary::new();
        let limits = Limits { file_bytes: 1 << 20, margin_bytes: 1 << 16, ..Limits::default() };
        let journal = Journal::open(SimDisk::new(1), &Start::default(), limits, Arc::new(())).unwrap();
        let definitions = Opened::open(data.path(), &[]).unwrap().start(Arc::clone(&journal)).unwrap();
        let access = Access::restored(AccessSettings::default(), Vec::new(), definitions);
        assert!(journal.wait(access.add_default_user().unwrap()));
        assert_eq!(journal.counters().groups_of_sync().sum(), 1);
        let users = ["name=first configure=.*", "name=second configure=.*"].map(|text| text.parse().unwrap());
        let until = access.add_users_of(&"other".into(), users.iter());
        assert!(journal.wait(until.unwrap()));
        assert_eq!((journal.counters().groups_of_sync().sum(), access.permissions().len()), (3, 3));
    }
    #[test]
    fn a_user_of_default_users_is_not_made_with_a_password_that_is_not_taken() {
        let credentials = CredentialRules {
            validator: CredentialValidator::MinLength,
            min_length: 8,
            ..Default::default()
        };
        let access = Access::empty(AccessSettings { credentials, ..AccessSettings::default() });
        let users =
            ["name=short password=1234567", "name=long password=12345678"].map(|text| text.parse().unwrap());
        access.add_users_of(&"other".into(), users.iter());
        assert!(access.user("short").is_none() && access.user("long").is_some());
        assert!(access.check_default_user().is_err());
    }
}
