//! Users and permissions as they are written down.

use super::fields::{FieldWriter, Fields, Malformed};
use super::key::{KeyReader, KeyWriter, Kind};
use crate::auth::{Hashing, PasswordHash, Permission, Tags, TopicPermission, User, UserLimits};
use crate::name::{UserName, VhostName};

/// Who may do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessDefinition {
    /// A user.
    User(User),
    /// What a user may do in a virtual host.
    Permission(UserName, VhostName, Permission),
    /// What a user may do with the keys of an exchange in a virtual host.
    TopicPermission(UserName, VhostName, TopicPermission),
}

mod tag {
    pub(super) const HASHING: u8 = 1;
    pub(super) const PASSWORD: u8 = 2;
    /// One field a tag.
    pub(super) const TAG: u8 = 3;
    pub(super) const MAX_CONNECTIONS: u8 = 4;
    pub(super) const MAX_CHANNELS: u8 = 5;
    /// And the two behind it.
    pub(super) const PUBLISH_RATE: u8 = 6;

    pub(super) const CONFIGURE: u8 = 1;
    pub(super) const WRITE: u8 = 2;
    pub(super) const READ: u8 = 3;
}

/// The key of a user.
pub fn user_key(name: &str) -> Vec<u8> {
    KeyWriter::new(Kind::User).name(name).finish()
}

/// The key of a user's permission in a virtual host.
pub fn permission_key(user: &str, vhost: &str) -> Vec<u8> {
    KeyWriter::new(Kind::Permission).name(user).name(vhost).finish()
}

/// The key of a user's permission for an exchange.
pub fn topic_permission_key(user: &str, vhost: &str, exchange: &str) -> Vec<u8> {
    KeyWriter::new(Kind::TopicPermission).name(user).name(vhost).name(exchange).finish()
}

impl AccessDefinition {
    pub(super) fn key(&self) -> Vec<u8> {
        match self {
            Self::User(user) => user_key(user.name.as_str()),
            Self::Permission(user, vhost, _) => permission_key(user.as_str(), vhost.as_str()),
            Self::TopicPermission(user, vhost, topic) => {
                topic_permission_key(user.as_str(), vhost.as_str(), topic.exchange.as_str())
            }
        }
    }

    pub(super) fn value(&self) -> Vec<u8> {
        let fields = FieldWriter::new();
        match self {
            Self::User(user) => {
                let fields = match &user.password {
                    None => fields,
                    Some(password) => fields
                        .bytes(tag::HASHING, password.hashing().as_str().as_bytes())
                        .bytes(tag::PASSWORD, password.as_bytes()),
                };
                let fields =
                    user.tags.iter().fold(fields, |fields, name| fields.bytes(tag::TAG, name.as_bytes()));
                fields
                    .number(tag::MAX_CONNECTIONS, user.limits.max_connections)
                    .number(tag::MAX_CHANNELS, user.limits.max_channels)
                    .rate(tag::PUBLISH_RATE, user.limits.publish_rate)
            }
            Self::Permission(_, _, permission) => fields
                .bytes(tag::CONFIGURE, permission.configure.as_str().as_bytes())
                .bytes(tag::WRITE, permission.write.as_str().as_bytes())
                .bytes(tag::READ, permission.read.as_str().as_bytes()),
            Self::TopicPermission(_, _, topic) => fields
                .bytes(tag::WRITE, topic.write.as_str().as_bytes())
                .bytes(tag::READ, topic.read.as_str().as_bytes()),
        }
        .finish()
    }

    pub(super) fn decode(
        kind: Kind,
        mut names: KeyReader<'_>,
        fields: Fields<'_>,
    ) -> Result<Option<Self>, Malformed> {
        let mut name = || names.name().ok_or(Malformed::Key);
        let decoded = match kind {
            Kind::User => Self::User(user(name()?.into(), fields)?),
            Kind::Permission => {
                let (user, vhost) = (name()?.into(), name()?.into());
                let permission = Permission::parse(
                    fields.text(tag::CONFIGURE, "configure")?,
                    fields.text(tag::WRITE, "write")?,
                    fields.text(tag::READ, "read")?,
                );
                Self::Permission(user, vhost, permission.map_err(|_| Malformed::Field("pattern"))?)
            }
            Kind::TopicPermission => {
                let (user, vhost): (UserName, VhostName) = (name()?.into(), name()?.into());
                let exchange = name()?.into();
                let (write, read) = (fields.text(tag::WRITE, "write")?, fields.text(tag::READ, "read")?);
                let topic = TopicPermission::parse(&user, &vhost, exchange, write, read)
                    .map_err(|_| Malformed::Field("pattern"))?;
                Self::TopicPermission(user, vhost, topic)
            }
            _ => return Ok(None),
        };
        names.end().ok_or(Malformed::Key)?;
        Ok(Some(decoded))
    }
}

fn user(name: UserName, fields: Fields<'_>) -> Result<User, Malformed> {
    let password = match fields.get(tag::PASSWORD) {
        None => None,
        Some(salted) => {
            let hashing = Hashing::from_name(fields.text(tag::HASHING, "hashing")?);
            let hashing = hashing.ok_or(Malformed::Field("hashing"))?;
            let password = PasswordHash::from_bytes(hashing, salted);
            Some(password.map_err(|_| Malformed::Field("password"))?)
        }
    };
    let tags = fields.all(tag::TAG).map(|tag| str::from_utf8(tag).map_err(|_| Malformed::Field("tags")));
    let tags = tags.collect::<Result<Vec<_>, _>>()?;
    let tags = Tags::new(tags).map_err(|_| Malformed::Field("tags"))?;
    let limits = UserLimits {
        max_connections: fields.number(tag::MAX_CONNECTIONS)?,
        max_channels: fields.number(tag::MAX_CHANNELS)?,
        publish_rate: fields.rate(tag::PUBLISH_RATE)?,
    };
    Ok(User { name, password, tags, limits })
}
