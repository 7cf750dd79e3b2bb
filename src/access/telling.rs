//! What happens to users and their permissions, as events of RabbitMQ's event exchange.

use std::num::NonZeroU64;

use leveret_protocol::table::{ArrayBuilder, TableBuilder, Value};

use super::Access;
use super::change::Change;
use crate::auth::User;
use crate::rate::{MAX_PUBLISH_BYTES_RATE, MAX_PUBLISH_RATE};
use crate::store::definitions::AccessDefinition;

impl Access {
    /// A change is about to be seen.
    pub(super) fn tell(&self, change: &Change) {
        if !self.events.is_wanted() {
            return;
        }
        match change {
            Change::Define(definitions) => {
                for definition in definitions {
                    self.tell_defined(definition);
                }
            }
            Change::ForgetUser(user) => {
                self.events.tell("user.deleted", |headers| headers.string("name", user.as_str()));
            }
            Change::ForgetPermission(user, vhost) => {
                self.events.tell("permission.deleted", of(user.as_str(), vhost.as_str()));
            }
            Change::ForgetTopics(user, vhost, exchange) => {
                self.events.tell("topic.permission.deleted", |headers| {
                    let headers = of(user.as_str(), vhost.as_str())(headers);
                    match exchange {
                        Some(exchange) => headers.string("exchange", exchange),
                        None => headers,
                    }
                });
            }
            Change::ForgetVhost(vhost) => {
                for entry in self.permissions().into_iter().filter(|entry| entry.vhost == *vhost) {
                    self.events.tell("permission.deleted", of(entry.user.as_str(), vhost.as_str()));
                }
            }
        }
    }

    fn tell_defined(&self, definition: &AccessDefinition) {
        match definition {
            AccessDefinition::User(user) => self.tell_user(user),
            AccessDefinition::Permission(user, vhost, permission) => {
                self.events.tell("permission.created", |headers| {
                    of(user.as_str(), vhost.as_str())(headers)
                        .string("configure", permission.configure.as_str())
                        .string("write", permission.write.as_str())
                        .string("read", permission.read.as_str())
                });
            }
            AccessDefinition::TopicPermission(user, vhost, topic) => {
                self.events.tell("topic.permission.created", |headers| {
                    of(user.as_str(), vhost.as_str())(headers)
                        .string("exchange", topic.exchange.as_str())
                        .string("write", topic.write.as_str())
                        .string("read", topic.read.as_str())
                });
            }
        }
    }

    /// A user is made, or what differs of it is changed.
    fn tell_user(&self, user: &User) {
        let named = |headers: TableBuilder| headers.string("name", user.name.as_str());
        let before = self.user(user.name.as_str());
        match before.as_deref().map(|before| &before.password) {
            None => self.events.tell("user.created", named),
            Some(password) if *password == user.password => {}
            Some(_) if user.password.is_none() => self.events.tell("user.password.cleared", named),
            Some(_) => self.events.tell("user.password.changed", named),
        }
        if before.as_ref().is_none_or(|before| before.tags != user.tags) {
            self.events.tell("user.tags.set", |headers| {
                let tags = user.tags.iter().fold(ArrayBuilder::new(), ArrayBuilder::string);
                named(headers).value("tags", Value::Array(tags.finish().as_array()))
            });
        }
        if before.is_some_and(|before| before.limits != user.limits) {
            let rate = &user.limits.publish_rate;
            let limits = [
                ("max-connections", user.limits.max_connections),
                ("max-channels", user.limits.max_channels),
                (MAX_PUBLISH_RATE, rate.messages.map(NonZeroU64::get)),
                (MAX_PUBLISH_BYTES_RATE, rate.bytes.map(NonZeroU64::get)),
            ];
            let named = |headers: TableBuilder| {
                headers.string("name", "limits").string("username", user.name.as_str())
            };
            self.events.tell_limits(["user.limits.set", "user.limits.cleared"], named, &limits);
        }
    }
}

/// Whose right it is, and where.
fn of(user: &str, vhost: &str) -> impl FnOnce(TableBuilder) -> TableBuilder {
    let (user, vhost) = (user.to_owned(), vhost.to_owned());
    move |headers| headers.string("user", user).string("vhost", vhost)
}
