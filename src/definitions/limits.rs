//! Limits of virtual hosts and of users, as JSON and back.

use std::num::NonZeroU64;

use serde_json::{Map, Value, json};

use crate::auth::UserLimits;
use crate::rate::{MAX_PUBLISH_BYTES_RATE, MAX_PUBLISH_RATE, RateLimit};
use crate::store::definitions::VhostMetadata;

const MAX_CONNECTIONS: &str = "max-connections";
const MAX_CHANNELS: &str = "max-channels";
const MAX_QUEUES: &str = "max-queues";

/// There is no limit of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchLimit;

fn named<const N: usize>(limits: [(&str, Option<u64>); N], rate: &RateLimit) -> Map<String, Value> {
    let rates = [
        (MAX_PUBLISH_RATE, rate.messages.map(NonZeroU64::get)),
        (MAX_PUBLISH_BYTES_RATE, rate.bytes.map(NonZeroU64::get)),
    ];
    limits.into_iter().chain(rates).filter_map(|(name, max)| Some((name.to_owned(), json!(max?)))).collect()
}

/// Sets one of the limits on what is published in a second, which are our own.
fn set_rate(rate: &mut RateLimit, name: &str, max: Option<u64>) -> Result<(), NoSuchLimit> {
    *match name {
        MAX_PUBLISH_RATE => &mut rate.messages,
        MAX_PUBLISH_BYTES_RATE => &mut rate.bytes,
        _ => return Err(NoSuchLimit),
    } = max.and_then(NonZeroU64::new);
    Ok(())
}

/// The limits of a virtual host, those that there are.
pub fn of_vhost(metadata: &VhostMetadata) -> Map<String, Value> {
    let limits = [(MAX_CONNECTIONS, metadata.max_connections), (MAX_QUEUES, metadata.max_queues)];
    named(limits, &metadata.publish_rate)
}

/// Sets a limit of a virtual host, or takes it away.
///
/// # Errors
/// Virtual hosts have none of that name.
pub fn set_of_vhost(metadata: &mut VhostMetadata, name: &str, max: Option<u64>) -> Result<(), NoSuchLimit> {
    match name {
        MAX_CONNECTIONS => metadata.max_connections = max,
        MAX_QUEUES => metadata.max_queues = max,
        _ => return set_rate(&mut metadata.publish_rate, name, max),
    }
    Ok(())
}

/// The limits of a user, those that there are.
pub fn of_user(limits: &UserLimits) -> Map<String, Value> {
    let named_limits = [(MAX_CONNECTIONS, limits.max_connections), (MAX_CHANNELS, limits.max_channels)];
    named(named_limits, &limits.publish_rate)
}

/// Sets a limit of a user, or takes it away.
///
/// # Errors
/// Users have none of that name.
pub fn set_of_user(limits: &mut UserLimits, name: &str, max: Option<u64>) -> Result<(), NoSuchLimit> {
    match name {
        MAX_CONNECTIONS => limits.max_connections = max,
        MAX_CHANNELS => limits.max_channels = max,
        _ => return set_rate(&mut limits.publish_rate, name, max),
    }
    Ok(())
}

/// A virtual host without limits.
pub fn without_limits(metadata: &VhostMetadata) -> VhostMetadata {
    VhostMetadata {
        max_connections: None,
        max_queues: None,
        publish_rate: RateLimit::NONE,
        ..metadata.clone()
    }
}
