//! How old the messages of a queue are, and how long they wait.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::answer::Answer;
use super::super::call::Call;
use super::super::failure::Failure;
use super::super::query::Query;
use super::super::statistics::Telling;
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
    let (seen, mut numbers) = (queue.inspect().map_err(gone)?, Map::new());
    let telling = Telling::asked(&Query::default(), false);
    call.site.statistics.tell_queue(telling, &queue, &seen.observation(), &mut numbers);
    let messages = numbers.get("messages").and_then(Value::as_u64).unwrap_or(0);
    let rate = numbers.get("messages_details").and_then(|details| details.get("rate")?.as_f64());
    let now = Time::now();
    let age = |since: Option<Time>| since.map(|since| millis(now.since(since)));
    Ok(Answer::Json(json!({
        "oldest_ready_age": age(ready),
        "oldest_unacked_age": age(unacked.arrived),
        "longest_held": age(unacked.given),
        "time_to_drain": time_to_drain(messages, rate.unwrap_or(0.0)),
        "time_in_queue": told(&times),
    })))
}

/// In how many milliseconds so many messages are gone, if they become so many more in a second; nothing when they never are.
fn time_to_drain(messages: u64, rate: f64) -> Option<u64> {
    if messages == 0 {
        return Some(0);
    }
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    let seconds = (rate < 0.0).then(|| messages as f64 / -rate)?;
    Duration::try_from_secs_f64(seconds).ok().map(millis)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_drained_in_the_time_that_its_pace_says() {
        for (messages, rate, expected) in [
            (0, 5.0, Some(0)),
            (100, -50.0, Some(2000)),
            (100, 0.0, None),
            (100, 3.5, None),
            (1, -4.0, Some(250)),
            (u64::MAX, -1e-300, None),
        ] {
            assert_eq!(time_to_drain(messages, rate), expected, "{messages} {rate}");
        }
    }
}
