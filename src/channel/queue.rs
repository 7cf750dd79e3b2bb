//! `queue.declare`, `bind`, `unbind`, `purge` and `delete`.

use std::sync::Arc;

use leveret_protocol::method::queue;
use leveret_protocol::table::Table;

use super::exception::{Exception, Subject, no_queue, precondition_failed, refused};
use super::exchange::refused_binding;
use super::{Channel, Peer, Session};
use crate::name::{ExchangeName, QueueName};
use crate::queue::arguments::without_effect;
use crate::queue::options::QueueOptions;
use crate::queue::queue::Status;
use crate::store::op::Group;
use crate::vhost::refused::Refused;
use crate::vhost::reply_to::{PSEUDO_QUEUE, is_reply_name};
use crate::vhost::topology::{BindingEnds, Declared, Destination};

impl Channel {
    pub(super) fn queue_declare(
        &mut self,
        declare: &queue::Declare<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        let (name, status) = if is_pseudo_queue(declare.queue) {
            declare_pseudo_queue(declare.queue, session)?
        } else if declare.passive {
            declare_passively(declare, session)?
        } else {
            declare_actively(declare, session)?
        };
        self.last_queue = Some(name.clone());
        if !declare.no_wait {
            let declared = queue::DeclareOk {
                queue: name.as_str(),
                message_count: count(status.ready),
                consumer_count: count(status.consumers),
            };
            peer.method(self.number, declared.into());
        }
        Ok(())
    }

    pub(super) fn queue_bind(
        &mut self,
        bind: &queue::Bind<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        let queue = self.named_or_last(bind.queue)?;
        let binding_key = self.key_or_last(bind.queue, bind.routing_key);
        let source = ExchangeName::declared(bind.exchange);
        let ends = queue_ends(&source, &queue, &binding_key, bind.arguments, session);
        session.vhost.bind(&ends).map_err(|refusal| refused_binding(&refusal, &ends, session))?;
        if !bind.no_wait {
            peer.method(self.number, queue::BindOk {}.into());
        }
        Ok(())
    }

    pub(super) fn queue_unbind(
        &mut self,
        unbind: &queue::Unbind<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        let queue = self.named_or_last(unbind.queue)?;
        let binding_key = self.key_or_last(unbind.queue, unbind.routing_key);
        let source = ExchangeName::declared(unbind.exchange);
        let ends = queue_ends(&source, &queue, &binding_key, unbind.arguments, session);
        session.vhost.unbind(&ends).map_err(|refusal| refused_binding(&refusal, &ends, session))?;
        peer.method(self.number, queue::UnbindOk {}.into());
        Ok(())
    }

    pub(super) fn queue_purge(
        &mut self,
        purge: &queue::Purge<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        let name = self.named_or_last(purge.queue)?;
        let purged = session
            .vhost
            .queue_for(name.as_str(), session.connection)
            .and_then(|queue| queue.purge(&mut Group::default()).map_err(Refused::from))
            .map_err(|refusal| refused(&refusal, Subject::Queue(name.as_str()), session.vhost.name()))?;
        if !purge.no_wait {
            peer.method(self.number, queue::PurgeOk { message_count: count(purged) }.into());
        }
        Ok(())
    }

    /// Deletes a queue; one that is absent is deleted already.
    pub(super) fn queue_delete(
        &mut self,
        delete: &queue::Delete<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        let name = self.named_or_last(delete.queue)?;
        let vhost = &session.vhost;
        let id = vhost.queues().get(name.as_str()).map(|queue| queue.id());
        let deleted =
            match vhost.queue_delete(name.as_str(), session.connection, delete.if_unused, delete.if_empty) {
                Ok((messages, _until)) => messages,
                Err(Refused::NoQueue) => 0,
                Err(refusal) => return Err(refused(&refusal, Subject::Queue(name.as_str()), vhost.name())),
            };
        if let Some(id) = id {
            session.exclusive_queues.remove(&id);
        }
        if !delete.no_wait {
            peer.method(self.number, queue::DeleteOk { message_count: count(deleted) }.into());
        }
        Ok(())
    }

    /// With neither queue nor key in a bind, the key is the name of the queue declared last.
    fn key_or_last(&self, queue: &str, routing_key: &str) -> String {
        match &self.last_queue {
            Some(last) if queue.is_empty() && routing_key.is_empty() => last.as_str().to_owned(),
            _ => routing_key.to_owned(),
        }
    }
}

fn declare_actively(
    declare: &queue::Declare<'_>,
    session: &mut Session,
) -> Result<(QueueName, Status), Exception> {
    let name = (!declare.queue.is_empty()).then(|| QueueName::declared(declare.queue));
    let vhost = &session.vhost;
    let named = name.as_ref().map_or("", QueueName::as_str);
    let options = QueueOptions::declared(declare)
        .map_err(|invalid| precondition_failed(invalid.text(named, vhost.name().as_str())))?;
    let Declared { queue, status, made, until: _ } = vhost
        .queue_declare(name.clone(), &options, session.connection)
        .map_err(|refusal| refused(&refusal, Subject::Queue(named), vhost.name()))?;
    if made {
        let idle: Vec<&str> = without_effect(declare.arguments).collect();
        if !idle.is_empty() {
            tracing::warn!(
                "queue '{}': these arguments have no effect yet: {}",
                queue.name(),
                idle.join(", ")
            );
        }
        if queue.owner().is_some() {
            session.exclusive_queues.insert(queue.id(), Arc::clone(&queue));
        }
    }
    Ok((queue.name().clone(), status))
}

fn declare_passively(
    declare: &queue::Declare<'_>,
    session: &Session,
) -> Result<(QueueName, Status), Exception> {
    let name = QueueName::declared(declare.queue);
    let vhost = &session.vhost;
    let status = vhost
        .queue_for(name.as_str(), session.connection)
        .and_then(|queue| queue.status().map_err(Refused::from))
        .map_err(|refusal| refused(&refusal, Subject::Queue(name.as_str()), vhost.name()))?;
    Ok((name, status))
}

fn is_pseudo_queue(name: &str) -> bool {
    name == PSEUDO_QUEUE || is_reply_name(name)
}

/// Repliers declare the name that they are to reply to, to see whether anyone waits there.
fn declare_pseudo_queue(name: &str, session: &Session) -> Result<(QueueName, Status), Exception> {
    if name != PSEUDO_QUEUE && !session.vhost.requesters().contains(name) {
        return Err(no_queue(name, session.vhost.name()));
    }
    Ok((QueueName::from(name), Status { ready: 0, unacked: 0, consumers: 1 }))
}

fn queue_ends<'a>(
    source: &'a ExchangeName,
    queue: &'a QueueName,
    binding_key: &'a str,
    arguments: Table<'a>,
    session: &Session,
) -> BindingEnds<'a> {
    let destination = Destination::Queue(queue.as_str(), session.connection);
    BindingEnds { source: source.as_str(), destination, binding_key, arguments }
}

/// A number as it goes on the wire.
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
