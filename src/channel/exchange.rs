//! `exchange.declare`, `delete`, `bind` and `unbind`.

use std::sync::Arc;

use leveret_protocol::method::exchange;
use leveret_protocol::table::Table;

use super::answer::{Answer, Served, Until};
use super::exception::{Exception, Subject, no_exchange, precondition_failed, refused};
use super::{Channel, Peer, Session};
use crate::auth::{Action, Resource};
use crate::exchange::{ExchangeOptions, InvalidExchange};
use crate::name::ExchangeName;
use crate::vhost::refused::Refused;
use crate::vhost::topology::{BindingEnds, Destination, check_deletion};

impl Channel {
    pub(super) fn exchange_declare(
        &mut self,
        declare: &exchange::Declare<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        let name = ExchangeName::declared(declare.exchange);
        let vhost = Arc::clone(&session.vhost);
        let refuse = |refusal: &Refused| refused(refusal, Subject::Exchange(name.as_str()), vhost.name());
        if name.is_empty() {
            return Err(refuse(&Refused::DefaultExchange));
        }
        let exchange = Resource::Exchange(name.as_str());
        let until = if declare.passive {
            session.authority.permits_any(exchange)?;
            vhost.exchanges().get(name.as_str()).ok_or_else(|| no_exchange(name.as_str(), vhost.name()))?;
            None
        } else {
            session.authority.permits(Action::Configure, exchange)?;
            let options = options(declare)
                .map_err(|invalid| precondition_failed(invalid.text(name.as_str(), vhost.name().as_str())))?;
            if let Some(alternate) = &options.alternate_exchange
                && vhost.exchanges().get(name.as_str()).is_none()
            {
                session.authority.permits(Action::Read, exchange)?;
                session.authority.permits(Action::Write, Resource::Exchange(alternate.as_str()))?;
            }
            vhost.exchange_declare(&name, options).map_err(|refusal| refuse(&refusal))?.1
        };
        if declare.no_wait {
            return Ok(Served::Done);
        }
        Ok(self.answer(Answer::ExchangeDeclared, until.map(Until::Synced), session, peer))
    }

    pub(super) fn exchange_delete(
        &mut self,
        delete: &exchange::Delete<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        let name = ExchangeName::declared(delete.exchange);
        let refuse =
            |refusal: &Refused| refused(refusal, Subject::Exchange(name.as_str()), session.vhost.name());
        check_deletion(name.as_str()).map_err(|refusal| refuse(&refusal))?;
        session.authority.permits(Action::Configure, Resource::Exchange(name.as_str()))?;
        let until = session.vhost.exchange_delete(name.as_str(), delete.if_unused);
        let until = until.map_err(|refusal| refuse(&refusal))?;
        if delete.no_wait {
            return Ok(Served::Done);
        }
        Ok(self.answer(Answer::ExchangeDeleted, until.map(Until::Synced), session, peer))
    }

    pub(super) fn exchange_bind(
        &mut self,
        bind: &exchange::Bind<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        let (source, destination) =
            (ExchangeName::declared(bind.source), ExchangeName::declared(bind.destination));
        let ends = exchange_ends(&source, &destination, bind.routing_key, bind.arguments);
        permit_binding(&ends, session)?;
        let until = session.vhost.bind(&ends).map_err(|refusal| refused_binding(&refusal, &ends, session))?;
        if bind.no_wait {
            return Ok(Served::Done);
        }
        Ok(self.answer(Answer::ExchangeBound, until.map(Until::Synced), session, peer))
    }

    pub(super) fn exchange_unbind(
        &mut self,
        unbind: &exchange::Unbind<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        let (source, destination) =
            (ExchangeName::declared(unbind.source), ExchangeName::declared(unbind.destination));
        let ends = exchange_ends(&source, &destination, unbind.routing_key, unbind.arguments);
        permit_binding(&ends, session)?;
        let until =
            session.vhost.unbind(&ends).map_err(|refusal| refused_binding(&refusal, &ends, session))?;
        if unbind.no_wait {
            return Ok(Served::Done);
        }
        Ok(self.answer(Answer::ExchangeUnbound, until.map(Until::Synced), session, peer))
    }
}

fn options(declare: &exchange::Declare<'_>) -> Result<ExchangeOptions, InvalidExchange> {
    Ok(ExchangeOptions {
        durable: declare.durable,
        auto_delete: declare.auto_delete,
        internal: declare.internal,
        ..ExchangeOptions::parse(declare.type_, declare.arguments)?
    })
}

fn exchange_ends<'a>(
    source: &'a ExchangeName,
    destination: &'a ExchangeName,
    binding_key: &'a str,
    arguments: Table<'a>,
) -> BindingEnds<'a> {
    let destination = Destination::Exchange(destination.as_str());
    BindingEnds { source: source.as_str(), destination, binding_key, arguments }
}

/// Whether the user may bind or unbind these ends: it writes to one and reads from the other.
pub(super) fn permit_binding(ends: &BindingEnds<'_>, session: &mut Session) -> Result<(), Exception> {
    let destination = match ends.destination {
        Destination::Queue(name, _) => Resource::Queue(name),
        Destination::Exchange(name) => Resource::Exchange(name),
    };
    session.authority.permits(Action::Write, destination)?;
    if ends.source.is_empty() || matches!(ends.destination, Destination::Exchange("")) {
        return Err(refused_binding(&Refused::DefaultExchange, ends, session));
    }
    session.authority.permits(Action::Read, Resource::Exchange(ends.source))?;
    session.authority.permits_key(Action::Read, &session.vhost, ends.source, ends.binding_key)
}

/// The exception for a refused bind or unbind: the end that it is about is the one that it names.
pub(super) fn refused_binding(refusal: &Refused, ends: &BindingEnds<'_>, session: &Session) -> Exception {
    let subject = match (refusal, ends.destination) {
        (Refused::NoSource, _) => Subject::Exchange(ends.source),
        (_, Destination::Queue(name, _)) => Subject::Queue(name),
        (_, Destination::Exchange(name)) => Subject::Exchange(name),
    };
    refused(refusal, subject, session.vhost.name())
}
