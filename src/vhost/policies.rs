//! Policies of a virtual host: set, cleared, and put in force on what there is.
//!
//! A change is written down and seen by all that is declared from then on; then what is there already gets it, in slices,
//! each with an epoch of its own. Only one such change is made at a time, and nobody else waits for it.

use std::sync::{Arc, MutexGuard, PoisonError};

use super::Vhost;
use super::delaying::waits_for;
use super::exchange::Exchange;
use super::records::Records;
use crate::place::Batch;
use crate::policy::{InForce, Policies, Policy, PolicyKind, Subject};
use crate::queue::Queue;

/// Of so many objects the policies are looked at between two epochs.
const SLICE: usize = 1000;

/// There is no policy or parameter of that name. RabbitMQ calls both parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchParameter;

impl std::fmt::Display for NoSuchParameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parameter does not exist")
    }
}

impl std::error::Error for NoSuchParameter {}

impl Vhost {
    /// Sets a policy, in the place of one of that name, and puts it in force. Gives what to wait for until it is on the
    /// disk.
    pub fn set_policy(&self, kind: PolicyKind, policy: Policy) -> Option<Batch> {
        let _alone = self.changing();
        let until = {
            let _topology = self.topology();
            let mut records = Records::new(self);
            records.policy(kind, &policy);
            let until = records.commit();
            self.tell_policy_set(kind, &policy);
            self.replace_policies(|policies| policies.set(kind, policy));
            until
        };
        self.put_policies_in_force();
        until
    }

    /// Takes a policy back: what it said is in force no more. Gives what to wait for until that is on the disk.
    pub fn clear_policy(&self, kind: PolicyKind, name: &str) -> Result<Option<Batch>, NoSuchParameter> {
        let _alone = self.changing();
        let until = {
            let _topology = self.topology();
            if self.policies().get(kind, name).is_none() {
                return Err(NoSuchParameter);
            }
            let mut records = Records::new(self);
            records.forget_policy(kind, name);
            self.tell_policy_cleared(kind, name);
            let until = records.commit();
            self.replace_policies(|policies| {
                policies.clear(kind, name);
            });
            until
        };
        self.put_policies_in_force();
        Ok(until)
    }

    /// Its policies as they are now.
    pub fn policies(&self) -> Arc<Policies> {
        Arc::clone(&self.policies.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A policy as it was set in an earlier run, before there are exchanges and queues.
    pub(super) fn restore_policy(&self, kind: PolicyKind, policy: Policy) {
        self.replace_policies(|policies| policies.set(kind, policy));
        for exchange in self.exchanges.all() {
            exchange.set_policies(self.policies_for_exchange(&exchange));
        }
    }

    /// What holds for a queue that is about to be made. Nothing does where the messages of an exchange wait.
    pub(super) fn policies_for(&self, queue: &Queue) -> Option<Arc<InForce>> {
        if waits_for(queue.name().as_str()).is_some() {
            return None;
        }
        self.policies().in_force(queue.subject(), queue.name().as_str(), None)
    }

    /// What holds for an exchange that is about to be made.
    pub(super) fn policies_for_exchange(&self, exchange: &Exchange) -> Option<Arc<InForce>> {
        self.policies().in_force(Subject::Exchange, exchange.name().as_str(), None)
    }

    /// Changes of what is in force on what there is come one after another. Taken before the topology's lock.
    pub(super) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace_policies(&self, change: impl FnOnce(&mut Policies)) {
        let mut policies = self.policies.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut policies));
    }

    /// What was declared before the policies changed gets them; what is declared meanwhile has them.
    fn put_policies_in_force(&self) {
        let policies = self.policies();
        let mut like = None;
        let mut change = |subject, name: &str, before: Option<Arc<InForce>>| {
            let found = policies.in_force(subject, name, like.as_ref().or(before.as_ref()));
            if let Some(found) = &found {
                like = Some(Arc::clone(found));
            }
            (!InForce::same(before.as_deref(), found.as_deref())).then_some(found)
        };
        for exchange in self.exchanges.all() {
            let found = change(Subject::Exchange, exchange.name().as_str(), exchange.policies());
            if let Some(found) = found {
                exchange.set_policies(found);
            }
        }
        self.new_epoch();
        for slice in self.queues.all().chunks(SLICE) {
            let mut any = false;
            for queue in slice {
                let found = change(queue.subject(), queue.name().as_str(), queue.policies());
                if let Some(found) = found {
                    self.tell_queue_policy(queue, found.as_deref());
                    queue.set_policies(found);
                    any = true;
                }
            }
            if any {
                self.new_epoch();
            }
        }
    }
}
