//! What the configuration says of users: the first one, who may come from where, and how they may log in.

use super::DEFAULT_VHOST;
use super::credentials::CredentialRules;
use super::mechanism::Mechanism;
use super::password::Hashing;
use super::secret::Secret;
use super::user::Tags;
use crate::name::{UserName, VhostName};

/// All of it, with RabbitMQ's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessSettings {
    /// The user that an empty data directory gets (`default_user` and so on).
    pub default_user: DefaultUser,
    /// Users that may log in from this machine only (`loopback_users`).
    pub loopback_users: Vec<UserName>,
    /// The mechanisms that are offered, if they can be (`auth_mechanisms`): ANONYMOUS needs an anonymous user, EXTERNAL a
    /// certificate of the peer.
    pub mechanisms: Vec<Mechanism>,
    /// As whom those log in that do not say who they are (`anonymous_login_user`).
    pub anonymous_user: Option<UserName>,
    /// How many channels all connections together may have open (`channel_max_per_node`).
    pub channel_max_per_node: Option<u64>,
    /// How many exchanges all virtual hosts together may have (`cluster_exchange_limit`).
    pub cluster_exchange_limit: Option<u64>,
    /// How many queues all virtual hosts together may have (`cluster_queue_limit`).
    pub cluster_queue_limit: Option<u64>,
    /// How many consumers a channel may have (`consumer_max_per_channel`).
    pub consumer_max_per_channel: Option<u64>,
    /// How passwords that are set are hashed (`password_hashing_module`).
    pub hashing: Hashing,
    /// What they have to be like (`credential_validator`).
    pub credentials: CredentialRules,
}

/// The user and the virtual host that there are from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultUser {
    /// Its name.
    pub name: UserName,
    /// Its password.
    pub password: Secret,
    /// Its tags.
    pub tags: Tags,
    /// The virtual host that is made with it, and where it has its permissions.
    pub vhost: VhostName,
    /// The pattern of what it may configure.
    pub configure: String,
    /// The pattern of what it may write to.
    pub write: String,
    /// The pattern of what it may read from.
    pub read: String,
}

impl Default for DefaultUser {
    fn default() -> Self {
        Self {
            name: UserName::from("guest"),
            password: Secret::new(*b"guest"),
            tags: Tags::new([Tags::ADMINISTRATOR]).unwrap_or_default(),
            vhost: VhostName::from(DEFAULT_VHOST),
            configure: ".*".to_owned(),
            write: ".*".to_owned(),
            read: ".*".to_owned(),
        }
    }
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            default_user: DefaultUser::default(),
            loopback_users: vec![UserName::from("guest")],
            mechanisms: vec![Mechanism::Plain, Mechanism::AmqPlain, Mechanism::External],
            anonymous_user: None,
            channel_max_per_node: None,
            cluster_exchange_limit: None,
            cluster_queue_limit: None,
            consumer_max_per_channel: None,
            hashing: Hashing::default(),
            credentials: CredentialRules::default(),
        }
    }
}
