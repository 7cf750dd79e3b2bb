//! The records of one batch of frames of one connection.

use std::sync::Arc;

use super::journal::{Journal, Ticket};
use super::op::Group;
use super::original::{Fate, Original};
use crate::config::Durability;
use crate::place::{Batch, JournalFile};

/// Gathers what one connection does to queues between two looks at its socket, and appends it to the journal as one. In a
/// broker without a store all of it is nothing.
#[derive(Debug, Default)]
pub struct Unit {
    journal: Option<Arc<Journal>>,
    ticket: Option<Ticket>,
    group: Group,
    /// What others may be taken for copies of, if there is anything of that kind.
    originals: Vec<Original>,
    /// What becomes of all that is in it.
    fate: Option<Fate>,
}

impl Unit {
    /// For a connection to a virtual host of this durability.
    pub fn new(journal: Option<Arc<Journal>>, durability: Durability) -> Self {
        Self { journal, group: Group::new(durability), ..Self::default() }
    }

    /// The journal, if there is one.
    pub fn journal(&self) -> Option<&Arc<Journal>> {
        self.journal.as_ref()
    }

    /// Takes a ticket unless there is one. To be called before a queue is touched; asking for the group or the file does it.
    pub fn begin(&mut self) {
        if self.ticket.is_none()
            && let Some(journal) = &self.journal
        {
            self.ticket = Some(journal.enter_with(&mut self.group));
        }
    }

    /// Where records go.
    pub fn group(&mut self) -> &mut Group {
        self.begin();
        &mut self.group
    }

    /// The file that they will stand in; nothing without a store.
    pub fn file(&mut self) -> Option<JournalFile> {
        self.begin();
        self.ticket.as_ref().map(Ticket::file)
    }

    /// Where records go that may get a ticket at the end: settlements of what is taken from a queue without having been
    /// delivered (a purge, a get without acknowledgement). Any message in the queue may have been published since a ticket
    /// was taken; one taken afterwards is for its file or a later one.
    pub fn group_without_ticket(&mut self) -> &mut Group {
        &mut self.group
    }

    /// What becomes of the messages whose records go here.
    pub fn fate(&mut self) -> Fate {
        let originals = &mut self.originals;
        let fate = self.fate.get_or_insert_with(|| {
            let original = Original::default();
            let fate = original.fate();
            originals.push(original);
            fate
        });
        fate.clone()
    }

    /// A message has its records here, and that is what becomes of it.
    pub fn keep(&mut self, original: Original) {
        self.originals.push(original);
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.group.is_empty()
    }

    /// The records' length in bytes.
    pub fn len(&self) -> usize {
        self.group.len()
    }

    /// What a confirm promises here.
    pub fn durability(&self) -> Durability {
        self.group.durability()
    }

    /// Appends the records and gives back the ticket. Nothing when there were no records.
    pub fn end(&mut self) -> Option<Batch> {
        let batch = self.append();
        if !self.originals.is_empty() {
            self.fate = None;
            self.originals.drain(..).for_each(|original| original.taken(batch));
        }
        batch
    }

    fn append(&mut self) -> Option<Batch> {
        let ticket = self.ticket.take();
        if self.group.is_empty() {
            return None;
        }
        let Some(journal) = &self.journal else {
            self.group.clear();
            return None;
        };
        let ticket = ticket.unwrap_or_else(|| journal.enter());
        Some(journal.append(ticket, &mut self.group))
    }

    /// Forgets the records and gives back the ticket.
    pub fn abandon(&mut self) {
        self.group.clear();
        self.ticket = None;
        self.fate = None;
        self.originals.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::place::{Position, QueueId};
    use crate::store::journal::{Limits, Start};
    use crate::store::simulated::SimDisk;

    fn kept() -> Unit {
        let journal = Journal::open(SimDisk::new(1), &Start::default(), Limits::default(), Arc::new(()));
        Unit::new(Some(journal.unwrap()), Durability::Fsync)
    }

    fn settle(unit: &mut Unit) {
        unit.group().settle(QueueId::stored(1), Position(1));
    }

    #[test]
    fn without_a_store_nothing_is_waited_for() {
        let mut unit = Unit::default();
        assert_eq!((unit.file(), unit.end()), (None, None));
        settle(&mut unit);
        assert_eq!(unit.end(), None);
        assert!(unit.group().is_empty(), "what nobody takes does not pile up");
    }

    #[test]
    fn the_records_of_a_unit_are_appended_at_its_end_and_once() {
        let mut unit = kept();
        let journal = unit.journal().unwrap().clone();
        assert_eq!(unit.end(), None);
        assert_eq!(unit.file(), Some(journal.current_file()));
        assert_eq!(unit.end(), None, "no records, nothing to wait for");
        settle(&mut unit);
        let batch = unit.end().unwrap();
        assert!(journal.wait(batch));
        assert_eq!(unit.end(), None);
        settle(&mut unit);
        assert!(unit.end().unwrap() > batch);
        journal.quiesce();
    }

    #[test]
    fn a_unit_that_is_dropped_midway_holds_nobody_up() {
        let mut unit = kept();
        let journal = unit.journal().unwrap().clone();
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            settle(&mut unit);
            std::panic::resume_unwind(Box::new("as a connection may"));
        }));
        assert!(panicked.is_err());
        journal.quiesce();
        journal.close();
        assert!(journal.failure().is_none());
    }
}
