//! `basic.qos`: how many unsettled deliveries a consumer, or all consumers of a channel together, may have.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use leveret_protocol::method::basic;

use super::exception::{Exception, not_implemented};
use super::{Channel, Peer, Session};
use crate::queue::delivery::{SharedCredit, Waiter};

/// A prefetch that the consumers of one channel share.
#[derive(Default)]
pub struct GlobalPrefetch {
    /// 0 is no limit.
    limit: AtomicU32,
    used: AtomicU32,
    waiting: Mutex<Vec<Arc<dyn Waiter>>>,
}

impl GlobalPrefetch {
    /// Deliveries were made before this prefetch was set: they count.
    pub fn add_used(&self, deliveries: u32) {
        self.used.fetch_add(deliveries, Ordering::AcqRel);
    }

    /// Changes the limit and gives the queues that may go on.
    pub fn set_limit(&self, limit: u32) -> Vec<Arc<dyn Waiter>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.limit.store(limit, Ordering::Release);
        std::mem::take(&mut waiting)
    }

    /// Deliveries were settled; gives the queues that may go on.
    pub fn release(&self, deliveries: u32) -> Vec<Arc<dyn Waiter>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.used.fetch_sub(deliveries, Ordering::AcqRel);
        std::mem::take(&mut waiting)
    }

    /// The limit; 0 is none.
    pub fn limit(&self) -> u64 {
        u64::from(self.limit.load(Ordering::Acquire))
    }

    fn may_take(&self, used: u32) -> bool {
        let limit = self.limit.load(Ordering::Acquire);
        limit == 0 || used < limit
    }
}

impl SharedCredit for GlobalPrefetch {
    fn take(&self) -> bool {
        self.used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                self.may_take(used).then(|| used.saturating_add(1))
            })
            .is_ok()
    }

    fn await_credit(&self, queue: Arc<dyn Waiter>) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.may_take(self.used.load(Ordering::Acquire)) {
            return false;
        }
        if !waiting.iter().any(|other| other.id() == queue.id()) {
            waiting.push(queue);
        }
        true
    }
}

impl Channel {
    /// Sets the prefetch of consumers to come, or with `global` the one that all of the channel share.
    pub(super) fn basic_qos(
        &mut self,
        qos: basic::Qos,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        if qos.prefetch_size != 0 {
            return Err(not_implemented(format!("prefetch_size!=0 ({})", qos.prefetch_size)));
        }
        if qos.global {
            self.set_global_prefetch(qos.prefetch_count, session);
        } else {
            self.prefetch = qos.prefetch_count;
        }
        peer.method(self.number, basic::QosOk {}.into());
        Ok(())
    }

    fn set_global_prefetch(&mut self, limit: u16, session: &mut Session) {
        let global = match &self.global_prefetch {
            Some(global) => Arc::clone(global),
            None if limit == 0 => return,
            None => self.introduce_global_prefetch(session),
        };
        for queue in global.set_limit(u32::from(limit)) {
            queue.credit_made();
        }
    }

    /// From now on the channel's consumers share a prefetch, in which what they hold already counts.
    fn introduce_global_prefetch(&mut self, session: &mut Session) -> Arc<GlobalPrefetch> {
        let global = Arc::new(GlobalPrefetch::default());
        for slot in self.consumers.values() {
            let Some(subscription) = session.subscriptions.get_mut(*slot) else { continue };
            if let super::subscription::Source::Consumer { queue, key } = &subscription.source {
                let credit: Arc<dyn SharedCredit> = Arc::<GlobalPrefetch>::clone(&global);
                if let Some(unacked) = queue.share_credit(*key, credit) {
                    global.add_used(unacked);
                    subscription.shares_credit = true;
                }
            }
        }
        self.global_prefetch = Some(Arc::clone(&global));
        global
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::QueueName;
    use crate::queue::Queue;
    use crate::queue::options::QueueOptions;

    #[test]
    fn a_queue_waits_for_credit_only_while_there_is_none_and_is_told_once() {
        let queue = Arc::new(Queue::new(QueueName::from("q"), QueueOptions::default(), None));
        let waits = |prefetch: &GlobalPrefetch| prefetch.await_credit(Arc::<Queue>::clone(&queue));
        let prefetch = GlobalPrefetch::default();
        assert_eq!(prefetch.set_limit(2).len(), 0);
        prefetch.add_used(1);
        assert!(!waits(&prefetch), "there is one");
        assert_eq!([prefetch.take(), prefetch.take()], [true, false]);
        assert_eq!([waits(&prefetch), waits(&prefetch)], [true, true]);
        assert_eq!(prefetch.release(1).len(), 1);
        assert_eq!([prefetch.take(), prefetch.take()], [true, false]);
        assert!(waits(&prefetch));
        assert_eq!(prefetch.set_limit(3).len(), 1);
        assert_eq!(prefetch.set_limit(0).len(), 0);
        assert_eq!([prefetch.take(), prefetch.take()], [true, true], "no limit");
    }
}
