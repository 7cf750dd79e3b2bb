//! `queue.declare`, `bind`, `unbind`, `purge` and `delete`.

use std::sync::Arc;

use leveret_protocol::method::queue;
use leveret_protocol::table::{Table, Value};

use super::answer::{Answer, Served, Until};
use super::exception::{Exception, Subject, no_queue, precondition_failed, refused};
use super::exchange::{permit_binding, refused_binding};
use super::{Channel, Peer, Session};
use crate::auth::{Action, Resource};
use crate::count::Event;
use crate::name::{ExchangeName, QueueName};
use crate::place::Batch;
use crate::queue::arguments::without_effect;
use crate::queue::options::{InvalidQueue, QueueOptions};
use crate::queue::queue::Status;
use crate::vhost::refused::Refused;
use crate::vhost::reply_to::{PSEUDO_QUEUE, is_reply_name};
use crate::vhost::topology::{BindingEnds, Declared, Destination, RESERVED_PREFIX, generated_queue_name};

impl Channel {
    pub(super) fn queue_declare(
        &mut self,
        declare: &queue::Declare<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        let (name, status, until) = if is_pseudo_queue(declare.queue) {
            declare_pseudo_queue(declare.queue, session)?
        } else if declare.passive {
            declare_passively(declare, session)?
        } else {
            declare_actively(declare, session)?
        };
        self.last_queue = Some(name.clone());
        if declare.no_wait {
            return Ok(Served::Done);
        }
        let declared = Answer::QueueDeclared {
            queue: name,
            message_count: count(status.ready),
            consumer_count: count(status.consumers),
        };
        // What goes with the connection is not to outlive the broker, whatever else was asked for.
        let until = until.filter(|_| !declare.exclusive);
        Ok(self.answer(declared, until.map(Until::Synced), session, peer))
    }

    pub(super) fn queue_bind(
        &mut self,
        bind: &queue::Bind<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        let queue = self.named_or_last(bind.queue)?;
        let binding_key = self.key_or_last(bind.queue, bind.routing_key);
        let source = ExchangeName::declared(bind.exchange);
        let ends = queue_ends(&source, &queue, &binding_key, bind.arguments, session);
        permit_binding(&ends, session)?;
        let until = session.vhost.bind(&ends).map_err(|refusal| refused_binding(&refusal, &ends, session))?;
        if bind.no_wait {
            return Ok(Served::Done);
        }
        Ok(self.answer(Answer::QueueBound, until.map(Until::Synced), session, peer))
    }

    pub(super) fn queue_unbind(
        &mut self,
        unbind: &queue::Unbind<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        let queue = self.named_or_last(unbind.queue)?;
        let binding_key = self.key_or_last(unbind.queue, unbind.routing_key);
        let source = ExchangeName::declared(unbind.exchange);
        let ends = queue_ends(&source, &queue, &binding_key, unbind.arguments, session);
        permit_binding(&ends, session)?;
        let until =
            session.vhost.unbind(&ends).map_err(|refusal| refused_binding(&refusal, &ends, session))?;
        Ok(self.answer(Answer::QueueUnbound, until.map(Until::Synced), session, peer))
    }

    pub(super) fn queue_purge(
        &mut self,
        purge: &queue::Purge<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        let name = self.named_or_last(purge.queue)?;
        session.authority.permits(Action::Read, Resource::Queue(name.as_str()))?;
        let vhost = Arc::clone(&session.vhost);
        let refuse = |refusal: Refused| refused(&refusal, Subject::Queue(name.as_str()), vhost.name());
        let queue = vhost.queue_for(name.as_str(), session.connection).map_err(refuse)?;
        session.end_unit();
        let purged = queue.purge(session.unit.group_without_ticket()).map_err(|gone| refuse(gone.into()))?;
        session.end_unit();
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
    ) -> Result<Served, Exception> {
        let name = self.named_or_last(delete.queue)?;
        session.authority.permits(Action::Configure, Resource::Queue(name.as_str()))?;
        let vhost = &session.vhost;
        let id = vhost.queues().get(name.as_str()).map(|queue| queue.id());
        let (deleted, until) =
            match vhost.queue_delete(name.as_str(), session.connection, delete.if_unused, delete.if_empty) {
                Ok(deleted) => deleted,
                Err(Refused::NoQueue) => (0, None),
                Err(refusal) => return Err(refused(&refusal, Subject::Queue(name.as_str()), vhost.name())),
            };
        if let Some(id) = id {
            session.exclusive_queues.remove(&id);
        }
        if delete.no_wait {
            return Ok(Served::Done);
        }
        let deleted = Answer::QueueDeleted { message_count: count(deleted) };
        Ok(self.answer(deleted, until.map(Until::Synced), session, peer))
    }

    /// With neither queue nor key in a bind, the key is the name of the queue declared last.
    fn key_or_last(&self, queue: &str, routing_key: &str) -> String {
        match &self.last_queue {
            Some(last) if queue.is_empty() && routing_key.is_empty() => last.as_str().to_owned(),
            _ => routing_key.to_owned(),
        }
    }
}

/// A queue that was declared: its name, what it holds, and the group commit with which it is on the disk.
type NamedQueue = (QueueName, Status, Option<Batch>);

fn declare_actively(declare: &queue::Declare<'_>, session: &mut Session) -> Result<NamedQueue, Exception> {
    let name = (!declare.queue.is_empty()).then(|| QueueName::declared(declare.queue));
    let vhost = Arc::clone(&session.vhost);
    let named = name.as_ref().map_or("", QueueName::as_str);
    let refuse = |refusal: &Refused| refused(refusal, Subject::Queue(named), vhost.name());
    let augmented = vhost.with_default_type(declare);
    let declare = &augmented
        .as_ref()
        .map_or(*declare, |arguments| queue::Declare { arguments: arguments.as_table(), ..*declare });
    let invalid = |invalid: InvalidQueue| precondition_failed(invalid.text(named, vhost.name().as_str()));
    if name.is_none() {
        // A queue of this type may need a name.
        QueueOptions::declared(declare).map_err(invalid)?;
    }
    if named.starts_with(RESERVED_PREFIX) {
        return Err(refuse(&Refused::ReservedPrefix));
    }
    let actual = name.clone().unwrap_or_else(generated_queue_name);
    let permitted = Resource::Queue(actual.as_str());
    session.authority.permits(Action::Configure, permitted)?;
    let options = QueueOptions::declared(declare).map_err(invalid)?;
    if let Some(exchange) = declare.arguments.get("x-dead-letter-exchange").and_then(Value::as_str)
        && vhost.queues().get(actual.as_str()).is_none()
    {
        session.authority.permits(Action::Read, permitted)?;
        session.authority.permits(Action::Write, Resource::Exchange(exchange))?;
    }
    let Declared { queue, status, made, until } =
        vhost.declare_queue(actual, &options, session.connection).map_err(|refusal| refuse(&refusal))?;
    vhost.churn().add(Event::QueueDeclared);
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
    Ok((queue.name().clone(), status, until))
}

fn declare_passively(declare: &queue::Declare<'_>, session: &mut Session) -> Result<NamedQueue, Exception> {
    let name = QueueName::declared(declare.queue);
    session.authority.permits_any(Resource::Queue(name.as_str()))?;
    let vhost = &session.vhost;
    let status = vhost
        .queue_for(name.as_str(), session.connection)
        .and_then(|queue| queue.renew().map_err(Refused::from))
        .map_err(|refusal| refused(&refusal, Subject::Queue(name.as_str()), vhost.name()))?;
    Ok((name, status, None))
}

fn is_pseudo_queue(name: &str) -> bool {
    name == PSEUDO_QUEUE || is_reply_name(name)
}

/// Repliers declare the name that they are to reply to, to see whether anyone waits there.
fn declare_pseudo_queue(name: &str, session: &Session) -> Result<NamedQueue, Exception> {
    if name != PSEUDO_QUEUE && !session.vhost.requesters().contains(name) {
        return Err(no_queue(name, session.vhost.name()));
    }
    Ok((QueueName::from(name), Status { ready: 0, unacked: 0, consumers: 1, ..Status::default() }, None))
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
