//! What is done to a queue, of which kind it is and what is in force on it, drawn from a seed.

use std::time::Duration;

use super::super::super::core::Settlement;
use super::super::super::groups::{GroupBy, MessageGroups};
use super::super::super::options::QueueOptions;
use super::super::super::retry::{Retry, Which};
use super::super::super::terms::{DeadLetter, Overflow, Terms};
use crate::name::ExchangeName;
use crate::store::simulated::Random;

/// A queue, and what happens to it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) max_priority: u8,
    pub(super) grouped: bool,
    pub(super) single_active: bool,
    /// Whether persistent messages are journalled.
    pub(super) durable: bool,
    pub(super) terms: Terms,
    pub(super) steps: Vec<Step>,
}

/// A message to be published. Times are in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Publication {
    pub(super) body_len: usize,
    pub(super) persistent: bool,
    pub(super) priority: Option<u8>,
    pub(super) group: Option<u8>,
    pub(super) expiration: Option<u64>,
    /// `x-delay`.
    pub(super) delay: Option<u64>,
    /// `x-retry-delay`.
    pub(super) retry_delay: Option<u64>,
}

/// What happens; a `which` counts round among what there is.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Publish(Vec<Publication>),
    /// So many milliseconds go by.
    Time(u64),
    Consume(Consuming),
    Settle {
        which: Vec<usize>,
        settlement: Settlement,
    },
    /// A consumer that acknowledges automatically is sent what is on its way, or its connection ends before.
    Send {
        which: usize,
        ends: bool,
    },
    /// A consumer goes. What it holds comes back before that, or stays unacked.
    Cancel {
        which: usize,
        returns: Option<Settlement>,
    },
    Get {
        no_ack: bool,
    },
    Purge,
    /// Other terms, as by a policy.
    SetTerms(Box<Terms>),
    Pause(bool),
    /// The undertaker sees to as many dead messages, or finds that they cannot leave.
    Bury {
        most: usize,
        stay: bool,
    },
    /// A message that waits for its time is to go at another one, so many milliseconds from now, or is taken back.
    Reschedule {
        which: usize,
        to: Option<u64>,
    },
    /// Messages leave memory: blocks behind so many, or everything, if nobody consumes.
    PageOut {
        keep: Option<usize>,
    },
    /// The broker is killed and another one starts.
    Restart,
}

/// A consumer as it comes.
#[derive(Clone, Debug)]
pub(super) struct Consuming {
    pub(super) prefetch: u16,
    pub(super) no_ack: bool,
    pub(super) priority: i64,
    pub(super) exclusive: bool,
    pub(super) timeout: Option<Duration>,
}

impl Plan {
    /// The plan of this seed.
    pub(super) fn drawn(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let count = 10 + random.below(70);
        Self {
            max_priority: if random.one_in(2) { 3 } else { 0 },
            grouped: random.one_in(2),
            single_active: random.one_in(4),
            durable: !random.one_in(4),
            terms: terms(random),
            steps: (0..count).map(|_| step(random)).collect(),
        }
    }

    /// The queue's declaration.
    pub(super) fn options(&self) -> QueueOptions {
        let groups = MessageGroups { by: GroupBy::named("type"), look_ahead: 100_000 };
        QueueOptions {
            single_active_consumer: self.single_active,
            max_priority: self.max_priority,
            message_groups: self.grouped.then_some(groups),
            ..QueueOptions::default()
        }
    }
}

/// This, once in so many times.
fn now_and_then<T>(random: &mut Random, times: u64, draw: impl FnOnce(&mut Random) -> T) -> Option<T> {
    random.one_in(times).then(|| draw(random))
}

fn pick<T: Clone>(random: &mut Random, of: &[T]) -> T {
    of[usize::try_from(random.below(of.len() as u64)).unwrap()].clone()
}

fn millis(random: &mut Random, of: &[u64]) -> Duration {
    Duration::from_millis(pick(random, of))
}

fn terms(random: &mut Random) -> Terms {
    Terms {
        message_ttl: now_and_then(random, 3, |random| millis(random, &[0, 60, 300, 300, 1500])),
        max_length: now_and_then(random, 3, |random| pick(random, &[0, 1, 2, 4, 8])),
        max_length_bytes: now_and_then(random, 6, |random| pick(random, &[40, 120, 400])),
        overflow: pick(
            random,
            &[Overflow::DropHead, Overflow::RejectPublish, Overflow::RejectPublishDeadLetter],
        ),
        dead_letter: now_and_then(random, 2, |random| DeadLetter {
            exchange: ExchangeName::from("dlx"),
            routing_key: None,
            at_least_once: random.one_in(2),
        }),
        delivery_limit: now_and_then(random, 3, |random| pick(random, &[0, 1, 2, 3])),
        retry: now_and_then(random, 3, |random| Retry {
            which: pick(random, &[Which::All, Which::Failed, Which::Returned]),
            min: millis(random, &[20, 100, 400]),
            max: millis(random, &[100, 500]),
            factor: pick(random, &[None, Some(1000), Some(2500)]),
            jitter: 0,
        }),
        consumer_timeout: now_and_then(random, 4, |random| millis(random, &[50, 200, 1000])),
        scheduled: random.one_in(2),
        ..Terms::default()
    }
}

fn publication(random: &mut Random) -> Publication {
    Publication {
        body_len: pick(random, &[8, 8, 20, 60]),
        persistent: !random.one_in(3),
        priority: now_and_then(random, 2, |random| u8::try_from(random.below(6)).unwrap()),
        group: (!random.one_in(4)).then(|| u8::try_from(random.below(3)).unwrap()),
        expiration: now_and_then(random, 4, |random| pick(random, &[0, 50, 150, 500, 2000])),
        delay: now_and_then(random, 5, |random| pick(random, &[0, 30, 100, 100, 700, 60_000])),
        retry_delay: now_and_then(random, 10, |random| pick(random, &[0, 50, 1000])),
    }
}

fn step(random: &mut Random) -> Step {
    let which = usize::try_from(random.below(1 << 16)).unwrap();
    match random.below(106) {
        0..26 => {
            let count = 1 + random.below(4);
            Step::Publish((0..count).map(|_| publication(random)).collect())
        }
        26..40 => Step::Time(pick(random, &[1, 10, 40, 100, 100, 300, 1000, 5000, 100_000])),
        40..52 => Step::Consume(Consuming {
            prefetch: pick(random, &[0, 1, 1, 2, 3]),
            no_ack: random.one_in(4),
            priority: pick(random, &[0, 0, 1, -1]),
            exclusive: random.one_in(20),
            timeout: now_and_then(random, 8, |random| millis(random, &[0, 50, 500])),
        }),
        52..71 => {
            let count = 1 + random.below(3);
            let settlement = pick(
                random,
                &[
                    Settlement::Discard,
                    Settlement::Discard,
                    Settlement::Reject,
                    Settlement::Requeue,
                    Settlement::Requeue,
                    Settlement::Return,
                ],
            );
            let which = (0..count).map(|_| usize::try_from(random.below(64)).unwrap()).collect();
            Step::Settle { which, settlement }
        }
        71..75 => Step::Send { which, ends: random.one_in(3) },
        75..80 => Step::Cancel {
            which,
            returns: pick(random, &[None, Some(Settlement::Requeue), Some(Settlement::Unsent)]),
        },
        80..84 => Step::Get { no_ack: random.one_in(3) },
        84 => Step::Purge,
        85..90 => Step::SetTerms(Box::new(if random.one_in(4) { Terms::default() } else { terms(random) })),
        90..92 => Step::Pause(random.one_in(3)),
        92..96 => Step::Bury { most: usize::try_from(1 + random.below(4)).unwrap(), stay: random.one_in(3) },
        96..98 => {
            Step::Reschedule { which, to: now_and_then(random, 2, |random| pick(random, &[1, 80, 600])) }
        }
        98..104 => Step::PageOut { keep: now_and_then(random, 2, |random| pick(random, &[0, 1, 4])) },
        _ => Step::Restart,
    }
}
