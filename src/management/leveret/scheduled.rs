//! Messages that wait for their times, in a queue or in a delayed exchange: brought to another time, or taken back.
//!
//! They are listed as the other messages of a queue are.

use std::sync::Arc;

use serde_json::json;

use super::super::answer::Answer;
use super::super::call::Call;
use super::super::direct::authority;
use super::super::failure::Failure;
use super::messages;
use super::{changeable_queue, gone, permitted};
use crate::auth::{Action, Resource};
use crate::queue::Queue;
use crate::queue::queue::NotReached;
use crate::queue::scheduled::ScheduledId;
use crate::time::Time;
use crate::vhost::Vhost;

/// The queue in which the messages wait, of the queue or the exchange in the path.
fn waiting(call: &Call, actions: &[Action]) -> Result<(Arc<Vhost>, Arc<Queue>), Failure> {
    if call.find("queue").is_some() {
        // Whoever only looks takes nothing away from the connection that it is exclusive to.
        let found = if actions.is_empty() { permitted } else { changeable_queue };
        let (vhost, queue, mut authority) = found(call, Action::Read)?;
        for action in actions {
            let permitted = authority.permits(*action, Resource::Queue(queue.name().as_str()));
            permitted.map_err(|exception| Failure::of_method(&exception))?;
        }
        return Ok((vhost, queue));
    }
    let vhost = call.vhost()?;
    let exchange = vhost.exchanges().get(call.exchange("exchange")).ok_or_else(Failure::no_object)?;
    let mut authority = authority(call, &vhost)?;
    for action in std::iter::once(&Action::Read).chain(actions) {
        let permitted = authority.permits(*action, Resource::Exchange(exchange.name().as_str()));
        permitted.map_err(|exception| Failure::of_method(&exception))?;
    }
    let queue = exchange.waiting().cloned();
    let queue = queue.ok_or_else(|| {
        Failure::bad_request(format!(
            "exchange '{}' delays no messages: it is not of type x-delayed-message",
            exchange.name()
        ))
    })?;
    Ok((vhost, queue))
}

/// `GET /api/leveret/queues/{vhost}/{queue}/scheduled` and the same of exchanges.
pub(in crate::management) fn list(call: &Call) -> Result<Answer, Failure> {
    let (_, queue) = waiting(call, &[])?;
    messages::scheduled(call, &queue)
}

/// `PUT /api/leveret/queues/{vhost}/{queue}/scheduled/{scheduled}`: another time, `due` or in `delay` milliseconds.
pub(in crate::management) fn reschedule(call: &Call) -> Result<Answer, Failure> {
    let object = call.object()?;
    let number = |name: &str| match object.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_u64()
            .map(Some)
            .ok_or_else(|| Failure::bad_request(format!("{name} must be a number of milliseconds"))),
    };
    let due = match (number("due")?, number("delay")?) {
        (Some(due), None) => Time::from_millis(due),
        (None, Some(delay)) => Time::now().plus(std::time::Duration::from_millis(delay)),
        _ => {
            return Err(Failure::bad_request(
                "either due, in milliseconds since the Unix epoch, or delay, in milliseconds from now",
            ));
        }
    };
    let id = id(call)?;
    let (vhost, queue) = waiting(call, &[Action::Write])?;
    let mut unit = vhost.unit();
    let moved = queue.reschedule(id, due, &mut unit).map_err(not_reached)?;
    call.wait(unit.end())?;
    let moved = moved.ok_or_else(Failure::no_object)?;
    Ok(Answer::Json(json!({ "id": moved.to_string(), "due": moved.due.as_millis() })))
}

/// `DELETE /api/leveret/queues/{vhost}/{queue}/scheduled/{scheduled}`: takes it back.
pub(in crate::management) fn cancel(call: &Call) -> Result<Answer, Failure> {
    let id = id(call)?;
    let (vhost, queue) = waiting(call, &[Action::Write])?;
    let mut unit = vhost.unit();
    let cancelled = queue.cancel_scheduled(id, &mut unit).map_err(not_reached)?;
    if !unit.is_empty() {
        // Whoever takes something back wants to know that it will not come.
        unit.group().require_sync();
    }
    call.wait(unit.end())?;
    cancelled.map(|_| Answer::NoContent).ok_or_else(Failure::no_object)
}

fn id(call: &Call) -> Result<ScheduledId, Failure> {
    call.part("scheduled").parse().map_err(|_| Failure::no_object())
}

fn not_reached(not_reached: NotReached) -> Failure {
    match not_reached {
        NotReached::Gone(of_queue) => gone(of_queue),
        NotReached::NotRead => Failure::disk_failed(),
    }
}
