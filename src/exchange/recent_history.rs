//! The recent history exchange: a fanout that remembers its last messages for whoever is bound later.
//!
//! What it remembers is in memory and ends with the broker, durable exchange or not, as RabbitMQ has had it until 4.0.

use std::collections::VecDeque;

use leveret_protocol::table::{Table, Value};

use super::binding::{Binding, InvalidBinding};
use super::fanout::Fanout;
use super::options::InvalidExchange;
use super::router::{Routable, Router, Target};
use crate::message::Message;
use crate::term::Term;

const LENGTH: &str = "x-recent-history-length";
const NO_STORE: &str = "x-recent-history-no-store";
/// How many messages are remembered unless it is said.
const LENGTH_DEFAULT: u64 = 20;
/// How many bytes of messages are remembered, whatever their number; one that is larger is remembered alone.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a message costs beside its bytes.
const OVERHEAD_BYTES: usize = 128;

/// Every target, and the last messages.
pub(super) struct RecentHistory<T> {
    targets: Fanout<T>,
    length: u64,
    /// The oldest first.
    messages: VecDeque<Message>,
    bytes: usize,
}

impl<T> Default for RecentHistory<T> {
    fn default() -> Self {
        Self { targets: Fanout::default(), length: LENGTH_DEFAULT, messages: VecDeque::new(), bytes: 0 }
    }
}

/// How many messages an exchange with these arguments remembers.
pub(super) fn length(arguments: Table<'_>) -> Result<u64, InvalidExchange> {
    let Some(value) = arguments.get(LENGTH) else { return Ok(LENGTH_DEFAULT) };
    let length = match value {
        Value::Byte(length) => length.into(),
        Value::Short(length) => length.into(),
        Value::SignedInt(length) => length.into(),
        Value::Long(length) => length,
        // RabbitMQ takes no unsigned ones.
        _ => 0,
    };
    match u64::try_from(length) {
        Ok(length) if length > 0 => Ok(length),
        _ => Err(InvalidExchange::HistoryLength(Term::from(value).to_string())),
    }
}

fn cost(message: &Message) -> usize {
    message.len().saturating_add(OVERHEAD_BYTES)
}

impl<T: Target> Router<T> for RecentHistory<T> {
    fn declared(&mut self, arguments: Table<'_>) {
        self.length = length(arguments).unwrap_or(LENGTH_DEFAULT);
    }

    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding> {
        self.targets.bind(binding)
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        self.targets.unbind(binding);
    }

    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        self.targets.route(message, found);
    }

    fn holds_for_the_key(&self) -> bool {
        false
    }

    fn keep(&mut self, message: &Routable<'_>) {
        let not_stored = message.headers.and_then(|headers| headers.get(NO_STORE)) == Some(Value::Bool(true));
        let Some(kept) = message.message.filter(|_| !not_stored) else { return };
        self.bytes = self.bytes.saturating_add(cost(kept));
        self.messages.push_back(kept.detached());
        while self.messages.len() > 1 && (self.messages.len() as u64 > self.length || self.bytes > BYTES_MAX)
        {
            let oldest = self.messages.pop_front();
            self.bytes = self.bytes.saturating_sub(oldest.as_ref().map_or(0, cost));
        }
    }

    fn history(&self) -> Vec<Message> {
        self.messages.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use leveret_protocol::table::{TableBuf, TableBuilder};

    use super::*;

    fn of_length(length: Option<i32>) -> RecentHistory<usize> {
        let mut exchange = RecentHistory::default();
        let arguments = length.map(|length| TableBuilder::new().int(LENGTH, length).finish());
        exchange.declared(arguments.unwrap_or_default().as_table());
        exchange
    }

    fn keep(exchange: &mut RecentHistory<usize>, body: &[u8], headers: &TableBuf) {
        let message = Message::compose("e", "k", &[0, 0], body).unwrap();
        exchange.keep(&Routable {
            headers: Some(headers.as_table()),
            message: Some(&message),
            ..Routable::with_key("k")
        });
    }

    fn bodies(exchange: &RecentHistory<usize>) -> Vec<String> {
        let text = |message: &Message| String::from_utf8(message.body().to_vec()).unwrap();
        exchange.history().iter().map(text).collect()
    }

    #[test]
    fn the_last_messages_are_kept_in_their_order() {
        for (length, kept) in [(None, 20), (Some(1), 1), (Some(3), 3), (Some(1000), 50)] {
            let mut exchange = of_length(length);
            assert_eq!(bodies(&exchange), [""; 0]);
            for n in 0..50 {
                keep(&mut exchange, n.to_string().as_bytes(), &TableBuf::default());
            }
            let expected: Vec<String> = (50 - kept..50).map(|n| n.to_string()).collect();
            assert_eq!(bodies(&exchange), expected, "{length:?}");
        }
    }

    #[test]
    fn a_message_that_asks_for_it_or_is_not_sent_is_not_kept() {
        let mut exchange = of_length(None);
        for (header, is_kept) in [
            (Value::Bool(true), false),
            (Value::Bool(false), true),
            (Value::LongStr(b"true"), true),
            (Value::SignedInt(1), true),
            (Value::Void, true),
        ] {
            keep(&mut exchange, b"x", &TableBuilder::new().value(NO_STORE, header).finish());
            assert_eq!(exchange.history().len() == 1, is_kept, "{header:?}");
            exchange = of_length(None);
        }
        exchange.keep(&Routable::with_key("asked where it would go"));
        assert_eq!(bodies(&exchange), [""; 0]);
    }

    #[test]
    fn no_more_is_kept_than_the_bound_in_bytes() {
        let mut exchange = of_length(Some(i32::MAX));
        let body = vec![0; BYTES_MAX / 4];
        for _ in 0..10 {
            keep(&mut exchange, &body, &TableBuf::default());
        }
        assert_eq!(exchange.history().len(), 3, "each has some bytes beside its body");
        keep(&mut exchange, &vec![0; BYTES_MAX], &TableBuf::default());
        assert_eq!(exchange.history().len(), 1, "one that is larger stays alone");
        keep(&mut exchange, b"small", &TableBuf::default());
        assert_eq!(bodies(&exchange), ["small"]);
        let most = BYTES_MAX / OVERHEAD_BYTES;
        for _ in 0..=most {
            keep(&mut exchange, b"", &TableBuf::default());
        }
        assert!((most / 2..most).contains(&exchange.history().len()), "{}", exchange.history().len());
        assert!(exchange.bytes <= BYTES_MAX);
    }

    #[test]
    fn a_length_is_a_signed_whole_number_above_zero() {
        for (value, expected) in [
            (Value::Byte(1), Ok(1)),
            (Value::Short(7), Ok(7)),
            (Value::SignedInt(60), Ok(60)),
            (Value::Long(i64::MAX), Ok(i64::MAX as u64)),
            (Value::SignedInt(0), Err("0")),
            (Value::Long(-1), Err("-1")),
            (Value::UnsignedByte(5), Err("5")),
            (Value::LongStr(b"5"), Err("<<\"5\">>")),
            (Value::Double(5.0), Err("5.0")),
            (Value::Bool(true), Err("true")),
        ] {
            let arguments = TableBuilder::new().value(LENGTH, value).finish();
            let expected = expected.map_err(|printed| {
                format!("Invalid argument {printed}, 'x-recent-history-length' must be a positive integer")
            });
            let found = length(arguments.as_table()).map_err(|invalid| invalid.text("e", "/"));
            assert_eq!(found, expected, "{value:?}");
        }
        assert_eq!(length(Table::EMPTY), Ok(20));
    }
}
