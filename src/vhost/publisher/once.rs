//! Messages that exchanges and queues take once only: which of them are on their way, and which are copies of others.

use std::sync::Arc;

use super::Origin;
use crate::place::Position;
use crate::queue::Queue;
use crate::queue::queue::Published;
use crate::store::original::{Fate, Original, Outcome};
use crate::store::stored::KeyRecord;
use crate::store::unit::Unit;

/// An exchange knows the key of a message from now on, unless that comes to nothing.
pub struct Claim {
    /// The queue that knows it for the exchange.
    pub keys: Arc<Queue>,
    /// What it knows.
    pub record: KeyRecord,
    /// What becomes of the message.
    pub original: Original,
}

/// What exchanges found of a message that was routed.
#[derive(Default)]
pub struct Claims {
    /// Those that did not know it.
    pub claimed: Vec<Claim>,
    /// What becomes of the ones that others know it by; nothing where that is safe.
    pub known: Vec<Option<Fate>>,
}

impl Claims {
    /// Whether no exchange has looked at the message.
    pub fn is_empty(&self) -> bool {
        self.claimed.is_empty() && self.known.is_empty()
    }

    /// The message came to nothing.
    pub fn withdraw(&mut self) {
        self.claimed.drain(..).for_each(Claim::withdraw);
    }
}

impl Claim {
    fn withdraw(self) {
        self.keys.withdraw(self.record);
    }
}

/// A publish that is a copy of another one.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Which publish.
    pub origin: Origin,
    /// What becomes of the other one; nothing when it is safe.
    pub fate: Option<Fate>,
}

impl Copied {
    /// Whether the other one may still come to nothing.
    pub fn is_unsure(&self) -> bool {
        self.fate.as_ref().is_some_and(|fate| !matches!(fate.outcome(), Some(Outcome::Taken(_))))
    }
}

/// What is to be known of the messages of one connection on their way.
#[derive(Default)]
pub(super) struct Once {
    /// Of the one that was routed last and is not gathered yet.
    pub(super) routed: Claims,
    /// Of those that are gathered.
    gathered: Vec<Gathered>,
    pub(super) copied: Vec<Copied>,
}

struct Gathered {
    claim: Claim,
    /// Whether the message has a record in the unit.
    journalled: bool,
    /// Where it was gathered: for which of the known queues, and as which of its messages.
    places: Vec<(u32, u32)>,
    is_refused: bool,
}

impl Once {
    /// The message that was routed goes nowhere. Whether that is because exchanges know it.
    #[cold]
    pub(super) fn goes_nowhere(&mut self, origin: Origin) -> bool {
        let is_known = !self.routed.known.is_empty();
        self.note_known(origin);
        self.routed.withdraw();
        is_known
    }

    /// The message that was routed is gathered at these places.
    #[cold]
    pub(super) fn gather(&mut self, origin: Origin, journalled: bool, places: &[(u32, u32)]) {
        self.note_known(origin);
        for claim in self.routed.claimed.drain(..) {
            self.gathered.push(Gathered { claim, journalled, places: places.to_vec(), is_refused: false });
        }
    }

    fn note_known(&mut self, origin: Origin) {
        self.copied.extend(self.routed.known.drain(..).map(|fate| Copied { origin, fate }));
    }

    /// Whether anything is gathered.
    pub(super) fn is_waiting(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// What was gathered for a queue was handed to it; nothing of it when that has failed.
    pub(super) fn handed_over(&mut self, at: u32, published: Option<&Published>) {
        for gathered in &mut self.gathered {
            let of_queue = |place: &&(u32, u32)| place.0 == at;
            gathered.is_refused |= gathered.places.iter().find(of_queue).is_some_and(|(_, index)| {
                published.is_none_or(|published| published.refused.binary_search(index).is_ok())
            });
        }
    }

    /// All that was gathered was handed over: what is known of it is written down.
    pub(super) fn finish(&mut self, unit: &mut Unit) {
        for Gathered { claim, journalled, is_refused, .. } in self.gathered.drain(..) {
            if is_refused {
                claim.withdraw();
                continue;
            }
            let Claim { keys, record, original } = claim;
            if journalled
                && keys.is_journalled()
                && let Some(file) = unit.file()
                && let Ok(size) = keys.claim_recorded(record, file)
            {
                unit.group().know(keys.id(), size, record);
            }
            unit.keep(original);
        }
    }
}

/// A queue has come to know keys with a batch, whose records are in the unit.
pub(super) fn know(queue: &Queue, published: &Published, unit: &mut Unit) {
    for record in &published.keys.records {
        debug_assert_ne!(record.position, Position::NOWHERE);
        unit.group().know(queue.id(), published.keys.size, *record);
    }
}
