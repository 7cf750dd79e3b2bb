//! The records of one batch of frames of one connection.

use std::sync::Arc;

use super::journal::{Journal, Ticket};
use super::op::Group;
use crate::config::Durability;
use crate::place::{Batch, JournalFile};

/// Gathers what one connection does to queues between two looks at its socket, and appends it to the journal as one. In a
/// broker without a store all of it is nothing.
#[derive(Debug, Default)]
pub struct Unit {
    journal: Option<Arc<Journal>>,
    ticket: Option<Ticket>,
    group: Group,
}

impl Unit {
    /// For a connection to a virtual host of this durability.
    pub fn new(journal: Option<Arc<Journal>>, durability: Durability) -> Self {
        Self { journal, ticket: None, group: Group::new(durability) }
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
    }
}
