//! What an operator does to a queue while it is used: other arguments, pause and resume.

use std::sync::Arc;

use leveret_protocol::table::TableBuf;

use super::Vhost;
use super::records::Records;
use super::refused::Refused;
use crate::place::Batch;
use crate::queue::options::InvalidChange;
use crate::queue::{Gone, Queue};

/// Why a queue was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeRefused {
    /// It cannot be used.
    Gone(Gone),
    /// It cannot be changed like that.
    Invalid(InvalidChange),
}

impl From<Gone> for ChangeRefused {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl Vhost {
    /// Gives a queue other arguments, as if it had been declared with them, and none of its messages is lost by that alone:
    /// who redeclares it has to name these from now on. Gives what to wait for until that is on the disk.
    ///
    /// # Errors
    /// There is no such queue, an argument cannot be what it is, or it is fixed at the declaration and differs.
    pub fn change_queue(&self, name: &str, arguments: TableBuf) -> Result<Option<Batch>, ChangeRefused> {
        let _alone = self.changing();
        let (queue, options, until) = {
            let _topology = self.topology();
            let queue = self.queues.get(name).ok_or(Gone::Deleted)?;
            let options = queue.options().changed(arguments).map_err(ChangeRefused::Invalid)?;
            let paused = queue.is_paused()?;
            let mut records = Records::new(self);
            records.queue_as(&queue, &options, paused);
            (queue, options, records.commit())
        };
        queue.change(options);
        self.new_epoch();
        Ok(until)
    }

    /// Pauses a queue: nothing is delivered from it, what is published to it is kept. Gives what to wait for until that is
    /// on the disk.
    pub fn pause_queue(&self, name: &str) -> Result<Option<Batch>, Refused> {
        self.set_paused(name, true, Queue::pause)
    }

    /// Resumes a queue. Gives what to wait for until that is on the disk.
    pub fn resume_queue(&self, name: &str) -> Result<Option<Batch>, Refused> {
        self.set_paused(name, false, Queue::resume)
    }

    fn set_paused(
        &self,
        name: &str,
        paused: bool,
        act: impl FnOnce(&Arc<Queue>) -> Result<(), Gone>,
    ) -> Result<Option<Batch>, Refused> {
        let _alone = self.changing();
        let (queue, until) = {
            let _topology = self.topology();
            let queue = self.queues.get(name).ok_or(Refused::NoQueue)?;
            let until = if queue.is_paused()? == paused {
                self.awaited()
            } else {
                let mut records = Records::new(self);
                records.queue_as(&queue, &queue.options(), paused);
                records.commit()
            };
            (queue, until)
        };
        act(&queue)?;
        Ok(until)
    }
}
