//! What only this broker has, below `/api/leveret`: looking into queues and at routes, moving messages, and what an operator
//! changes while a queue is used.

pub(super) mod ages;
pub(super) mod app;
mod filter;
mod job;
mod jobs;
pub(super) mod messages;
pub(super) mod operate;
mod pace;
pub(super) mod route;
pub(super) mod scheduled;
pub(super) mod transfer;

pub use jobs::Jobs;
pub(super) use jobs::{cancel, list, show};

use std::sync::Arc;

use super::call::Call;
use super::direct::authority;
use super::failure::Failure;
use super::queues::named;
use crate::auth::{Action, Resource};
use crate::channel::authority::Authority;
use crate::channel::exception::{Subject, refused};
use crate::queue::{Gone, Queue};
use crate::vhost::Vhost;
use crate::vhost::refused::Refused;

/// The queue in the path, and the rights of whoever asks, who may do that with it.
fn permitted(call: &Call, action: Action) -> Result<(Arc<Vhost>, Arc<Queue>, Authority), Failure> {
    let vhost = call.vhost()?;
    let queue = named(call, &vhost)?;
    let mut authority = authority(call, &vhost)?;
    let permitted = authority.permits(action, Resource::Queue(queue.name().as_str()));
    permitted.map_err(|exception| Failure::of_method(&exception))?;
    Ok((vhost, queue, authority))
}

/// The same for what changes it: a queue that is exclusive to a connection is its alone.
fn changeable_queue(call: &Call, action: Action) -> Result<(Arc<Vhost>, Arc<Queue>, Authority), Failure> {
    let found = permitted(call, action)?;
    let (vhost, queue, _) = &found;
    if queue.owner().is_some() {
        let subject = Subject::Queue(queue.name().as_str());
        return Err(Failure::of_method(&refused(&Refused::Locked, subject, vhost.name())));
    }
    Ok(found)
}

/// A queue that cannot be used.
fn gone(gone: Gone) -> Failure {
    match gone {
        Gone::Deleted => Failure::no_object(),
        Gone::Crashed => Failure::internal(),
    }
}
