//! A long job: what was asked for, how far it is, and whether it is to end.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::time::Time;

/// What a job is to do.
pub(super) struct Order {
    /// Its kind.
    pub(super) kind: &'static str,
    pub(super) vhost: String,
    pub(super) queue: String,
    pub(super) user: String,
    /// Nothing is done: it is only found out what would be.
    pub(super) dry_run: bool,
    /// What was asked for, in the words in which it was.
    pub(super) asked: Value,
}

/// A job.
pub(super) struct Job {
    pub(super) id: String,
    pub(super) order: Order,
    started: Time,
    progress: Mutex<Progress>,
    called: Condvar,
}

/// How far a job is.
#[derive(Default)]
pub(super) struct Progress {
    /// Messages that were there when it began.
    pub(super) total: u64,
    /// Of these so many were looked at.
    pub(super) looked_at: u64,
    /// So many of them are wanted.
    pub(super) matched: u64,
    /// So many have gone, or would.
    pub(super) done: u64,
    /// Where they went.
    pub(super) to: BTreeMap<String, u64>,
    /// How many stay, by the reason.
    pub(super) stay: BTreeMap<&'static str, u64>,
    /// Blocks that could not be read.
    pub(super) unreadable: u64,
    /// Why it does nothing at present.
    pub(super) waits_for: Option<String>,
    is_cancelled: bool,
    end: Option<(End, Time)>,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Cancelled,
    Failed(String),
}

/// No more names than these of queues that messages went to.
const TARGETS_MAX: usize = 100;
/// What stands for the others.
const OTHERS: &str = "(others)";

impl Job {
    pub(super) fn new(id: String, order: Order) -> Self {
        Self { id, order, started: Time::now(), progress: Mutex::default(), called: Condvar::new() }
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is to end soon.
    pub(super) fn cancel(&self) {
        self.progress().is_cancelled = true;
        self.called.notify_all();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.progress().is_cancelled
    }

    /// Waits for so long, or until it is to end.
    pub(super) fn rest(&self, time: Duration) {
        let progress = self.progress();
        // What is locked is given back at once.
        drop(self.called.wait_timeout_while(progress, time, |progress| !progress.is_cancelled));
    }

    /// It is over.
    pub(super) fn end(&self, end: End) {
        let mut progress = self.progress();
        progress.waits_for = None;
        progress.end.get_or_insert((end, Time::now()));
    }

    pub(super) fn is_over(&self) -> bool {
        self.progress().end.is_some()
    }

    /// How it ended, in a line.
    pub(super) fn summary(&self) -> String {
        let progress = self.progress();
        let stay = progress.stay.values().fold(0_u64, |all, count| all.saturating_add(*count));
        let end = match &progress.end {
            None => "runs".to_owned(),
            Some((End::Finished, _)) => "finished".to_owned(),
            Some((End::Cancelled, _)) => "cancelled".to_owned(),
            Some((End::Failed(why), _)) => format!("failed: {why}"),
        };
        format!("{end}; {} messages went, {stay} stay of {} that are wanted", progress.done, progress.matched)
    }

    pub(super) fn json(&self) -> Value {
        let progress = self.progress();
        let (state, error, finished) = match &progress.end {
            None if progress.is_cancelled => ("cancelling", None, None),
            None => ("running", None, None),
            Some((End::Finished, at)) => ("finished", None, Some(*at)),
            Some((End::Cancelled, at)) => ("cancelled", None, Some(*at)),
            Some((End::Failed(why), at)) => ("failed", Some(why.as_str()), Some(*at)),
        };
        let took = finished.unwrap_or_else(Time::now).since(self.started).as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "a rate is an approximation")]
        let rate = if took > 0.0 { progress.done as f64 / took } else { 0.0 };
        json!({
            "id": self.id,
            "kind": self.order.kind,
            "state": state,
            "vhost": self.order.vhost,
            "queue": self.order.queue,
            "user": self.order.user,
            "dry_run": self.order.dry_run,
            "asked": self.order.asked,
            "total": progress.total,
            "looked_at": progress.looked_at,
            "matched": progress.matched,
            "done": progress.done,
            "rate": rate,
            "to": progress.to,
            "stay": progress.stay,
            "unreadable": progress.unreadable,
            "waits_for": progress.waits_for,
            "error": error,
            "started": self.started.as_millis(),
            "finished": finished.map(Time::as_millis),
        })
    }
}

impl Progress {
    /// So many messages went to a queue.
    pub(super) fn went_to(&mut self, queue: &str, count: u64) {
        let is_known = self.to.contains_key(queue) || self.to.len() < TARGETS_MAX;
        let name = if is_known { queue } else { OTHERS };
        let to = self.to.entry(name.to_owned()).or_default();
        *to = to.saturating_add(count);
    }

    /// So many messages stay.
    pub(super) fn stays(&mut self, reason: &'static str, count: u64) {
        let stay = self.stay.entry(reason).or_default();
        *stay = stay.saturating_add(count);
    }
}
