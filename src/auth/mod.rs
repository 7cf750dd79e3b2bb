//! Who a peer is, and what it may do. Knows nothing of frames or reply codes.

mod authorize;
mod mechanism;
mod secret;
mod user;

pub use authorize::{Action, Denied, Resource, authorize};
pub use mechanism::{Credentials, MalformedResponse, Mechanism};
pub use secret::Secret;
pub use user::{LoginRefused, User, Users};

/// The virtual host that exists from the start.
pub const DEFAULT_VHOST: &str = "/";
