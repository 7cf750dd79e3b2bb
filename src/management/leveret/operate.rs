//! What an operator changes while a queue is used: whether it delivers, and its arguments.

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::call::Call;
use super::super::failure::Failure;
use super::super::wire_json::{from_table, to_table};
use super::{changeable_queue, gone, permitted};
use crate::auth::Action;
use crate::equivalence::Resource;
use crate::place::Batch;
use crate::queue::arguments::changeable;
use crate::queue::options::InvalidChange;
use crate::vhost::Vhost;
use crate::vhost::operate::ChangeRefused;
use crate::vhost::refused::Refused;

/// `POST /api/leveret/queues/{vhost}/{queue}/pause`
pub(in crate::management) fn pause(call: &Call) -> Result<Answer, Failure> {
    set_paused(call, Vhost::pause_queue)
}

/// `POST /api/leveret/queues/{vhost}/{queue}/resume`
pub(in crate::management) fn resume(call: &Call) -> Result<Answer, Failure> {
    set_paused(call, Vhost::resume_queue)
}

fn set_paused(
    call: &Call,
    act: impl FnOnce(&Vhost, &str) -> Result<Option<Batch>, Refused>,
) -> Result<Answer, Failure> {
    let (vhost, queue, _) = changeable_queue(call, Action::Configure)?;
    let until = act(&vhost, queue.name().as_str()).map_err(|refused| match refused {
        Refused::Crashed => Failure::internal(),
        _ => Failure::no_object(),
    })?;
    call.wait(until)?;
    Ok(Answer::NoContent)
}

/// `GET /api/leveret/queues/{vhost}/{queue}/arguments`: what they are, and which may be changed.
pub(in crate::management) fn arguments(call: &Call) -> Result<Answer, Failure> {
    let (_, queue, _) = permitted(call, Action::Configure)?;
    let changeable: Vec<&str> = changeable().collect();
    let arguments = from_table(queue.options().arguments.as_table());
    Ok(Answer::Json(json!({ "arguments": arguments, "changeable": changeable })))
}

/// `PUT /api/leveret/queues/{vhost}/{queue}/arguments`: the queue is as if it had been declared with these.
pub(in crate::management) fn change_arguments(call: &Call) -> Result<Answer, Failure> {
    let object = call.object_with(&["arguments"])?;
    let Some(Value::Object(arguments)) = object.get("arguments") else {
        return Err(Failure::bad_request("arguments must be an object"));
    };
    let arguments = to_table(arguments)?;
    let (vhost, queue, _) = changeable_queue(call, Action::Configure)?;
    let name = queue.name().as_str();
    let until = vhost.change_queue(name, arguments).map_err(|refused| match refused {
        ChangeRefused::Gone(of_queue) => gone(of_queue),
        ChangeRefused::Invalid(InvalidChange::Argument(invalid)) => {
            Failure::bad_request(invalid.text(name, vhost.name().as_str()))
        }
        ChangeRefused::Invalid(InvalidChange::Fixed(differs)) => {
            let queue = Resource { kind: "queue", name, vhost: vhost.name().as_str() };
            Failure::bad_request(format!(
                "{}: '{}' is fixed when a queue is declared; delete the queue and declare it anew, or move its messages \
                 to another one",
                differs.text(queue),
                differs.argument()
            ))
        }
    })?;
    call.wait(until)?;
    Ok(Answer::NoContent)
}
