//! Queues with features, each used by one client that does one thing after the other and knows what there must be: where a
//! message went that died, when one comes that waits for its time, in which order they come, and how often they came back.
//!
//! A queue's dead letters go to a queue of their own. A confirmed message that was not settled is in one of the two, and
//! in one only, however the broker ended.

mod letter;
mod play;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::support::{Message, Properties, Table};

/// A message: its number among all of one client.
type Number = u64;

/// What a queue has that others have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// What is rejected dies.
    Rejected,
    /// Some messages expire.
    Expired,
    /// No more than [`LENGTH_MAX`] may be ready.
    Length,
    /// No message may fail more often than [`FAILURES_MAX`].
    Failures,
    /// Messages wait for their times.
    Scheduled,
    /// Those of a group go one after the other.
    Groups,
    Priorities,
}

const LENGTH_MAX: usize = 8;
const FAILURES_MAX: u32 = 3;
const PRIORITY_MAX: u8 = 5;

impl Feature {
    const ALL: [Self; 7] = [
        Self::Rejected,
        Self::Expired,
        Self::Length,
        Self::Failures,
        Self::Scheduled,
        Self::Groups,
        Self::Priorities,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Length => "length",
            Self::Failures => "failures",
            Self::Scheduled => "scheduled",
            Self::Groups => "groups",
            Self::Priorities => "priorities",
        }
    }

    /// Why its dead letters died, as the broker says it.
    fn reason(self) -> Option<&'static str> {
        match self {
            Self::Rejected => Some("rejected"),
            Self::Expired => Some("expired"),
            Self::Length => Some("maxlen"),
            Self::Failures => Some("delivery_limit"),
            Self::Scheduled | Self::Groups | Self::Priorities => None,
        }
    }
}

/// One queue, the queue of its dead letters, and what is known of their messages.
#[derive(Debug)]
struct Line {
    feature: Feature,
    queue: String,
    letters: String,
    /// Those that may be there.
    messages: BTreeMap<Number, Known>,
    /// Those that were there and were settled for good.
    done: BTreeSet<Number>,
    /// The latest dead letter, and how many there were.
    latest_letter: Option<Number>,
    letters_taken: usize,
}

/// What is known of a message.
#[derive(Clone, Debug)]
struct Known {
    confirmed: bool,
    sent: Instant,
    fate: Fate,
    /// How often it has failed at most, and how often of these that is on the disk.
    failures: u32,
    failures_for_sure: u32,
    /// It was got since the broker started.
    was_got: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing yet.
    Waits,
    /// It was got and not settled.
    Held,
    /// It was acknowledged; that is on the disk, or may be.
    Acked { for_sure: bool },
    /// It was rejected for good, the same.
    Rejected { for_sure: bool },
}

/// The queues of one client.
#[derive(Debug)]
pub(crate) struct Features {
    lines: Vec<Line>,
    next: Number,
    violations: Vec<String>,
}

impl Features {
    pub(crate) fn new(name: &str) -> Self {
        let line = |feature: Feature| Line {
            feature,
            queue: format!("{name}.{}", feature.name()),
            letters: format!("{name}.{}.letters", feature.name()),
            messages: BTreeMap::new(),
            done: BTreeSet::new(),
            latest_letter: None,
            letters_taken: 0,
        };
        Self { lines: Feature::ALL.map(line).into(), next: 0, violations: Vec::new() }
    }
}

impl Features {
    /// How many messages were published.
    pub(crate) fn len(&self) -> u64 {
        self.next
    }

    /// How many of them died and were found.
    pub(crate) fn letters(&self) -> usize {
        self.lines.iter().map(|line| line.letters_taken).sum()
    }
}

impl Line {
    fn arguments(&self) -> Table {
        let dead = Table::new().text("x-dead-letter-exchange", "");
        let dead = dead.text("x-dead-letter-routing-key", &self.letters);
        match self.feature {
            Feature::Rejected | Feature::Expired => dead,
            Feature::Length => dead.int("x-max-length", i32::try_from(LENGTH_MAX).unwrap()),
            Feature::Failures => dead.int("x-delivery-limit", i32::try_from(FAILURES_MAX).unwrap()),
            Feature::Scheduled => Table::new().boolean("x-scheduled", true),
            Feature::Groups => Table::new().text("x-message-group", "correlation-id"),
            Feature::Priorities => Table::new().int("x-max-priority", i32::from(PRIORITY_MAX)),
        }
    }

    /// How long a message waits before it is delivered, or expires, in milliseconds; for ever if it does neither.
    fn waits(&self, number: Number) -> Option<u64> {
        match self.feature {
            Feature::Expired => [None, Some(1), Some(40), Some(200)][at(number, 4)],
            Feature::Scheduled => [None, Some(5), Some(60), Some(250)][at(number, 4)],
            _ => None,
        }
    }

    /// The group of a message; none of every fourth.
    fn group(&self, number: Number) -> Option<usize> {
        (self.feature == Feature::Groups).then(|| at(number, 4)).filter(|group| *group > 0)
    }

    fn headers(&self, number: Number) -> Table {
        let delay = self.waits(number).filter(|_| self.feature == Feature::Scheduled);
        delay.map_or(Table::new(), |delay| Table::new().int("x-delay", i32::try_from(delay).unwrap()))
    }

    /// The properties of a message with these headers, and its expiration if it still has that.
    fn properties(&self, number: Number, headers: &Table, expires: bool) -> Vec<u8> {
        let mut properties = Properties::new();
        if !headers.0.is_empty() {
            properties = properties.headers(headers);
        }
        properties = properties.delivery_mode(2);
        if self.feature == Feature::Priorities {
            properties = properties.priority(priority(number));
        }
        if let Some(group) = self.group(number) {
            properties = properties.text(Properties::CORRELATION_ID, format!("{group}"));
        }
        let expiration = self.waits(number).filter(|_| expires && self.feature == Feature::Expired);
        if let Some(expiration) = expiration {
            properties = properties.text(Properties::EXPIRATION, expiration.to_string());
        }
        properties.text(Properties::MESSAGE_ID, number.to_string()).encoded()
    }

    fn body(&self, number: Number) -> Vec<u8> {
        let size = [10, 60, 300, 5000][at(number / 5, 4)];
        format!("{number} of {} ", self.queue).into_bytes().into_iter().cycle().take(size + 40).collect()
    }

    /// Which message it is, by its body.
    fn number_of(message: &Message) -> Option<Number> {
        let end = message.body.iter().position(|octet| *octet == b' ')?;
        std::str::from_utf8(&message.body[..end]).ok()?.parse().ok()
    }
}

fn priority(number: Number) -> u8 {
    u8::try_from(at(number / 3, usize::from(PRIORITY_MAX) + 1)).unwrap()
}

/// A number below `bound` that follows from another one.
fn at(number: Number, bound: usize) -> usize {
    usize::try_from(number).unwrap() % bound
}
