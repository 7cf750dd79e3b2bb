//! What of the queue of a plan leaves memory, and is read again as soon as it is asked for.

use super::run::Run;
use crate::place::SegmentNumber;
use crate::queue::core::Due;
use crate::queue::scheduled::ScheduledId;
use crate::store::stored::BlockPlace;

/// So much leaves memory at a time at most, in bytes.
const BYTES_MAX: usize = 1 << 20;

impl Run {
    /// Blocks behind the first ones leave memory, or everything while nobody consumes.
    pub(super) fn page_out(&mut self, keep: Option<usize>) -> Result<(), String> {
        let blocks = match keep {
            Some(keep) => self.core.outgoing(keep, BYTES_MAX),
            None => self.core.outgoing_idle(BYTES_MAX),
        };
        for block in blocks {
            let number = u32::try_from(self.pages.len()).unwrap();
            let place = BlockPlace {
                segment: SegmentNumber(number),
                journalled: block.journalled,
                index: 0,
                offset: 0,
                len: u32::try_from(block.bytes.len()).unwrap(),
                crc: 0,
            };
            self.pages.push(block.bytes.clone());
            self.core.stored(&block, place, true);
        }
        self.perform()
    }

    /// What was asked for is read. Gives whether anything was.
    pub(super) fn read(&mut self) -> Result<bool, String> {
        let loads = self.core.take_loads();
        for place in &loads {
            self.load(*place)?;
        }
        Ok(!loads.is_empty())
    }

    fn load(&mut self, place: BlockPlace) -> Result<(), String> {
        let page = &self.pages[place.segment.0 as usize];
        self.core.loaded(place, Ok(page)).map_err(|lost| format!("{place:?}: {lost:?}"))
    }

    /// A message does not wait for its time any more, wherever it does.
    pub(super) fn unschedule(&mut self, id: ScheduledId) -> Result<Due, String> {
        if let Some(here) = self.core.unschedule(id) {
            return Ok(here);
        }
        let place = self.core.scheduled_on_disk(id).ok_or("it waits nowhere")?;
        self.load(place)?;
        self.core.unschedule(id).ok_or_else(|| "it has not come from the disk".to_owned())
    }
}
