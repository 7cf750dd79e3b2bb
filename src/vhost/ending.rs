//! The end of a virtual host: all that is in it goes, then itself.

use std::sync::atomic::Ordering;

use super::Vhost;
use super::records::Records;
use crate::name::ConnectionId;
use crate::place::Batch;
use crate::policy::PolicyKind;
use crate::queue::queue::DeleteRefused;
use crate::store::definitions::definition::vhost_key;
use crate::store::op::Group;

/// So many queues go in one group of records.
const SLICE: usize = 256;

impl Vhost {
    /// Whether nothing is made in it any more.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Deletes all that is in it, and last its own definition, so that a broker that is killed meanwhile finds either it
    /// or nothing of it. Gives what to wait for until it is gone for good. Nobody finds it by its name any more.
    pub(super) fn end(&self) -> Option<Batch> {
        let _alone = self.changing();
        {
            // Whoever declares has seen it, or is done.
            let _topology = self.topology();
            self.is_ending.store(true, Ordering::Release);
        }
        for queues in self.queues().all().chunks(SLICE) {
            let mut topology = self.topology();
            let mut records = Records::new(self);
            for queue in queues {
                let mut nowhere = Group::default();
                let group = if queue.options().durable { records.group() } else { &mut nowhere };
                match queue.delete(false, false, group) {
                    Ok(_) | Err(DeleteRefused::Gone(_) | DeleteRefused::InUse | DeleteRefused::NotEmpty) => {
                        self.forget_queue_locked(&mut topology, queue, &mut records);
                    }
                }
            }
            records.commit();
        }
        let mut topology = self.topology();
        let mut records = Records::new(self);
        for exchange in self.exchanges().all() {
            self.forget_exchange(&mut topology, exchange, &mut records);
        }
        for kind in [PolicyKind::User, PolicyKind::Operator] {
            for policy in self.policies().of(kind) {
                records.forget_policy(kind, &policy.name);
            }
        }
        for (component, name, _) in self.parameters() {
            records.forget_parameter(&component, &name);
        }
        records.forget_vhost();
        records.commit()
    }
}

impl Records<'_> {
    fn forget_vhost(&mut self) {
        self.forget(|vhost| vhost_key(vhost.name.as_str()));
    }
}

impl Vhost {
    /// What does not outlive a broker goes while the broker goes on: queues with their messages, exchanges, and the bindings of
    /// both.
    pub fn delete_transient(&self) {
        for queue in self.queues.all() {
            if !queue.options().durable && queue.owner().is_none() {
                // One that went meanwhile is gone.
                let _ = self.queue_delete(queue.name().as_str(), NO_CONNECTION, false, false);
            }
        }
        for exchange in self.exchanges.all() {
            if !exchange.options().durable {
                let _ = self.exchange_delete(exchange.name().as_str(), false);
            }
        }
    }
}

/// No connection has this number.
const NO_CONNECTION: ConnectionId = ConnectionId(0);
