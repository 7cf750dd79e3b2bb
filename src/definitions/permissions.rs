//! What users may do in virtual hosts, and with the keys of exchanges.

use serde_json::{Value, json};

use super::entry::{Entry, Obstacle, Read, Reading, Standing, There, some};
use super::fields::Fields;
use crate::access::{PermissionEntry, TopicEntry};
use crate::auth::{Names, Permission, TopicPermission};
use crate::connection::Environment;
use crate::name::{ExchangeName, UserName};
use crate::place::Batch;

/// A permission as it is exported.
pub(super) fn object(entry: &PermissionEntry) -> Value {
    json!({
        "user": entry.user.as_str(),
        "vhost": entry.vhost.as_str(),
        "configure": entry.permission.configure.as_str(),
        "write": entry.permission.write.as_str(),
        "read": entry.permission.read.as_str(),
    })
}

/// A topic permission as it is exported.
pub(super) fn topic_object(entry: &TopicEntry) -> Value {
    json!({
        "user": entry.user.as_str(),
        "vhost": entry.vhost.as_str(),
        "exchange": entry.topic.exchange.as_str(),
        "write": entry.topic.write.as_str(),
        "read": entry.topic.read.as_str(),
    })
}

struct PermissionOf(PermissionEntry);
struct TopicPermissionOf(TopicEntry);

pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Read {
    let (user, vhost) = (UserName::from(fields.name("user")?), fields.vhost(reading.scope)?);
    let pattern = |name: &str| {
        let text = fields.text(name)?;
        Names::parse(text).map_err(|invalid| fields.finding(&[name], invalid.to_string()))
    };
    let permission =
        Permission { configure: pattern("configure")?, write: pattern("write")?, read: pattern("read")? };
    reading.remarks.extend(fields.unknown(&["user", "vhost", "configure", "write", "read"]));
    some(PermissionOf(PermissionEntry { user, vhost, permission }))
}

pub(super) fn read_topic(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Read {
    let (user, vhost) = (UserName::from(fields.name("user")?), fields.vhost(reading.scope)?);
    let exchange = ExchangeName::from(fields.name("exchange")?);
    let (write, read) = (fields.text("write")?, fields.text("read")?);
    let parsed =
        |write: &str, read: &str| TopicPermission::parse(&user, &vhost, exchange.clone(), write, read);
    parsed(write, "").map_err(|invalid| fields.finding(&["write"], invalid.to_string()))?;
    let topic = parsed(write, read).map_err(|invalid| fields.finding(&["read"], invalid.to_string()))?;
    reading.remarks.extend(fields.unknown(&["user", "vhost", "exchange", "write", "read"]));
    some(TopicPermissionOf(TopicEntry { user, vhost, topic }))
}

impl Entry for PermissionOf {
    fn json(&self) -> Value {
        object(&self.0)
    }

    fn obstacle(&self, there: &There<'_>) -> Option<Obstacle> {
        there.no_user(self.0.user.as_str()).or_else(|| there.no_vhost(&self.0.vhost))
    }

    fn standing(&self, environment: &Environment) -> Standing {
        let rights = environment.access.rights(self.0.user.as_str(), &self.0.vhost);
        let found = rights.and_then(|rights| rights.permission).map(|permission| {
            object(&PermissionEntry { permission: (*permission).clone(), ..self.0.clone() })
        });
        Standing::of(found, &self.json())
    }

    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle> {
        let PermissionEntry { user, vhost, permission } = &self.0;
        let set = environment.set_permission(user.as_str(), vhost.as_str(), permission.clone());
        set.map_err(|why| Obstacle::mistake(&[], why.to_string()))
    }
}

impl Entry for TopicPermissionOf {
    fn json(&self) -> Value {
        topic_object(&self.0)
    }

    fn obstacle(&self, there: &There<'_>) -> Option<Obstacle> {
        there.no_user(self.0.user.as_str()).or_else(|| there.no_vhost(&self.0.vhost))
    }

    fn standing(&self, environment: &Environment) -> Standing {
        let rights = environment.access.rights(self.0.user.as_str(), &self.0.vhost);
        let found = rights.and_then(|rights| {
            let topic = rights.topics.iter().find(|topic| topic.exchange == self.0.topic.exchange)?;
            Some(topic_object(&TopicEntry { topic: topic.clone(), ..self.0.clone() }))
        });
        Standing::of(found, &self.json())
    }

    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle> {
        let TopicEntry { user, vhost, topic } = &self.0;
        let set = environment.set_topic_permission(user.as_str(), vhost.as_str(), topic.clone());
        set.map_err(|why| Obstacle::mistake(&[], why.to_string()))
    }
}
