//! The right to append once, to a certain file.

use std::fmt;
use std::sync::Arc;

use super::buffer::Round;
use super::group_commit::GroupCommit;
use crate::place::JournalFile;

/// Pins the journal's file: what is appended with it stands there and nowhere else.
///
/// Taken before a batch of frames touches any queue, held for that batch only, never across an await. So a message's
/// settlement, whose ticket was taken after the message could be seen, stands in the same file as the message or in a later
/// one, and dropping files in their order never takes a settlement away and leaves its message. A ticket that is dropped
/// is given back without a record.
pub struct Ticket {
    group_commit: Arc<GroupCommit>,
    round: Round,
    file: JournalFile,
    is_spent: bool,
}

impl Ticket {
    pub(super) fn new(group_commit: Arc<GroupCommit>, round: Round, file: JournalFile) -> Self {
        Self { group_commit, round, file, is_spent: false }
    }

    /// The file that the records will stand in.
    pub fn file(&self) -> JournalFile {
        self.file
    }

    /// It is given back by whoever calls this.
    pub(super) fn spend(mut self) -> Round {
        self.is_spent = true;
        self.round
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_spent {
            self.group_commit.leave(self.round);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("file", &self.file).finish_non_exhaustive()
    }
}
