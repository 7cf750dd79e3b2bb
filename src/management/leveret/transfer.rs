//! Messages are moved to another queue, or dead ones back to where they came from: a job.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::super::answer::Answer;
use super::super::call::{Call, DEFAULT_EXCHANGE};
use super::super::failure::Failure;
use super::super::fields::{switch, text};
use super::filter::Filter;
use super::job::{End, Job, Order};
use super::jobs::accepted;
use super::pace::Pace;
use super::{gone, permitted};
use crate::auth::{Action, Resource};
use crate::channel::authority::Authority;
use crate::connection::Environment;
use crate::exchange::ExchangeType;
use crate::queue::death::Death;
use crate::queue::queue::Walk;
use crate::queue::{Gone, Queue};
use crate::time::Time;
use crate::vhost::Vhost;
use crate::vhost::moving::{Going, MoveTo, Rooms};
use crate::vhost::routing::Found;

/// So many messages are moved in one group of records...
const BATCH_MAX: usize = 1024;
/// ...and so many bytes of them, with the one that passes this.
const BATCH_MAX_BYTES: usize = 4 * 1024 * 1024;
/// What was sent back so often stays, unless it is said otherwise.
const REDRIVES_MAX: u64 = 3;
/// What is asked for is kept with a job after its end: no more of it than this.
const ASKED_MAX_BYTES: usize = 16 * 1024;
/// How often to look whether an alarm is over.
const ALARM_INTERVAL: Duration = Duration::from_millis(100);

/// What is to be moved, and how.
struct Transfer {
    environment: Arc<Environment>,
    vhost: Arc<Vhost>,
    from: Arc<Queue>,
    authority: Authority,
    to: MoveTo,
    filter: Filter,
    limit: u64,
    rate: Option<f64>,
    dry_run: bool,
}

/// The least that may be moved in a second: a job is not to stand in others' way for ever.
const RATE_MIN: f64 = 0.1;

/// `POST /api/leveret/queues/{vhost}/{queue}/move`
pub(in crate::management) fn move_messages(call: &Call) -> Result<Answer, Failure> {
    let object = call.object_with(&["to"])?;
    known(&object, &["to", "filter", "limit", "rate", "dry_run"])?;
    let to = match object.get("to").and_then(Value::as_object) {
        Some(to) => destination(to)?,
        None => return Err(Failure::bad_request("to must be an object with a queue or an exchange")),
    };
    begin(call, "move", &object, to)
}

/// `POST /api/leveret/queues/{vhost}/{queue}/redrive`
pub(in crate::management) fn redrive(call: &Call) -> Result<Answer, Failure> {
    let object = call.object()?;
    known(&object, &["to", "death", "max_redrives", "filter", "limit", "rate", "dry_run"])?;
    let by_exchange = match text(&object, "to")? {
        None | Some("queue") => false,
        Some("exchange") => true,
        Some(_) => return Err(Failure::bad_request("to must be queue or exchange")),
    };
    let death = match text(&object, "death")? {
        None | Some("first") => Death::First,
        Some("last") => Death::Last,
        Some(_) => return Err(Failure::bad_request("death must be first or last")),
    };
    let redrives_max = number(&object, "max_redrives")?.unwrap_or(REDRIVES_MAX);
    begin(call, "redrive", &object, MoveTo::Origin { death, by_exchange, redrives_max })
}

fn known(object: &Map<String, Value>, keys: &[&str]) -> Result<(), Failure> {
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(unknown) => {
            Err(Failure::bad_request(format!("{unknown} is unknown; known are {}", keys.join(", "))))
        }
        None => Ok(()),
    }
}

fn destination(to: &Map<String, Value>) -> Result<MoveTo, Failure> {
    known(to, &["queue", "exchange", "routing_key"])?;
    let (queue, exchange, key) = (text(to, "queue")?, text(to, "exchange")?, text(to, "routing_key")?);
    if key.is_some_and(|key| key.len() > 255) {
        return Err(Failure::bad_request("to.routing_key has more than 255 bytes"));
    }
    match (queue, exchange, key) {
        (Some(queue), None, None) => Ok(MoveTo::Queue(queue.to_owned())),
        (None, Some(name), key) => {
            let name = if name == DEFAULT_EXCHANGE { "" } else { name };
            Ok(MoveTo::Exchange { name: name.to_owned(), routing_key: key.map(str::to_owned) })
        }
        _ => Err(Failure::bad_request("to must have a queue, or an exchange and perhaps a routing_key")),
    }
}

fn number(object: &Map<String, Value>, name: &str) -> Result<Option<u64>, Failure> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64();
            number.map(Some).ok_or_else(|| {
                Failure::bad_request(format!("{name} must be a whole number, and not negative"))
            })
        }
    }
}

/// Checks what can be checked at once, and begins the job.
fn begin(
    call: &Call,
    kind: &'static str,
    object: &Map<String, Value>,
    to: MoveTo,
) -> Result<Answer, Failure> {
    let rate = match object.get("rate") {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_f64().filter(|rate| *rate >= RATE_MIN).ok_or_else(|| {
            Failure::bad_request(format!("rate must be a number of messages a second, at least {RATE_MIN}"))
        })?),
    };
    let (filter, limit) = (Filter::of_body(object)?, number(object, "limit")?.unwrap_or(u64::MAX));
    let dry_run = switch(object, "dry_run")?;
    if call.body.len() > ASKED_MAX_BYTES {
        return Err(Failure::bad_request(format!(
            "a job is remembered with what was asked for, which may have {ASKED_MAX_BYTES} bytes"
        )));
    }
    let (vhost, from, mut authority) = permitted(call, Action::Read)?;
    if from.owner().is_some() {
        return Err(Failure::bad_request(format!(
            "queue '{}' is exclusive to a connection, which alone may take its messages",
            from.name()
        )));
    }
    match &to {
        MoveTo::Queue(name) => {
            check_write(&mut authority, "")?;
            let target = vhost.queues().get(name);
            let target = target
                .ok_or_else(|| Failure::bad_request(format!("there is no queue '{name}' to move to")))?;
            if target.id() == from.id() {
                return Err(Failure::bad_request("a queue cannot be moved into itself"));
            }
        }
        MoveTo::Exchange { name, .. } => {
            check_write(&mut authority, name)?;
            if vhost.check_publish(name).is_err() {
                return Err(Failure::bad_request(format!(
                    "there is no exchange '{name}' that may be published to"
                )));
            }
        }
        MoveTo::Origin { .. } => {}
    }
    let order = Order {
        kind,
        vhost: vhost.name().to_string(),
        queue: from.name().to_string(),
        user: call.user()?.name.to_string(),
        dry_run,
        asked: Value::Object(object.clone()),
    };
    let environment = Arc::clone(&call.site.environment);
    let mut transfer = Transfer { environment, vhost, from, authority, to, filter, limit, rate, dry_run };
    // It may go before it begins.
    transfer.from.status().map_err(gone)?;
    let job = call.site.jobs.begin(order, move |job| transfer.run(job).unwrap_or_else(End::of))?;
    Ok(accepted(&job))
}

fn check_write(authority: &mut Authority, exchange: &str) -> Result<(), Failure> {
    let permitted = authority.permits(Action::Write, Resource::Exchange(exchange));
    permitted.map_err(|exception| Failure::of_method(&exception))
}

/// Why a job cannot go on.
enum Stopped {
    Cancelled,
    Gone(Gone),
    DiskFailed,
    NotPermitted(String),
}

impl From<Gone> for Stopped {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl End {
    fn of(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Cancelled => Self::Cancelled,
            Stopped::Gone(Gone::Deleted) => Self::Failed("The queue was deleted".to_owned()),
            Stopped::Gone(Gone::Crashed) => Self::Failed("The queue has failed; see the log".to_owned()),
            Stopped::DiskFailed => Self::Failed("The disk failed; restart the broker".to_owned()),
            Stopped::NotPermitted(text) => Self::Failed(text),
        }
    }
}

/// Messages that go together.
#[derive(Default)]
struct Batch {
    going: Vec<Going>,
    bytes: usize,
    rooms: Rooms,
}

impl Transfer {
    /// All that is ready when it begins, in its order.
    fn run(&mut self, job: &Job) -> Result<End, Stopped> {
        let end = self.from.next().ok_or(Gone::Deleted)?;
        job.progress().total = self.from.status()?.ready as u64;
        let mut pace = Pace::new(self.rate, Instant::now());
        let (mut walk, mut batch, mut found) = (Walk::default(), Batch::default(), Found::default());
        let mut wanted = 0;
        while wanted < self.limit
            && let Some(part) = walk.next(&self.from)?
        {
            let now = Time::now();
            job.progress().unreadable = walk.unreadable();
            for seen in part.iter().filter(|seen| seen.position < end) {
                if wanted >= self.limit {
                    break;
                }
                job.progress().looked_at += 1;
                if !self.filter.has(&seen.message, now) {
                    continue;
                }
                let (vhost, authority) = (&self.vhost, &mut self.authority);
                let mut permits = |exchange: &str, key: &str| may_publish(authority, vhost, exchange, key);
                let may_go = self.vhost.may_go(
                    (&self.from, seen),
                    &self.to,
                    (&mut batch.rooms, &mut found),
                    &mut permits,
                );
                let mut progress = job.progress();
                progress.matched += 1;
                match may_go {
                    Ok(going) => {
                        wanted += 1;
                        batch.bytes = batch.bytes.saturating_add(seen.message.len());
                        batch.going.push(going);
                    }
                    Err(stays) => progress.stays(stays.as_str(), 1),
                }
                drop(progress);
                if batch.going.len() >= pace.part(BATCH_MAX) || batch.bytes >= BATCH_MAX_BYTES {
                    self.send(job, std::mem::take(&mut batch), &mut pace)?;
                }
            }
            // What was seen may be long gone when it is to go.
            self.send(job, std::mem::take(&mut batch), &mut pace)?;
        }
        Ok(End::Finished)
    }

    /// Some messages go, and what was paid for that is waited for.
    fn send(&mut self, job: &Job, batch: Batch, pace: &mut Pace) -> Result<(), Stopped> {
        self.await_leave(job)?;
        if batch.going.is_empty() {
            return Ok(());
        }
        let count = if self.dry_run {
            let mut progress = job.progress();
            for going in &batch.going {
                going.targets().iter().for_each(|target| progress.went_to(target.name().as_str(), 1));
            }
            let count = batch.going.len() as u64;
            progress.done = progress.done.saturating_add(count);
            return Ok(());
        } else {
            let moved = self.vhost.move_out(&self.from, batch.going)?;
            if !self.environment.vhosts.wait(moved.until) {
                return Err(Stopped::DiskFailed);
            }
            let mut progress = job.progress();
            progress.done = progress.done.saturating_add(moved.count);
            moved.to.iter().for_each(|(queue, count)| progress.went_to(queue, *count));
            moved.stay.iter().for_each(|(why, count)| progress.stays(why.as_str(), *count));
            moved.count
        };
        job.rest(pace.rest(count, Instant::now()));
        Ok(())
    }

    /// Waits while an alarm is raised or the disk is behind, as publishers do, and looks whether it may go on.
    fn await_leave(&mut self, job: &Job) -> Result<(), Stopped> {
        loop {
            if job.is_cancelled() || self.environment.stopping.is_cancelled() {
                return Err(Stopped::Cancelled);
            }
            let read = self.authority.permits(Action::Read, Resource::Queue(self.from.name().as_str()));
            read.map_err(|exception| Stopped::NotPermitted(exception.text))?;
            let Some(why) = self.held() else {
                job.progress().waits_for = None;
                return Ok(());
            };
            job.progress().waits_for = Some(why);
            job.rest(ALARM_INTERVAL);
        }
    }

    /// Why nothing may be published at present.
    fn held(&self) -> Option<String> {
        if self.dry_run {
            return None;
        }
        if let Some(reason) = self.environment.alarms.raised().reason() {
            return Some(reason.to_owned());
        }
        self.vhost.stored()?.handle.blocked().map(|blocked| blocked.to_string())
    }
}

/// Whether whoever asked may publish to an exchange with a key.
fn may_publish(authority: &mut Authority, vhost: &Vhost, exchange: &str, key: &str) -> bool {
    if authority.permits(Action::Write, Resource::Exchange(exchange)).is_err() {
        return false;
    }
    let is_topic = |name: &str| {
        let found = vhost.exchanges().get(name);
        found.is_some_and(|found| found.options().exchange_type == ExchangeType::Topic)
    };
    authority.rights().topics.is_empty()
        || !is_topic(exchange)
        || authority.permits(Action::Write, Resource::Topic(exchange, key)).is_ok()
}
