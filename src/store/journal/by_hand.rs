//! The journal without threads: it does a thing when a test says so, or when somebody waits for it, so that what comes before
//! what is the same for the same seed.

use std::io;
use std::sync::{Arc, Mutex};

use super::writer::Writer;
use super::{Journal, JournalEvents, Limits, Start};
use crate::store::disk::Disk;

/// Who writes when it is told to.
pub(super) struct Hand {
    /// None once the journal has ended.
    writer: Mutex<Option<Writer>>,
}

impl Hand {
    /// Does one thing. Whether there was anything to do.
    pub(super) fn work(&self) -> bool {
        let mut writer = self.writer.lock().unwrap();
        let did = writer.as_mut().and_then(Writer::work_once);
        if did.is_none() {
            // The end is something as well, once.
            return writer.take().is_some();
        }
        did == Some(true)
    }

    /// Does one thing, for somebody who waits and would wait for ever.
    pub(super) fn must_work(&self) {
        assert!(self.work(), "somebody waits, and there is nothing to do");
    }
}

impl Journal {
    /// As [`Self::open`], but nothing is written before [`Self::work`], a wait or the end.
    pub(in crate::store) fn open_by_hand(
        disk: Arc<dyn Disk>,
        start: &Start,
        limits: Limits,
        events: Arc<dyn JournalEvents>,
    ) -> io::Result<Arc<Self>> {
        let (group_commit, writer) = Self::begin(disk, start, limits, events)?;
        let hand = Hand { writer: Mutex::new(Some(writer)) };
        Ok(Arc::new(Self { group_commit, threads: Mutex::default(), hand: Some(hand) }))
    }

    /// Does the next thing that is to be done. Whether there was any.
    pub(crate) fn work(&self) -> bool {
        self.hand.as_ref().is_some_and(Hand::work)
    }

    /// Prepares a spare file if one is wanted.
    pub(crate) fn prepare_spare(&self) {
        if self.hand.is_some() && self.group_commit.files.prepare_spare_once() {
            self.group_commit.spare_is_ready();
        }
    }
}
