//! How old the messages of a queue are, and how long they wait.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::call::Call;
use super::super::failure::Failure;
use super::{gone, permitted};
use crate::auth::Action;
use crate::queue::core::{AGES, TimesInQueue};
use crate::time::Time;

/// `GET /api/leveret/queues/{vhost}/{queue}/ages`
pub(in crate::management) fn show(call: &Call) -> Result<Answer, Failure> {
    let (_, queue, _) = permitted(call, Action::Read)?;
    let ready = queue.oldest_ready().map_err(gone)?;
    let unacked = queue.oldest_unacked().map_err(gone)?;
    let times = queue.times_in_queue().map_err(gone)?;
    let now = Time::now();
    let age = |since: Option<Time>| since.map(|since| millis(now.since(since)));
    Ok(Answer::Json(json!({
        "oldest_ready_age": age(ready),
        "oldest_unacked_age": age(unacked.arrived),
        "longest_held": age(unacked.given),
        "time_in_queue": told(&times),
    })))
}

fn told(times: &TimesInQueue) -> Value {
    let count = times.count();
    let bounds = AGES.into_iter().map(Some).chain([None]);
    let classes = bounds.zip(times.within.into_iter().chain([times.beyond]));
    let classes: Vec<Value> =
        classes.map(|(up_to, messages)| json!({ "up_to": up_to, "messages": messages })).collect();
    json!({
        "messages": count,
        "mean": times.sum.checked_div(count),
        "classes": classes,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
