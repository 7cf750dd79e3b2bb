//! What happens to the things of a broker, for whoever listens at `amq.rabbitmq.event`.
//!
//! It is noted where it happens, perhaps under a lock, and published by a thread of its own. As long as nobody listens nothing is
//! noted.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use leveret_protocol::table::{TableBuf, TableBuilder};

use crate::time::Time;

/// The exchange where events are told.
pub const EVENT_EXCHANGE: &str = "amq.rabbitmq.event";
/// Who does what nobody has asked for, as RabbitMQ calls it.
const NOBODY: &str = "rmq-internal";
/// So many wait at most, with so many bytes of headers, in which there is text of clients; what comes beyond that is counted
/// and lost.
const WAITING_MAX: usize = 100_000;
const WAITING_MAX_BYTES: usize = 32 * 1024 * 1024;

thread_local! {
    /// For whom this thread does what it does.
    static ACTING: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// While there is one, this thread acts for a user.
#[derive(Debug)]
pub struct Acting(Option<Arc<str>>);

/// This thread acts for a user until what is given goes.
pub fn acting_for(user: &str) -> Acting {
    Acting(ACTING.replace(Some(user.into())))
}

impl Drop for Acting {
    fn drop(&mut self) {
        ACTING.set(self.0.take());
    }
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What: the routing key.
    pub key: &'static str,
    /// To what.
    pub headers: TableBuf,
    /// When.
    pub at: Time,
}

/// The events of a broker.
#[derive(Debug, Default)]
pub struct Events {
    wanted: AtomicBool,
    waiting: Mutex<Waiting>,
    come: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    /// Of their headers.
    bytes: usize,
    lost: u64,
    is_closed: bool,
}

impl Events {
    /// Whether somebody listens.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Somebody listens from now on, or nobody does.
    pub fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    /// Something has happened: these headers say to what. Who did it and when is added.
    #[inline]
    pub fn tell(&self, key: &'static str, headers: impl FnOnce(TableBuilder) -> TableBuilder) {
        if self.is_wanted() {
            self.note(key, headers(TableBuilder::new()));
        }
    }

    /// Limits have changed to these: they are set, or there are none any more.
    pub fn tell_limits(
        &self,
        [set, cleared]: [&'static str; 2],
        headers: impl FnOnce(TableBuilder) -> TableBuilder,
        limits: &[(&str, Option<u64>)],
    ) {
        let key = if limits.iter().any(|(_, max)| max.is_some()) { set } else { cleared };
        self.tell(key, |told| {
            let there = limits.iter().filter_map(|(name, max)| Some((*name, (*max)?)));
            there.fold(headers(told), |told, (name, max)| {
                told.long(name, i64::try_from(max).unwrap_or(i64::MAX))
            })
        });
    }

    #[cold]
    fn note(&self, key: &'static str, headers: TableBuilder) {
        let at = Time::now();
        let headers = ACTING.with_borrow(|user| {
            headers.string("user_who_performed_action", user.as_deref().unwrap_or(NOBODY))
        });
        let milliseconds = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        let headers = headers.long("timestamp_in_ms", milliseconds).finish();
        let mut waiting = self.lock();
        let bytes = waiting.bytes + headers.as_bytes().len();
        if waiting.events.len() < WAITING_MAX && bytes <= WAITING_MAX_BYTES {
            waiting.bytes = bytes;
            waiting.events.push_back(Event { key, headers, at });
        } else {
            waiting.lost += 1;
        }
        drop(waiting);
        self.come.notify_one();
    }

    /// What has happened since this was last asked, and how many events were lost; waits for some. Nothing at the end.
    pub fn next(&self) -> Option<(VecDeque<Event>, u64)> {
        let waiting = self.lock();
        let is_idle = |waiting: &mut Waiting| waiting.events.is_empty() && !waiting.is_closed;
        let mut waiting = self.come.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner);
        if waiting.events.is_empty() {
            return None;
        }
        waiting.bytes = 0;
        Some((std::mem::take(&mut waiting.events), std::mem::take(&mut waiting.lost)))
    }

    /// Nothing happens any more.
    pub fn close(&self) {
        self.want(false);
        self.lock().is_closed = true;
        self.come.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use leveret_protocol::table::Value;

    use super::*;

    #[test]
    fn what_happens_is_told_in_its_order_with_who_did_it_while_somebody_listens() {
        let events = Events::default();
        events.tell("queue.created", |headers| headers.string("name", "unheard"));
        events.want(true);
        {
            let _acting = acting_for("me");
            events.tell("queue.created", |headers| headers.string("name", "q"));
        }
        events.tell("queue.deleted", |headers| headers.string("name", "q"));
        let (told, lost) = events.next().unwrap();
        let told: Vec<_> = told
            .iter()
            .map(|event| {
                let text =
                    |name| event.headers.as_table().get(name).and_then(Value::as_str).unwrap().to_owned();
                (event.key, text("name"), text("user_who_performed_action"))
            })
            .collect();
        let expected = [("queue.created", "q", "me"), ("queue.deleted", "q", "rmq-internal")];
        assert_eq!(told, expected.map(|(key, name, user)| (key, name.to_owned(), user.to_owned())));
        assert_eq!(lost, 0);
        events.close();
        assert_eq!(events.next(), None);
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_and_what_is_lost_is_counted() {
        let events = Events::default();
        events.want(true);
        let long = "x".repeat(1024 * 1024);
        for _ in 0..40 {
            events.tell("queue.created", |headers| headers.string("name", &long));
        }
        let (told, lost) = events.next().unwrap();
        assert_eq!((told.len(), lost), (31, 9));
        events.tell("queue.created", |headers| headers.string("name", &long));
        assert_eq!(events.next().map(|(told, lost)| (told.len(), lost)), Some((1, 0)), "there is room again");
    }
}
