//! The ready messages of one priority, in the order of their positions.

use std::collections::BTreeMap;

use super::lane::{Lane, NOWHERE};
use super::{Entry, Position};
use crate::place::Home;
use crate::queue::segments::Segments;
use crate::store::stored::BlockPlace;
use crate::time::Time;

/// The ready messages of one priority.
#[derive(Default)]
pub(super) struct Level {
    /// Messages that came back, before or among the blocks by position.
    pub(super) returned: BTreeMap<Position, Entry>,
    /// Made when they are needed: most queues never have a backlog.
    journalled: Option<Box<Lane>>,
    transient: Option<Box<Lane>>,
    /// Blocks of an earlier broker.
    pub(super) runs: Vec<Lane>,
}

/// Where the head of a level is.
enum Head {
    Returned,
    Journalled,
    Transient,
    Run(usize),
}

impl Level {
    pub(super) fn is_empty(&self) -> bool {
        self.returned.is_empty() && self.lanes().all(Lane::is_empty)
    }

    /// The lane for messages that have just arrived and have this home.
    pub(super) fn lane_of(&mut self, level: u8, home: Home) -> &mut Lane {
        let journalled = home.is_journalled();
        let lane = if journalled { &mut self.journalled } else { &mut self.transient };
        lane.get_or_insert_with(|| Box::new(Lane::new(journalled, level)))
    }

    /// The lowest position; nothing when there is no message.
    pub(super) fn first(&self) -> Option<Position> {
        let returned = self.returned.first_key_value().map(|(position, _)| *position);
        let heads = self.lanes().map(Lane::head).filter(|head| *head != NOWHERE);
        heads.chain(returned).min()
    }

    /// The position of the last journalled message that did not come back.
    pub(super) fn last_journalled(&self) -> Option<Position> {
        self.journalled.as_ref().and_then(|lane| lane.last())
    }

    /// The only lane with messages, when nothing came back and nothing is left of an earlier broker.
    #[inline]
    pub(super) fn only_lane(&mut self) -> Option<&mut Lane> {
        if !self.returned.is_empty() || !self.runs.is_empty() {
            return None;
        }
        match (&mut self.journalled, &mut self.transient) {
            (Some(lane), None) | (None, Some(lane)) => Some(lane),
            _ => None,
        }
    }

    /// Whether the first message is on the disk only.
    pub(super) fn head_is_paged(&self) -> bool {
        match self.head() {
            Some(Head::Returned) | None => false,
            Some(Head::Journalled) => self.journalled.as_ref().is_some_and(|lane| lane.head_is_paged()),
            Some(Head::Transient) => self.transient.as_ref().is_some_and(|lane| lane.head_is_paged()),
            Some(Head::Run(at)) => self.runs.get(at).is_some_and(Lane::head_is_paged),
        }
    }

    /// When the first message arrived; nothing when there is none, or it is on the disk only.
    pub(super) fn first_arrival(&self) -> Option<Time> {
        self.arrival(Lane::first_arrival)
    }

    /// The same, or a moment after that when it is not in memory.
    pub(super) fn known_arrival(&self) -> Option<Time> {
        self.arrival(Lane::known_arrival)
    }

    fn arrival(&self, of: impl Fn(&Lane) -> Option<Time>) -> Option<Time> {
        match self.head()? {
            Head::Returned => self.returned.first_key_value().map(|(_, entry)| entry.message.arrived()),
            Head::Journalled => of(self.journalled.as_ref()?),
            Head::Transient => of(self.transient.as_ref()?),
            Head::Run(at) => of(self.runs.get(at)?),
        }
    }

    /// Asks for the first block.
    pub(super) fn ask_first(&mut self, asks: &mut Vec<BlockPlace>) {
        match self.head() {
            Some(Head::Journalled) => self.journalled.iter_mut().for_each(|lane| lane.ask_first(asks)),
            Some(Head::Transient) => self.transient.iter_mut().for_each(|lane| lane.ask_first(asks)),
            Some(Head::Run(at)) => self.runs.iter_mut().skip(at).take(1).for_each(|run| run.ask_first(asks)),
            Some(Head::Returned) | None => {}
        }
    }

    /// Asks for the blocks that are needed next.
    pub(super) fn ask_ahead(&mut self, asks: &mut Vec<BlockPlace>) {
        for lane in self.lanes_mut() {
            lane.ask_ahead(asks);
        }
    }

    /// Takes the message with the lowest position.
    pub(super) fn pop(&mut self, redelivered_below: Position, segments: &mut Segments) -> Option<Entry> {
        match self.head()? {
            Head::Returned => self.returned.pop_first().map(|(_, entry)| entry),
            Head::Journalled => self.journalled.as_mut()?.pop(redelivered_below, segments),
            Head::Transient => self.transient.as_mut()?.pop(redelivered_below, segments),
            Head::Run(at) => {
                let run = self.runs.get_mut(at)?;
                let popped = run.pop(redelivered_below, segments);
                if run.is_empty() {
                    self.runs.swap_remove(at);
                }
                popped
            }
        }
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.journalled.as_deref().into_iter().chain(self.transient.as_deref()).chain(&self.runs)
    }

    pub(super) fn lanes_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.journalled.as_deref_mut().into_iter().chain(self.transient.as_deref_mut()).chain(&mut self.runs)
    }

    /// Where the lowest position is.
    fn head(&self) -> Option<Head> {
        let mut lowest = self.returned.first_key_value().map_or(NOWHERE, |(position, _)| *position);
        let mut head = Head::Returned;
        for (lane, at) in [(&self.journalled, Head::Journalled), (&self.transient, Head::Transient)] {
            if let Some(lane) = lane
                && lane.head() < lowest
            {
                (lowest, head) = (lane.head(), at);
            }
        }
        for (at, run) in self.runs.iter().enumerate() {
            if run.head() < lowest {
                (lowest, head) = (run.head(), Head::Run(at));
            }
        }
        (lowest != NOWHERE).then_some(head)
    }
}
