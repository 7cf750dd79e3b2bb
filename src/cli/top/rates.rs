//! What was counted, and how fast it grew since the last look.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use serde_json::Value;

/// So many rates are remembered for the curves.
const HISTORY: usize = 300;

/// What is counted of messages, of a queue or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) published: u64,
    pub(super) delivered: u64,
    pub(super) acknowledged: u64,
}

impl Counts {
    fn of(stats: Option<&Value>) -> Self {
        let count = |name: &str| stats.and_then(|stats| stats.get(name)).and_then(Value::as_u64).unwrap_or(0);
        Self { published: count("publish"), delivered: count("deliver_get"), acknowledged: count("ack") }
    }
}

/// The same a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rate {
    pub(super) published: f64,
    pub(super) delivered: f64,
    pub(super) acknowledged: f64,
}

impl Rate {
    fn between(from: Counts, to: Counts, seconds: f64) -> Self {
        // What began to count anew was restarted or declared anew.
        #[allow(clippy::cast_precision_loss, reason = "it is shown with three digits")]
        let each = |from: u64, to: u64| to.checked_sub(from).unwrap_or(to) as f64 / seconds.max(0.001);
        Self {
            published: each(from.published, to.published),
            delivered: each(from.delivered, to.delivered),
            acknowledged: each(from.acknowledged, to.acknowledged),
        }
    }
}

/// A queue at one moment.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) vhost: String,
    pub(super) name: String,
    pub(super) ready: u64,
    pub(super) unacked: u64,
    pub(super) consumers: u64,
    counts: Counts,
    pub(super) rate: Rate,
}

/// Everything at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    at: Instant,
    counts: Counts,
    overview: Value,
    node: Value,
    queues: Vec<Queue>,
    queues_total: u64,
}

impl Sample {
    pub(super) fn new(at: Instant, overview: &Value, node: &Value, queues: &Value) -> Self {
        let counts = Counts::of(overview.get("message_stats"));
        let queues_total = queues.get("total_count").and_then(Value::as_u64).unwrap_or(0);
        let queues = queues.get("items").and_then(Value::as_array).into_iter().flatten().map(queue);
        let queues = queues.collect();
        Self { at, counts, overview: overview.clone(), node: node.clone(), queues, queues_total }
    }
}

fn queue(object: &Value) -> Queue {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| object.get(name).and_then(Value::as_u64).unwrap_or(0);
    Queue {
        vhost: text("vhost"),
        name: text("name"),
        ready: number("messages_ready"),
        unacked: number("messages_unacknowledged"),
        consumers: number("consumers"),
        counts: Counts::of(object.get("message_stats")),
        rate: Rate::default(),
    }
}

/// The last moment, and how things went before it.
#[derive(Debug)]
pub(super) struct Rates {
    last: Sample,
    pub(super) rate: Rate,
    published: VecDeque<u64>,
    delivered: VecDeque<u64>,
}

impl Rates {
    pub(super) fn new(first: Sample) -> Self {
        Self { last: first, rate: Rate::default(), published: VecDeque::new(), delivered: VecDeque::new() }
    }

    /// Takes the next moment.
    pub(super) fn add(&mut self, mut next: Sample) {
        let seconds = next.at.saturating_duration_since(self.last.at).as_secs_f64();
        self.rate = Rate::between(self.last.counts, next.counts, seconds);
        let before: HashMap<(&str, &str), Counts> = self
            .last
            .queues
            .iter()
            .map(|queue| ((queue.vhost.as_str(), queue.name.as_str()), queue.counts))
            .collect();
        for queue in &mut next.queues {
            if let Some(before) = before.get(&(queue.vhost.as_str(), queue.name.as_str())) {
                queue.rate = Rate::between(*before, queue.counts, seconds);
            }
        }
        for (history, rate) in
            [(&mut self.published, self.rate.published), (&mut self.delivered, self.rate.delivered)]
        {
            if history.len() == HISTORY {
                history.pop_front();
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no rate is below 0")]
            history.push_back(rate.round() as u64);
        }
        self.last = next;
    }

    /// The queues, and how many there are.
    pub(super) fn queues(&self) -> (&[Queue], u64) {
        (&self.last.queues, self.last.queues_total)
    }

    /// The rates of what was published and delivered, the latest last; at most so many.
    pub(super) fn curves(&self, width: usize) -> (Vec<u64>, Vec<u64>) {
        let last = |history: &VecDeque<u64>| {
            history.iter().skip(history.len().saturating_sub(width)).copied().collect()
        };
        (last(&self.published), last(&self.delivered))
    }

    /// A number of the overview, such as `/queue_totals/messages`.
    pub(super) fn total(&self, pointer: &str) -> u64 {
        self.last.overview.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
    }

    /// A text of it.
    pub(super) fn text(&self, name: &str) -> &str {
        self.last.overview.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number of the node, if it may be seen.
    pub(super) fn of_node(&self, name: &str) -> Option<u64> {
        self.last.node.get(name).and_then(Value::as_u64)
    }

    /// Whether an alarm of the node is raised.
    pub(super) fn is_raised(&self, name: &str) -> bool {
        self.last.node.get(name) == Some(&Value::Bool(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn sample(at: Instant, published: u64, of_queue: u64) -> Sample {
        let overview = json!({ "message_stats": { "publish": published, "deliver_get": 4 } });
        let queue = json!({ "vhost": "/", "name": "a", "messages_ready": 3, "message_stats": { "publish": of_queue } });
        Sample::new(at, &overview, &Value::Null, &json!({ "items": [queue], "total_count": 7 }))
    }

    #[test]
    fn rates_are_what_was_counted_over_the_time_between_two_looks() {
        let start = Instant::now();
        let mut rates = Rates::new(sample(start, 100, 10));
        for (second, published, of_queue, expected, expected_of_queue) in
            [(2, 300, 30, 100.0, 10.0), (3, 50, 30, 50.0, 0.0), (4, 50, 30, 0.0, 0.0)]
        {
            rates.add(sample(start + Duration::from_secs(second), published, of_queue));
            assert!((rates.rate.published - expected).abs() < 1e-9, "{rates:?}");
            let (queues, total) = rates.queues();
            assert!((queues[0].rate.published - expected_of_queue).abs() < 1e-9, "{rates:?}");
            assert_eq!((total, queues[0].ready), (7, 3));
        }
        assert_eq!(rates.curves(2), (vec![50, 0], vec![0, 0]));
    }
}
