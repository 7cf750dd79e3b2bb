//! What is on its way to the disk.

use super::*;
use crate::store::segment::block::Records;

impl Run {
    pub(super) fn checkpoint(&mut self) {
        let Some(through) = self.disk.file.0.checked_sub(1).map(JournalFile) else { return };
        if self.outgoing.is_some() {
            return;
        }
        let mut blocks = self.queue.alive_through(through);
        for (segment, journalled) in self.disk.segments() {
            if journalled && segment.0 % 2 == 0 {
                blocks.extend(self.queue.stragglers(segment));
            }
        }
        self.outgoing = Some(Outgoing { blocks, through: Some(through), file: self.disk.file });
    }

    /// What is on its way to the disk comes there.
    pub(super) fn write(&mut self, carry: bool, fails: bool) -> Result<(), String> {
        let Some(Outgoing { blocks, through, file }) = self.outgoing.take() else { return Ok(()) };
        if fails {
            return Ok(());
        }
        for block in &blocks {
            if carry && through.is_some() {
                for (position, message) in Records::new(block.first, block.bytes.clone()) {
                    let count = block.returns.iter().find(|(counted, _)| *counted == position);
                    let count = count.map_or(Returns::default(), |(_, returns)| *returns);
                    self.disk.published_in(file, position, &message, count);
                }
                self.queue.carried(block, file);
            } else {
                let place = self.disk.write(block);
                self.queue.stored(block, place, through.is_none());
            }
            self.observe_deliveries()?;
        }
        if let Some(through) = through {
            self.disk.release(&self.queue, through);
        }
        Ok(())
    }
}
