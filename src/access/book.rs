//! Users and their permissions by name. Pure: the lock around it is the caller's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::places::Places;
use crate::auth::{Permission, Rights, TopicPermission, User};
use crate::name::{UserName, VhostName};
use crate::rate::{Limited, RateMeter};
use crate::store::definitions::AccessDefinition;

/// All users of a broker.
#[derive(Debug, Default)]
pub(super) struct Book {
    users: BTreeMap<UserName, Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) user: Arc<User>,
    pub(super) usage: Usage,
    grants: BTreeMap<VhostName, Grant>,
}

/// What a user has at present.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    pub(super) connections: Places,
    pub(super) channels: Places,
    pub(super) publish_rate: Option<Arc<RateMeter>>,
}

/// What a user may do in a virtual host.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) permission: Option<Arc<Permission>>,
    /// In the order of their exchanges.
    pub(super) topics: Arc<[TopicPermission]>,
}

impl Default for Grant {
    fn default() -> Self {
        Self { permission: None, topics: [].into() }
    }
}

impl Book {
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.users.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.users.values()
    }

    /// Enters what is defined; nothing when there is no such user.
    pub(super) fn define(&mut self, definition: AccessDefinition) -> Option<()> {
        match definition {
            AccessDefinition::User(user) => {
                let (name, user) = (user.name.clone(), Arc::new(user));
                let known = self.users.remove(&name);
                let (mut usage, grants) = known.map(|entry| (entry.usage, entry.grants)).unwrap_or_default();
                let limited = || Limited::User(name.as_str().into());
                usage.publish_rate =
                    RateMeter::changed(usage.publish_rate, user.limits.publish_rate, limited);
                self.users.insert(name, Entry { user, usage, grants });
            }
            AccessDefinition::Permission(user, vhost, permission) => {
                self.grant(&user, vhost)?.permission = Some(Arc::new(permission));
            }
            AccessDefinition::TopicPermission(user, vhost, topic) => {
                let grant = self.grant(&user, vhost)?;
                let mut topics: Vec<_> = grant.topics.to_vec();
                match topics.binary_search_by(|other| other.exchange.cmp(&topic.exchange)) {
                    Ok(at) => topics.splice(at..=at, [topic]).for_each(drop),
                    Err(at) => topics.insert(at, topic),
                }
                grant.topics = topics.into();
            }
        }
        Some(())
    }

    pub(super) fn forget_user(&mut self, name: &str) {
        self.users.remove(name);
    }

    pub(super) fn forget_permission(&mut self, user: &str, vhost: &str) {
        self.change_grant(user, vhost, |grant| grant.permission = None);
    }

    /// Forgets the permission for an exchange, or for all.
    pub(super) fn forget_topics(&mut self, user: &str, vhost: &str, exchange: Option<&str>) {
        self.change_grant(user, vhost, |grant| {
            let stays =
                |topic: &&TopicPermission| exchange.is_some_and(|name| topic.exchange.as_str() != name);
            grant.topics = grant.topics.iter().filter(stays).cloned().collect();
        });
    }

    pub(super) fn forget_vhost(&mut self, vhost: &str) {
        for entry in self.users.values_mut() {
            entry.grants.remove(vhost);
        }
    }

    fn change_grant(&mut self, user: &str, vhost: &str, change: impl FnOnce(&mut Grant)) {
        let Some(entry) = self.users.get_mut(user) else { return };
        let Some(grant) = entry.grants.get_mut(vhost) else { return };
        change(grant);
        if grant.permission.is_none() && grant.topics.is_empty() {
            entry.grants.remove(vhost);
        }
    }

    fn grant(&mut self, user: &UserName, vhost: VhostName) -> Option<&mut Grant> {
        Some(self.users.get_mut(user)?.grants.entry(vhost).or_default())
    }
}

impl Entry {
    pub(super) fn grants(&self) -> impl Iterator<Item = (&VhostName, &Grant)> {
        self.grants.iter()
    }

    pub(super) fn grant(&self, vhost: &str) -> Option<&Grant> {
        self.grants.get(vhost)
    }

    pub(super) fn rights(&self, vhost: &VhostName) -> Rights {
        let grant = self.grants.get(vhost);
        Rights {
            user: Arc::clone(&self.user),
            vhost: vhost.clone(),
            permission: grant.and_then(|grant| grant.permission.clone()),
            topics: grant.map_or_else(|| [].into(), |grant| Arc::clone(&grant.topics)),
        }
    }
}
