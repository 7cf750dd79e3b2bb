//! A queue and those that it delivers to: what is delivered, and who tells it that it can go on.

use std::sync::Arc;

use super::{Queue, QueueCore};
use crate::queue::core::Await;
use crate::queue::delivery::Waiter;
use crate::queue::id::QueueId;

impl Queue {
    fn waiter(self: &Arc<Self>) -> Arc<dyn Waiter> {
        Arc::<Self>::clone(self)
    }

    /// Delivers what can be delivered. A recipient that found room (or a credit that came back) between the refusal
    /// and our asking to be told is tried again, so that no wake-up is lost.
    pub(super) fn perform(self: &Arc<Self>, core: &mut QueueCore) {
        loop {
            core.deliver();
            core.hand_over();
            let mut again = false;
            while let Some(awaited) = core.take_awaits() {
                match awaited {
                    Await::Room(recipient) => {
                        if !recipient.await_room(self.waiter()) {
                            core.room_made(recipient.id());
                            again = true;
                        }
                    }
                    Await::Credit(credit) => {
                        if !credit.await_credit(self.waiter()) {
                            core.credit_made();
                            again = true;
                        }
                    }
                }
            }
            if !again {
                return core.trim();
            }
        }
    }
}

impl Waiter for Queue {
    fn id(&self) -> QueueId {
        self.id
    }

    fn room_made(self: Arc<Self>, recipient: u64) {
        let _gone = self.with(|core| {
            core.room_made(recipient);
            self.perform(core);
        });
    }

    fn credit_made(self: Arc<Self>) {
        let _gone = self.with(|core| {
            core.credit_made();
            self.perform(core);
        });
    }
}
