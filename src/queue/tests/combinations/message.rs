//! A message as the model knows it.

use std::time::Duration;

use leveret_protocol::properties::PropertiesBuilder;
use leveret_protocol::table::TableBuilder;

use super::plan::{Plan, Publication};
use crate::message::Message;
use crate::queue::death::Reason;
use crate::queue::id::UnackedKey;
use crate::store::stored::Returns;
use crate::time::Time;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Ready,
    /// With a consumer, or with who got it, until it is settled.
    Held {
        by: Option<usize>,
        key: UnackedKey,
        late: Option<Time>,
    },
    /// On its way to a consumer that acknowledges automatically.
    OnItsWay {
        to: usize,
    },
    /// It came back, and waits to be tried again.
    Retrying(Time),
    /// It waits for its time.
    Scheduled(Time),
    /// It is dead, and the undertaker has not seen to it.
    Leaving(Reason),
    /// It could not leave, and is tried again.
    Staying(Reason, Time),
    Gone,
}

/// With whom a message is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum With {
    /// He may have more of its group.
    Consumer(usize),
    /// It was got, or waits to be tried again: nobody may.
    Nobody,
}

/// A message as the model knows it. It is known by its position, which is where it stands in the list of all.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Its first position, as its body says it: it has others when it is published again.
    pub(super) label: usize,
    pub(super) place: Place,
    pub(super) priority: Option<u8>,
    pub(super) level: u8,
    pub(super) group: Option<u8>,
    pub(super) bytes: u64,
    pub(super) persistent: bool,
    pub(super) journalled: bool,
    pub(super) arrived: Time,
    pub(super) expiration: Option<Duration>,
    /// How long it wants to wait first, if it still has to.
    pub(super) delay: Option<Duration>,
    pub(super) retry_delay: Option<Duration>,
    pub(super) returns: Returns,
    /// What of that is in the journal.
    pub(super) recorded: Returns,
    pub(super) redelivered: bool,
}

impl Known {
    /// A message as the queue of a plan takes it at this time, and which of all that are published.
    pub(super) fn new(publication: &Publication, plan: &Plan, label: usize, now: Time) -> Self {
        Self {
            label,
            place: Place::Ready,
            priority: publication.priority,
            level: publication.priority.unwrap_or(0).min(plan.max_priority),
            group: publication.group,
            bytes: publication.body_len as u64,
            persistent: publication.persistent,
            journalled: plan.durable && publication.persistent,
            arrived: now,
            expiration: publication.expiration.map(Duration::from_millis),
            delay: publication.delay.filter(|delay| *delay > 0).map(Duration::from_millis),
            retry_delay: publication.retry_delay.map(Duration::from_millis),
            returns: Returns::default(),
            recorded: Returns::default(),
            redelivered: false,
        }
    }

    /// The same message when its time has come: it arrives anew.
    pub(super) fn woken(&self, now: Time) -> Self {
        Self { place: Place::Ready, arrived: now, delay: None, redelivered: false, ..self.clone() }
    }

    /// With whom it is in flight, if it is, as far as its group is concerned.
    pub(super) fn in_flight(&self) -> Option<With> {
        match self.place {
            Place::Held { by: Some(by), .. } => Some(With::Consumer(by)),
            Place::OnItsWay { to } => Some(With::Consumer(to)),
            Place::Held { by: None, .. } | Place::Retrying(_) => Some(With::Nobody),
            _ => None,
        }
    }

    /// When it wants to go out, if that is later than it came.
    pub(super) fn scheduled_for(&self) -> Option<Time> {
        self.delay.map(|delay| self.arrived.plus(delay))
    }
}

impl Known {
    /// The message itself.
    pub(super) fn message(&self) -> Message {
        let Self { group, priority, expiration, .. } = self;
        let type_ = group.map(|group| group.to_string());
        let expiration = expiration.map(|after| after.as_millis().to_string());
        let headers = self.headers().finish();
        let properties = PropertiesBuilder {
            delivery_mode: self.persistent.then_some(2),
            priority: *priority,
            expiration: expiration.as_deref(),
            type_: type_.as_deref(),
            headers: (!headers.is_empty()).then(|| headers.as_table()),
            ..PropertiesBuilder::default()
        };
        let mut body = self.label.to_be_bytes().to_vec();
        body.resize(usize::try_from(self.bytes).unwrap(), 7);
        let mut message = Message::compose("", "q", &properties.finish(), &body).unwrap();
        message.arrive(self.arrived);
        message
    }

    fn headers(&self) -> TableBuilder {
        let millis = |after: Duration| i64::try_from(after.as_millis()).unwrap();
        let mut table = TableBuilder::new();
        if let Some(delay) = self.delay {
            table = table.long("x-delay", millis(delay));
        }
        match self.retry_delay {
            Some(delay) => table.long("x-retry-delay", millis(delay)),
            None => table,
        }
    }
}
