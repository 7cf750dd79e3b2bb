//! Messages that come back from those that had them: how often, and how often they may.

use super::QueueCore;
use crate::queue::death::Reason;
use crate::queue::groups::GroupAt;
use crate::queue::ready::Entry;
use crate::store::op::Group;

impl QueueCore {
    /// A message comes back that somebody had. If it `failed` there that counts towards the limit.
    pub(super) fn come_back(
        &mut self,
        mut entry: Entry,
        failed: bool,
        of: Option<GroupAt>,
        group: &mut Group,
    ) {
        entry.returns = entry.returns.again(failed);
        entry.redelivered = true;
        if self.terms.delivery_limit.is_some_and(|limit| entry.returns.deliveries > limit) {
            return self.bury(entry, Reason::DeliveryLimit);
        }
        if entry.home.is_journalled() {
            group.requeue(self.id, entry.position, entry.returns);
        }
        self.put_back(entry, of);
    }
}
