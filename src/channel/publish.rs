//! `basic.publish`: from a complete content to the queues.

use bytes::Bytes;
use leveret_protocol::method::basic;
use leveret_protocol::properties::Properties;
use leveret_protocol::reply_code::ReplyCode;
use leveret_protocol::table::{Table, Value};

use super::content::{Complete, Content};
use super::exception::{Exception, Subject, not_implemented, precondition_failed, refused};
use super::transaction::Publication;
use super::{Channel, Mode, Peer, Session};
use crate::count::What;
use crate::message::Message;
use crate::vhost::publisher::{ExtraKeys, Gathered, Origin, Routed};

/// The longest expiration, in milliseconds: ten years of 365 days (RabbitMQ's limit).
const EXPIRATION_MAX: u64 = 315_360_000_000;
/// How many keys CC and BCC may hold each.
const EXTRA_KEYS_MAX: usize = 1024;

/// Property flags on the wire of what a broker reads of a publish; without them nothing needs a look.
const LOOK_AT: u16 = 0x2000 | 0x0200 | 0x0100 | 0x0010;

impl Channel {
    /// A `basic.publish` came; `address` is its exchange and routing key as on the wire. Its content is to follow.
    pub fn basic_publish(&mut self, publish: &basic::Publish<'_>, address: &[u8]) -> Result<(), Exception> {
        self.expects_publish(publish)?;
        // Bytes of its own: the read that it stands in is larger by far.
        let address = Bytes::copy_from_slice(address);
        self.content = Content::AwaitHeader { mandatory: publish.mandatory, address };
        Ok(())
    }

    /// What is wrong with a method that comes now: a content may be missing its rest.
    pub fn interrupted_by_method(&self) -> Option<Exception> {
        self.content.interrupted_by_method()
    }

    /// Whether a `basic.publish` may come now.
    pub fn expects_publish(&self, publish: &basic::Publish<'_>) -> Result<(), Exception> {
        if let Some(exception) = self.content.interrupted_by_method() {
            return Err(exception);
        }
        if publish.immediate {
            return Err(not_implemented("immediate=true"));
        }
        Ok(())
    }

    /// A content header came.
    pub fn content_header(
        &mut self,
        class_id: u16,
        weight: u16,
        body_size: u64,
        properties: Properties<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        let complete =
            self.content.header(class_id, weight, body_size, properties, session.message_size_max)?;
        self.content_complete(complete, session, peer)
    }

    /// A piece of a body came.
    pub fn content_body(
        &mut self,
        payload: &[u8],
        ends_frame: bool,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        let complete = self.content.body(payload, ends_frame)?;
        self.content_complete(complete, session, peer)
    }

    /// Whether an exception now is one of a `basic.publish` rather than of no method at all.
    pub fn awaits_content(&self) -> bool {
        !matches!(self.content, Content::Idle)
    }

    fn content_complete(
        &mut self,
        complete: Option<Complete>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        let Some(Complete { mandatory, message }) = complete else { return Ok(()) };
        self.publish(mandatory, message, session, peer)
    }

    /// Publishes a complete message: checks what it says of itself, then routes and gathers it.
    #[inline]
    pub fn publish(
        &mut self,
        mandatory: bool,
        mut message: Message,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        message.arrive(session.now());
        let flags = message.properties_bytes().first_chunk().map_or(0, |flags| u16::from_be_bytes(*flags));
        if flags & LOOK_AT == 0 && matches!(self.mode, Mode::Plain | Mode::Confirm(_)) && !mandatory {
            let remembered = session.publisher.remembered_route(&session.vhost, &message, &mut session.unit);
            let routed = match remembered {
                Some(routed) => routed,
                None => session.resolve(&message, &[], None)?,
            };
            self.count_publish(routed, &message, session);
            let vhost = &session.vhost;
            let gathered = session.publisher.gather(vhost, routed, message, self.origin(), &mut session.unit);
            if gathered == Gathered::Unroutable {
                self.count_unroutable(false);
            }
            self.published(gathered, session);
            return Ok(());
        }
        self.publish_with_a_look(mandatory, message, session, peer)
    }

    fn publish_with_a_look(
        &mut self,
        mandatory: bool,
        mut message: Message,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        session.authority.permits_publish(message.exchange())?;
        let properties = message.properties();
        check_user_id(properties, session)?;
        if has_expiration(properties)? {
            message.expires();
        }
        let properties = message.properties();
        if let Some(properties) = self.with_reply_name(properties)? {
            message = message.with_properties(&properties);
        }
        if let Mode::Transaction(transaction) = &mut self.mode {
            permit(&message, session)?;
            let (vhost, exchange) = (&session.vhost, message.exchange());
            vhost
                .check_publish(exchange)
                .map_err(|refusal| refused(&refusal, Subject::Exchange(exchange), vhost.name()))?;
            transaction.publish(Publication { mandatory, message })?;
            self.show();
            return Ok(());
        }
        let gathered = self.route(mandatory, &message, session, peer)?;
        self.published(gathered, session);
        Ok(())
    }

    /// Routes a message that was found good, and returns it when it is mandatory and nobody takes it.
    pub(super) fn route(
        &mut self,
        mandatory: bool,
        message: &Message,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Gathered, Exception> {
        let mut stripped = None;
        let mut keys = Vec::new();
        let headers = message.properties().headers();
        extra_keys(headers, |key| keys.push(key))?;
        if headers.is_some_and(|headers| headers.get("BCC").is_some()) {
            stripped = Some(message.with_properties(&message.properties().without_header("BCC")));
        }
        let sent = stripped.as_ref().unwrap_or(message);
        let remembered = if keys.is_empty() {
            session.publisher.remembered_route(&session.vhost, sent, &mut session.unit)
        } else {
            session.publisher.renew(&session.vhost, &mut session.unit);
            None
        };
        let routed = match remembered {
            Some(routed) => routed,
            None => session.resolve(sent, &keys, headers)?,
        };
        self.count_publish(routed, sent, session);
        let vhost = &session.vhost;
        let gathered =
            session.publisher.gather(vhost, routed, sent.clone(), self.origin(), &mut session.unit);
        if gathered == Gathered::Unroutable {
            if mandatory {
                self.return_unroutable(sent, peer);
            } else {
                self.count_unroutable(false);
            }
        }
        Ok(gathered)
    }

    pub(super) fn return_unroutable(&self, message: &Message, peer: &mut dyn Peer) {
        self.count_unroutable(true);
        let returned = basic::Return {
            reply_code: ReplyCode::NoRoute.code(),
            reply_text: ReplyCode::NoRoute.name(),
            exchange: message.exchange(),
            routing_key: message.routing_key(),
        };
        peer.content(self.number, returned.into(), message, message.properties_bytes());
    }

    /// Which publish comes next, if anybody is told what becomes of it.
    #[inline]
    fn origin(&self) -> Origin {
        let number = match &self.mode {
            Mode::Confirm(confirms) => confirms.next(),
            Mode::Plain | Mode::Transaction(_) => 0,
        };
        Origin { channel: self.number, number }
    }

    fn published(&mut self, gathered: Gathered, session: &mut Session) {
        if session.publisher.gathers_once() {
            // It is no copy of what was acknowledged before.
            session.flush_acked();
        }
        if let Mode::Confirm(confirms) = &mut self.mode {
            if confirms.all_gathered() {
                session.confirming.push(self.number);
            }
            confirms.published(gathered == Gathered::Journalled);
            self.counting.tally.messages.add(What::PublishConfirm, 1);
        }
    }
}

impl Session {
    /// Where a message goes that no route is remembered for, if the user may publish it. That may be every one: by headers.
    pub(super) fn resolve(
        &mut self,
        message: &Message,
        extra_keys: ExtraKeys<'_>,
        headers: Option<Table<'_>>,
    ) -> Result<Routed, Exception> {
        self.permits_message(message.exchange(), message.routing_key(), extra_keys)?;
        let vhost = &self.vhost;
        self.publisher
            .resolve(vhost, message, extra_keys, headers)
            .map_err(|refusal| refused(&refusal, Subject::Exchange(message.exchange()), vhost.name()))
    }
}

/// Whether the user may publish a message with all of its keys.
pub(super) fn permit(message: &Message, session: &mut Session) -> Result<(), Exception> {
    let mut keys = Vec::new();
    extra_keys(message.properties().headers(), |key| keys.push(key))?;
    session.permits_message(message.exchange(), message.routing_key(), &keys)
}

fn check_user_id(properties: Properties<'_>, session: &mut Session) -> Result<(), Exception> {
    let Some(user_id) = properties.user_id() else { return Ok(()) };
    let rights = session.authority.rights();
    let name = &rights.user.name;
    if user_id == name.as_str() || rights.may_impersonate() {
        return Ok(());
    }
    Err(precondition_failed(format!(
        "user_id property set to '{user_id}' but authenticated user was '{name}'"
    )))
}

/// Whether there is an expiration; an error when it is none that can be.
fn has_expiration(properties: Properties<'_>) -> Result<bool, Exception> {
    let Some(expiration) = properties.expiration() else { return Ok(false) };
    expiration_millis(expiration)
        .map(|_| true)
        .map_err(|reason| precondition_failed(format!("invalid expiration '{expiration}': {reason}")))
}

/// The milliseconds that an expiration says, or what is wrong with it in RabbitMQ's words.
fn expiration_millis(text: &str) -> Result<u64, String> {
    let (sign, digits) = match text.as_bytes() {
        [b'-', ..] => ("-", text.get(1..).unwrap_or_default()),
        [b'+', ..] => ("", text.get(1..).unwrap_or_default()),
        _ => ("", text),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (number, leftover) = digits.split_at_checked(end).unwrap_or((digits, ""));
    if number.is_empty() {
        return Err("no_integer".to_owned());
    }
    if !leftover.is_empty() {
        return Err(format!("{{leftover_string,{leftover:?}}}"));
    }
    let number = match number.trim_start_matches('0') {
        "" => "0",
        significant => significant,
    };
    if sign == "-" && number != "0" {
        return Err(format!("{{value_negative,-{number}}}"));
    }
    match number.parse() {
        Ok(millis) if millis <= EXPIRATION_MAX => Ok(millis),
        _ => Err(format!("{{value_too_large,{number}}}")),
    }
}

/// The routing keys in CC and BCC; members that are no text are passed over, as RabbitMQ does.
pub(super) fn extra_keys<'m>(
    headers: Option<Table<'m>>,
    mut key: impl FnMut(&'m str),
) -> Result<(), Exception> {
    let Some(headers) = headers else { return Ok(()) };
    for name in ["CC", "BCC"] {
        let keys = match headers.get(name) {
            None => continue,
            Some(Value::Array(keys)) => keys,
            Some(other) => {
                return Err(precondition_failed(format!(
                    "invalid message: {{unacceptable_type_in_header,\"{name}\",{}}}",
                    other.type_name()
                )));
            }
        };
        for (count, value) in keys.iter().enumerate() {
            if count >= EXTRA_KEYS_MAX {
                return Err(precondition_failed(format!(
                    "invalid message: header '{name}' has more than {EXTRA_KEYS_MAX} routing keys"
                )));
            }
            if let Value::LongStr(text) = value
                && let Ok(text) = std::str::from_utf8(text)
            {
                key(text);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiration_is_a_number_of_milliseconds_of_at_most_ten_years() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("10", Ok(10)),
            ("007", Ok(7)),
            ("315360000000", Ok(EXPIRATION_MAX)),
            ("315360000001", Err("{value_too_large,315360000001}")),
            ("99999999999999999999", Err("{value_too_large,99999999999999999999}")),
            ("-1", Err("{value_negative,-1}")),
            ("abc", Err("no_integer")),
            ("", Err("no_integer")),
            (" 10", Err("no_integer")),
            ("10.5", Err("{leftover_string,\".5\"}")),
            ("10 ", Err("{leftover_string,\" \"}")),
        ] {
            assert_eq!(expiration_millis(text), expected.map_err(str::to_owned), "{text:?}");
        }
    }
}
