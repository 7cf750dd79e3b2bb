//! Who a peer is, and what it may do. Knows nothing of frames, reply codes or where users are kept.

mod authorize;
mod credentials;
mod mechanism;
mod password;
mod penalty;
mod permission;
mod secret;
mod settings;
mod user;

pub use authorize::{Action, DEFAULT_EXCHANGE, Denied, Resource, Rights, authorize};
pub use credentials::{CredentialRules, CredentialValidator, CredentialsRefused};
pub use mechanism::{Claim, Credentials, MalformedResponse, Mechanism};
pub use password::{Hashing, InvalidHash, PasswordHash, SALT_BYTES};
pub use penalty::{Penalties, network};
pub use permission::{InvalidPattern, Names, Permission, TopicPermission};
pub use secret::Secret;
pub use settings::{AccessSettings, DefaultUser};
pub use user::{Tags, TooManyTags, User, UserLimits};

/// The virtual host that exists from the start.
pub const DEFAULT_VHOST: &str = "/";
