//! What the broker and its operators do to the queue of a plan.

use std::sync::Arc;
use std::time::Duration;

use super::message::{Known, Place};
use super::run::{Run, equal, home, picked, place};
use crate::place::Position;
use crate::queue::core::{Dead, Due, QueueCore};
use crate::queue::due::{rescheduled, woken};
use crate::queue::scheduled::ScheduledId;
use crate::queue::terms::{Overflow, Terms};

/// What was due and found no room is tried again after this time.
const PUT_OFF: Duration = Duration::from_secs(1);
/// What could not leave is tried again after this time, then after twice that, and so on...
const STAY: Duration = Duration::from_secs(1);
/// ...up to this.
const STAY_MAX: Duration = Duration::from_secs(30);

impl Run {
    pub(super) fn set_terms(&mut self, terms: &Terms) -> Result<(), String> {
        self.core.at(self.model.now);
        self.core.set_terms(Arc::new(terms.clone()));
        self.model.time_anew(terms.consumer_timeout);
        self.model.terms = terms.clone();
        self.perform()
    }

    pub(super) fn pause(&mut self, paused: bool) -> Result<(), String> {
        self.core.pause(paused);
        self.model.paused = paused;
        self.perform()
    }

    /// The undertaker sees to some of the dead messages, or they cannot leave.
    pub(super) fn bury(&mut self, most: usize, stay: bool) {
        let some: Vec<(usize, Dead)> = self.graves.drain(..most.min(self.graves.len())).collect();
        let may_stay = self.model.terms.dead_letter.as_ref().is_some_and(|to| to.at_least_once);
        if stay && may_stay {
            for (at, dead) in &some {
                let after = (STAY * 2_u32.pow(dead.attempts.min(9))).min(STAY_MAX);
                self.model.messages[*at].place = Place::Staying(dead.reason, self.model.now.plus(after));
            }
            return self.core.stay(some.into_iter().map(|(_, dead)| dead).collect(), self.model.now);
        }
        self.with_group(|core, group| core.left(some.iter().map(|(_, dead)| dead.key), group));
        for (at, _) in some {
            self.model.gone(at);
        }
    }

    /// What waited for its time goes behind all that is ready, unless there is no room.
    pub(super) fn wake(&mut self, expected: &[usize]) -> Result<(), String> {
        let due = self.core.take_due();
        equal("due", due.iter().map(|due| place(due.position)).collect::<Vec<_>>(), expected.to_vec())?;
        let (mut left, mut stays) = (Vec::new(), Vec::new());
        for due in due {
            let at = place(due.position);
            let known = self.model.messages[at].woken(self.model.now);
            let is_taken = self.take(woken(&due.message, self.model.now), known)?;
            let goes = is_taken || self.model.terms.overflow == Overflow::RejectPublishDeadLetter;
            if goes { left.push(due) } else { stays.push(due) }
        }
        self.perform()?;
        self.leave(&left);
        for due in stays {
            let until = self.model.now.plus(PUT_OFF);
            self.core.put_off(&due, until);
            self.model.messages[place(due.position)].place = Place::Scheduled(until);
        }
        Ok(())
    }

    fn leave(&mut self, left: &[Due]) {
        self.with_group(|core, group| core.left(left.iter().map(|due| due.key), group));
        for due in left {
            self.model.gone(place(due.position));
        }
    }

    pub(super) fn reschedule(&mut self, which: usize, to: Option<u64>) -> Result<(), String> {
        let waiting = self.model.at(|place| matches!(place, Place::Scheduled(_)));
        let Some(at) = picked(&waiting, which) else { return Ok(()) };
        let Place::Scheduled(due) = self.model.messages[at].place else { return Ok(()) };
        let id = ScheduledId { due, position: Position(at as u64) };
        let listed = self.core.list_scheduled(None, usize::MAX);
        equal("listed", listed.len(), waiting.len())?;
        equal("in the list", listed.iter().any(|(listed, _)| *listed == id), true)?;
        let before = self.unschedule(id)?;
        if let Some(to) = to {
            let now = self.model.now;
            let due = now.plus(Duration::from_millis(to));
            let known = &self.model.messages[at];
            let delay = Some(Duration::from_millis(to));
            let known = Known { arrived: now, delay, place: Place::Scheduled(due), ..known.clone() };
            let message = rescheduled(&before.message, due, now);
            self.core.reschedule(due, message, home(known.journalled));
            self.model.messages.push(known);
        }
        self.leave(&[before]);
        Ok(())
    }

    /// The broker is killed: another one finds what the journal says.
    pub(super) fn restart(&mut self) {
        let mut core = QueueCore::new(self.id, &self.plan.options());
        core.set_terms(Arc::new(self.model.terms.clone()));
        core.pause(self.model.paused);
        let next = Position(self.model.messages.len() as u64);
        core.restore(next, next, Vec::new(), Vec::new());
        for (at, returns) in self.survivors() {
            let known = &self.model.messages[at];
            core.push_restored(Position(at as u64), returns, home(true), known.message());
        }
        self.core = core;
        self.on_their_way.clear();
        self.graves.clear();
        self.pages.clear();
        self.model.restart();
    }
}
