//! Which published messages the broker has yet to confirm. Pure: numbers and times come in.

use super::failure::Failure;

/// Set in a slot whose message is confirmed while an older one is not.
const CONFIRMED: u64 = u64::MAX;

/// The unconfirmed messages of one channel, at most `limit`, by their sequence numbers, which count from 1.
#[derive(Debug)]
pub(super) struct ConfirmWindow {
    stamps_ns: Box<[u64]>,
    limit: u64,
    unconfirmed: u64,
    oldest: u64,
    next: u64,
}

impl ConfirmWindow {
    pub(super) fn new(limit: u32) -> Self {
        // Room for confirms out of order: the oldest may lag a few windows behind before it holds the others up.
        let slots = usize::try_from(limit).unwrap_or(usize::MAX / 8).saturating_mul(4).next_power_of_two();
        let stamps_ns = vec![0; slots].into_boxed_slice();
        Self { stamps_ns, limit: u64::from(limit), unconfirmed: 0, oldest: 1, next: 1 }
    }

    /// How many more messages may be published now.
    pub(super) fn room(&self) -> u64 {
        let slots = self.stamps_ns.len() as u64;
        (self.limit - self.unconfirmed).min(slots - (self.next - self.oldest))
    }

    /// How many messages may be unconfirmed.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether every message is confirmed.
    pub(super) fn is_empty(&self) -> bool {
        self.unconfirmed == 0
    }

    /// Counts a message that is published with this time stamp. There must be room.
    pub(super) fn publish(&mut self, stamp_ns: u64) {
        let number = self.next;
        if let Some(slot) = self.slot(number) {
            *slot = stamp_ns.min(CONFIRMED - 1);
        }
        self.next += 1;
        self.unconfirmed += 1;
    }

    /// Takes a `basic.ack` or `basic.nack`: calls `settled` with the time stamp of each message that it settles.
    pub(super) fn settle(
        &mut self,
        tag: u64,
        multiple: bool,
        mut settled: impl FnMut(u64),
    ) -> Result<(), Failure> {
        let last = if multiple && tag == 0 { self.next - 1 } else { tag };
        if last >= self.next || (!multiple && last < self.oldest) {
            return Err(Failure::new(format!(
                "the broker confirmed message {tag}, which is not unconfirmed"
            )));
        }
        let first = if multiple { self.oldest } else { last };
        for number in first..=last {
            let Some(slot) = self.slot(number) else { continue };
            let stamp_ns = std::mem::replace(slot, CONFIRMED);
            if stamp_ns != CONFIRMED {
                self.unconfirmed -= 1;
                settled(stamp_ns);
            }
        }
        while self.oldest < self.next && self.slot(self.oldest).is_some_and(|slot| *slot == CONFIRMED) {
            self.oldest += 1;
        }
        Ok(())
    }

    fn slot(&mut self, number: u64) -> Option<&mut u64> {
        let mask = self.stamps_ns.len() as u64 - 1;
        self.stamps_ns.get_mut(usize::try_from(number & mask).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Publishes up to the stamp `published`, settles, and returns the stamps settled and the room left.
    fn check(window: &mut ConfirmWindow, settle: &[(u64, bool)]) -> (Vec<u64>, u64) {
        let mut stamps = Vec::new();
        for &(tag, multiple) in settle {
            window.settle(tag, multiple, |stamp| stamps.push(stamp)).unwrap();
        }
        (stamps, window.room())
    }

    #[test]
    fn confirms_single_multiple_and_out_of_order_settle_each_message_once() {
        let mut window = ConfirmWindow::new(4);
        for stamp in 10..14 {
            window.publish(stamp);
        }
        assert_eq!(window.room(), 0);
        assert_eq!(check(&mut window, &[(2, false)]), (vec![11], 1));
        assert_eq!(check(&mut window, &[(3, true)]), (vec![10, 12], 3));
        assert_eq!(check(&mut window, &[(3, true)]), (vec![], 3));
        assert_eq!(check(&mut window, &[(0, true)]), (vec![13], 4));
        assert!(window.is_empty());
    }

    #[test]
    fn a_lagging_oldest_message_holds_the_window_up_before_its_slot_is_reused() {
        let mut window = ConfirmWindow::new(2);
        window.publish(1);
        let mut published = 1;
        while window.room() > 0 {
            window.publish(5);
            published += 1;
            window.settle(published, false, |_| ()).unwrap();
        }
        assert_eq!((published, window.is_empty()), (8, false));
        assert_eq!(check(&mut window, &[(1, false)]), (vec![1], 2));
    }

    #[test]
    fn a_confirm_of_what_was_not_published_or_is_settled_already_is_an_error() {
        let mut window = ConfirmWindow::new(4);
        assert!(window.settle(1, false, |_| ()).is_err());
        window.publish(1);
        assert!(window.settle(2, true, |_| ()).is_err());
        window.settle(1, false, |_| ()).unwrap();
        assert!(window.settle(1, false, |_| ()).is_err());
    }
}
