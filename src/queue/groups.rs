//! Message groups: who holds which group, and what of them waits. Keys and states, no messages.
//!
//! A message of a group that cannot go out yet is *parked*: the queue has looked at it and goes on behind it. A group with
//! messages *in flight* (delivered and not settled, or waiting to be tried again) belongs to who has them; its parked
//! messages are his, in their order. Once one of those comes back the group is *closing*: nothing more of it goes out until
//! nothing is in flight. Then it is free, from its first message on; without messages it is forgotten.
//!
//! Order is that of the queue: by priority, then by position. In each priority all that is parked stands before all that
//! was not looked at.

mod in_line;
mod key;
mod look;

pub use key::{GroupBy, Property};

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Bound;
use std::sync::Arc;

use foldhash::HashMap;

use in_line::InLine;

use super::id::{ConsumerKey, UnackedKey};
use crate::message::Message;
use crate::place::Position;
use crate::time::Time;

/// So many messages are looked at behind others at most, unless a queue wants fewer.
pub const LOOK_AHEAD: u32 = 100_000;
/// So many bytes of messages are, with the one that passes this.
const LOOK_AHEAD_BYTES: u64 = 16 * 1024 * 1024;
/// What a parked message takes in memory beside its own bytes, about.
const PARKED_OVERHEAD_BYTES: u64 = 256;
/// With more groups than this in its tables an emptied queue gives their memory back.
const KEEP_GROUPS: usize = 1024;
/// So many deadlines may be remembered beside twice those of parked messages.
const DEADLINES_SLACK: usize = 1024;

/// A queue's groups, as it was declared with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageGroups {
    /// Where a message's key stands.
    pub by: GroupBy,
    /// How many messages are looked at behind others.
    pub look_ahead: u32,
}

/// Where a message stands in its queue: first the highest priority, then the lowest position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(Reverse<u8>, Position);

impl Place {
    pub(super) fn new(level: u8, position: Position) -> Self {
        Self(Reverse(level), position)
    }

    pub(super) fn level(self) -> u8 {
        self.0.0
    }
}

/// Which group; valid while it has messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupAt(u32);

/// Who has a group's messages in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// A consumer: he gets more of it.
    Consumer(ConsumerKey),
    /// A `basic.get`: it wants no more.
    Get,
}

/// To whom a message may go that was not looked at before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// To anybody.
    Free,
    /// To this consumer.
    Kept(ConsumerKey),
    /// To nobody: others of its group go first, or come back first.
    Waits,
}

/// A parked message that may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) place: Place,
    pub(super) key: UnackedKey,
    /// The consumer that its group belongs to; else it may go to anybody.
    pub(super) to: Option<ConsumerKey>,
}

/// Where the first parked message of a group is found.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Listed {
    #[default]
    Nowhere,
    Free(Place),
    Kept(ConsumerKey, Place),
}

#[derive(Default)]
struct Group {
    name: Option<Arc<[u8]>>,
    keeper: Option<Keeper>,
    in_flight: u32,
    closing: bool,
    parked: InLine,
    listed: Listed,
}

/// The first parked messages of those groups that belong to one consumer.
#[derive(Default)]
struct Kept {
    firsts: BTreeMap<Place, UnackedKey>,
    /// He can take nothing at present.
    asleep: bool,
    /// Where he stands among those that can.
    listed: Option<Place>,
}

/// The groups of one queue that have messages in flight or parked.
pub(super) struct Groups {
    by: GroupBy,
    look_ahead: usize,
    names: HashMap<Arc<[u8]>, u32>,
    states: Vec<Group>,
    vacant: Vec<u32>,
    /// The group of each unacked message that has one, by its key.
    of: Vec<Option<GroupAt>>,
    /// How many messages are parked.
    len: usize,
    /// These in their order, once that was asked for and until there are none: most queues only want it of each group.
    in_order: Option<BTreeMap<Place, UnackedKey>>,
    /// The bodies of these, in bytes, and all of them.
    body_bytes: u64,
    bytes: u64,
    /// Of each free group the first, and all that belong to none.
    free: BTreeMap<Place, UnackedKey>,
    kept: HashMap<ConsumerKey, Kept>,
    /// Consumers that may be able to take more of what is theirs, by the first of that.
    awake: BTreeSet<(Place, ConsumerKey)>,
    /// Deadlines of parked messages. One may have left since.
    deadlines: BinaryHeap<Reverse<(Time, Place)>>,
}

impl Groups {
    pub(super) fn new(options: &MessageGroups) -> Self {
        Self {
            by: options.by.clone(),
            look_ahead: options.look_ahead as usize,
            names: HashMap::default(),
            states: Vec::new(),
            vacant: Vec::new(),
            of: Vec::new(),
            len: 0,
            in_order: None,
            body_bytes: 0,
            bytes: 0,
            free: BTreeMap::new(),
            kept: HashMap::default(),
            awake: BTreeSet::new(),
            deadlines: BinaryHeap::new(),
        }
    }

    /// How many messages are parked.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Their bodies in bytes.
    pub(super) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// What they take in memory, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.bytes.saturating_add((self.len as u64).saturating_mul(PARKED_OVERHEAD_BYTES))
    }

    /// Whether one more may be looked at.
    pub(super) fn has_room(&self) -> bool {
        self.len < self.look_ahead && self.bytes < LOOK_AHEAD_BYTES
    }

    /// The group of a message, which is made when there is none, and to whom the message may go if it was not looked at
    /// before. Follow with [`Self::begin`], [`Self::park`] or [`Self::settled`].
    pub(super) fn look_at(&mut self, message: &Message) -> (Option<GroupAt>, Standing) {
        let Some(key) = self.by.key(message) else { return (None, Standing::Free) };
        if let Some(at) = self.names.get(&*key).copied() {
            let standing = self.states.get(at as usize).map_or(Standing::Waits, Group::standing);
            return (Some(GroupAt(at)), standing);
        }
        let name: Arc<[u8]> = Arc::from(&*key);
        let at = self.vacant.pop().unwrap_or_else(|| {
            self.states.push(Group::default());
            u32::try_from(self.states.len().saturating_sub(1)).unwrap_or(u32::MAX)
        });
        if let Some(group) = self.states.get_mut(at as usize) {
            group.name = Some(Arc::clone(&name));
        }
        self.names.insert(name, at);
        (Some(GroupAt(at)), Standing::Free)
    }

    /// A message that was not parked is in flight.
    pub(super) fn begin(&mut self, key: UnackedKey, group: Option<GroupAt>, keeper: Keeper) {
        let Some(at) = group else { return };
        self.belongs(key, at);
        let Some(state) = self.states.get_mut(at.0 as usize) else { return };
        state.in_flight = state.in_flight.saturating_add(1);
        state.keeper = Some(keeper);
    }

    /// Parks a message.
    pub(super) fn park(&mut self, key: UnackedKey, place: Place, group: Option<GroupAt>, message: &Message) {
        self.len = self.len.saturating_add(1);
        if let Some(in_order) = &mut self.in_order {
            in_order.insert(place, key);
        }
        self.body_bytes = self.body_bytes.saturating_add(message.body_len() as u64);
        self.bytes = self.bytes.saturating_add(message.len() as u64);
        if let Some(at) = group {
            self.belongs(key, at);
            if let Some(state) = self.states.get_mut(at.0 as usize) {
                state.parked.insert(place, key);
            }
            self.settled(group);
        } else {
            self.free.insert(place, key);
        }
        let deadline = message.deadline();
        if deadline != Time::NEVER {
            self.note_deadline(deadline, place);
        }
    }

    /// A parked message leaves, or is given to `keeper`.
    pub(super) fn unpark(
        &mut self,
        key: UnackedKey,
        place: Place,
        message: &Message,
        keeper: Option<Keeper>,
    ) {
        self.len = self.len.saturating_sub(1);
        if let Some(in_order) = &mut self.in_order {
            in_order.remove(&place);
        }
        self.body_bytes = self.body_bytes.saturating_sub(message.body_len() as u64);
        self.bytes = self.bytes.saturating_sub(message.len() as u64);
        if self.len == 0 {
            // What is remembered is of messages that have left.
            (self.deadlines, self.in_order) = (BinaryHeap::new(), None);
        }
        let group = if keeper.is_some() { self.group_of(key) } else { self.leaves(key) };
        let Some(at) = group else {
            self.free.remove(&place);
            return;
        };
        if let Some(state) = self.states.get_mut(at.0 as usize) {
            state.parked.remove(place);
            if keeper.is_some() {
                state.keeper = keeper;
                state.in_flight = state.in_flight.saturating_add(1);
            }
        }
        self.settled(group);
    }

    /// A message is in flight no more. Gives its group: follow with [`Self::settled`] or, when the message comes back, with
    /// [`Self::close`] and [`Self::park`].
    pub(super) fn release(&mut self, key: UnackedKey) -> Option<GroupAt> {
        let at = self.leaves(key)?;
        let state = self.states.get_mut(at.0 as usize)?;
        state.in_flight = state.in_flight.saturating_sub(1);
        Some(at)
    }

    /// Nothing more of the group goes out until nothing is in flight.
    pub(super) fn close(&mut self, group: Option<GroupAt>) {
        if let Some(state) = group.and_then(|at| self.states.get_mut(at.0 as usize)) {
            state.closing = true;
        }
    }

    /// Finds a group's place after a change; forgets it when nothing is left of it.
    pub(super) fn settled(&mut self, group: Option<GroupAt>) {
        let Some(GroupAt(at)) = group else { return };
        let Some(state) = self.states.get_mut(at as usize) else { return };
        if state.in_flight == 0 {
            (state.keeper, state.closing) = (None, false);
        }
        let first = state.parked.first();
        let to = match (first, state.keeper) {
            (None, _) | (Some(_), Some(Keeper::Get)) => Listed::Nowhere,
            (Some((place, _)), None) => Listed::Free(place),
            (Some(_), Some(Keeper::Consumer(_))) if state.closing => Listed::Nowhere,
            (Some((place, _)), Some(Keeper::Consumer(consumer))) => Listed::Kept(consumer, place),
        };
        let from = std::mem::replace(&mut state.listed, to);
        let is_over = first.is_none() && state.in_flight == 0;
        if from != to {
            self.list(from, None);
            self.list(to, first.map(|(_, key)| key));
        }
        if is_over {
            self.forget(at);
        }
    }

    /// The first parked message that may go out, as far as it is known who can take one.
    pub(super) fn next(&self) -> Option<Next> {
        let free = self.first_free();
        let kept = self.awake.first().and_then(|(place, consumer)| {
            let key = *self.kept.get(consumer)?.firsts.get(place)?;
            Some(Next { place: *place, key, to: Some(*consumer) })
        });
        match (free, kept) {
            (Some(free), Some(kept)) => Some(if free.place < kept.place { free } else { kept }),
            (free, kept) => free.or(kept),
        }
    }

    /// The first parked message that may go to anybody.
    pub(super) fn first_free(&self) -> Option<Next> {
        self.free.first_key_value().map(|(place, key)| Next { place: *place, key: *key, to: None })
    }

    /// A consumer can take nothing until it [wakes](Self::wake).
    pub(super) fn sleep(&mut self, consumer: ConsumerKey) {
        self.set_asleep(consumer, true);
    }

    /// A consumer may be able to take something again.
    pub(super) fn wake(&mut self, consumer: ConsumerKey) {
        self.set_asleep(consumer, false);
    }

    /// Any consumer may be.
    pub(super) fn wake_all(&mut self) {
        let asleep: Vec<_> = self.kept.iter().filter(|(_, kept)| kept.asleep).map(|(key, _)| *key).collect();
        for consumer in asleep {
            self.wake(consumer);
        }
    }

    /// The first of all that is parked.
    pub(super) fn first(&mut self) -> Option<(Place, UnackedKey)> {
        self.in_order().first_key_value().map(|(place, key)| (*place, *key))
    }

    /// The first of each priority.
    pub(super) fn firsts(&mut self) -> impl Iterator<Item = UnackedKey> {
        let parked = self.in_order();
        let after = |place: &Place| {
            let last = Place(place.0, Position(u64::MAX));
            parked.range((Bound::Excluded(last), Bound::Unbounded)).next()
        };
        std::iter::successors(parked.first_key_value(), move |(place, _)| after(place)).map(|(_, key)| *key)
    }

    /// All that is parked, in its order.
    fn in_order(&mut self) -> &BTreeMap<Place, UnackedKey> {
        let Self { in_order, states, free, .. } = self;
        // What belongs to no group is free; so is the first of some groups, twice then.
        let all = || {
            states
                .iter()
                .flat_map(|group| group.parked.iter())
                .chain(free.iter().map(|(place, key)| (*place, *key)))
        };
        in_order.get_or_insert_with(|| all().collect())
    }

    /// The earliest deadline of a parked message, or of one that has left; never when none has one.
    pub(super) fn next_deadline(&self) -> Time {
        self.deadlines.peek().map_or(Time::NEVER, |Reverse((deadline, _))| *deadline)
    }

    /// A parked message whose deadline has come.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<UnackedKey> {
        while self.next_deadline() <= now
            && let Some(Reverse((_, place))) = self.deadlines.pop()
        {
            if let Some(key) = self.in_order().get(&place).copied() {
                return Some(key);
            }
        }
        None
    }

    fn note_deadline(&mut self, deadline: Time, place: Place) {
        self.deadlines.push(Reverse((deadline, place)));
        if self.deadlines.len() > self.len.saturating_mul(2).saturating_add(DEADLINES_SLACK) {
            let (mut seen, mut deadlines) = (BTreeSet::new(), std::mem::take(&mut self.deadlines));
            let parked = self.in_order();
            deadlines.retain(|Reverse((_, place))| parked.contains_key(place) && seen.insert(*place));
            self.deadlines = deadlines;
        }
    }

    fn group_of(&self, key: UnackedKey) -> Option<GroupAt> {
        self.of.get(key.at() as usize).copied().flatten()
    }

    fn belongs(&mut self, key: UnackedKey, group: GroupAt) {
        let at = key.at() as usize;
        if at >= self.of.len() {
            self.of.resize(at.saturating_add(1), None);
        }
        if let Some(of) = self.of.get_mut(at) {
            *of = Some(group);
        }
    }

    fn leaves(&mut self, key: UnackedKey) -> Option<GroupAt> {
        self.of.get_mut(key.at() as usize).and_then(Option::take)
    }

    /// Enters the first message of a group where it is to be found, or takes out what is there.
    fn list(&mut self, listed: Listed, first: Option<UnackedKey>) {
        match (listed, first) {
            (Listed::Nowhere, _) => {}
            (Listed::Free(place), Some(key)) => {
                self.free.insert(place, key);
            }
            (Listed::Free(place), None) => {
                self.free.remove(&place);
            }
            (Listed::Kept(consumer, place), first) => {
                let kept = self.kept.entry(consumer).or_default();
                match first {
                    Some(key) => kept.firsts.insert(place, key),
                    None => kept.firsts.remove(&place),
                };
                self.list_kept(consumer);
            }
        }
    }

    fn set_asleep(&mut self, consumer: ConsumerKey, asleep: bool) {
        if let Some(kept) = self.kept.get_mut(&consumer) {
            kept.asleep = asleep;
            self.list_kept(consumer);
        }
    }

    /// Finds a consumer's place among those that may be able to take more.
    fn list_kept(&mut self, consumer: ConsumerKey) {
        let Some(kept) = self.kept.get_mut(&consumer) else { return };
        let first = kept.firsts.first_key_value().map(|(place, _)| *place);
        let to = first.filter(|_| !kept.asleep);
        let from = std::mem::replace(&mut kept.listed, to);
        if from != to {
            if let Some(place) = from {
                self.awake.remove(&(place, consumer));
            }
            if let Some(place) = to {
                self.awake.insert((place, consumer));
            }
        }
        if first.is_none() {
            self.kept.remove(&consumer);
        }
    }

    fn forget(&mut self, at: u32) {
        let Some(name) = self.states.get_mut(at as usize).and_then(|group| group.name.take()) else { return };
        self.names.remove(&*name);
        if let Some(group) = self.states.get_mut(at as usize) {
            group.parked.tidy();
        }
        self.vacant.push(at);
        if self.names.is_empty() && self.states.len() > KEEP_GROUPS {
            // What belongs to a group is in flight or parked, so that none does.
            (self.names, self.states, self.vacant, self.of) =
                (HashMap::default(), Vec::new(), Vec::new(), Vec::new());
        }
    }
}

impl Group {
    /// To whom a message of it may go that was not looked at before.
    fn standing(&self) -> Standing {
        match self.keeper {
            None if self.parked.is_empty() => Standing::Free,
            Some(Keeper::Consumer(consumer)) if self.parked.is_empty() && !self.closing => {
                Standing::Kept(consumer)
            }
            _ => Standing::Waits,
        }
    }
}
