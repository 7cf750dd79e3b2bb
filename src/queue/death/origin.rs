//! Where a dead message came from, and the message as it goes back there.

use leveret_protocol::table::{Table, TableBuilder, Value};

use super::{FIRST_DEATH, LAST_DEATH, deaths, has_died, is};
use crate::message::Message;
use crate::time::Time;

/// How often an operator has sent a dead message back to where it came from; our own header.
const REDRIVE_COUNT: &str = "x-redrive-count";

/// Which of its deaths a message is to be brought back from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Death {
    /// The first one.
    #[default]
    First,
    /// The last one.
    Last,
}

/// Where a message was before it died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The queue that it died in.
    pub queue: String,
    /// The exchange that it was published to.
    pub exchange: String,
    /// The key that it was published with.
    pub routing_key: String,
}

/// Where a dead letter was before it died, as the broker has written it down; nothing for a message that is none.
pub fn origin(message: &Message, death: Death) -> Option<Origin> {
    if !has_died(message) {
        return None;
    }
    let [exchange, queue, reason] = if death == Death::First { FIRST_DEATH } else { LAST_DEATH };
    let headers = message.properties().headers()?;
    let text = |name: &str| headers.get(name).and_then(Value::as_str);
    let (queue, reason) = (text(queue)?, text(reason)?);
    // The oldest deaths of many are forgotten: the headers know the exchange at least, and keys seldom change on the way.
    let entry = deaths(message).find(|death| is(*death, "queue", queue) && is(*death, "reason", reason));
    let of_entry = |field: &str| entry.and_then(|entry| entry.get(field));
    let exchange = of_entry("exchange").and_then(Value::as_str).or(text(exchange))?;
    let keys = of_entry("routing-keys").and_then(Value::as_array).unwrap_or_default();
    let key = keys.into_iter().find_map(Value::as_str).unwrap_or(message.routing_key());
    Some(Origin { queue: queue.to_owned(), exchange: exchange.to_owned(), routing_key: key.to_owned() })
}

/// How often a message says that it was sent back.
pub fn redrives(message: &Message) -> u64 {
    let count = message.properties().headers().and_then(|headers| headers.get(REDRIVE_COUNT)?.as_integer());
    count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}

/// A dead message as it goes back to where it was: with the address that it had there, and sent back once more. What it
/// remembers of its deaths stays. It arrives `now`. Nothing when a name is longer than any can be.
pub fn redriven(message: &Message, origin: &Origin, now: Time) -> Option<Message> {
    let properties = message.properties();
    let headers = properties.headers().unwrap_or(Table::EMPTY);
    let count = i64::try_from(redrives(message).saturating_add(1)).unwrap_or(i64::MAX);
    let others = TableBuilder::new().entries_where(headers, |name| name != REDRIVE_COUNT);
    let headers = others.long(REDRIVE_COUNT, count).finish_sorted();
    let properties = properties.with_headers(headers.as_table());
    message.sent_on(&origin.exchange, &origin.routing_key, &properties, now)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leveret_protocol::properties::Properties;

    use super::*;
    use crate::queue::death::{Reason, dead_letter};

    fn died(message: &Message, queue: &str, to: &str, key: Option<&str>) -> Message {
        dead_letter(message, queue, Reason::Rejected, to, key, Time::from_millis(5_000)).unwrap()
    }

    #[test]
    fn a_dead_letter_goes_back_to_where_it_was_with_the_address_that_it_had_there() {
        let headers = TableBuilder::new().string("a", "b").finish();
        let properties = Properties::EMPTY.with_headers(headers.as_table());
        let sent = Message::compose("orders", "new.eu", &properties, b"body").unwrap();
        let once = died(&sent, "work", "dlx", Some("dead"));
        let twice = died(&once, "dead", "graves", None);
        let work = Origin { queue: "work".into(), exchange: "orders".into(), routing_key: "new.eu".into() };
        let dead = Origin { queue: "dead".into(), exchange: "dlx".into(), routing_key: "dead".into() };
        for (message, first, last) in [(&once, &work, &work), (&twice, &work, &dead)] {
            assert_eq!(origin(message, Death::First).as_ref(), Some(first));
            assert_eq!(origin(message, Death::Last).as_ref(), Some(last));
        }
        let now = Time::from_millis(9_000);
        let back = redriven(&twice, &work, now).unwrap();
        assert_eq!((back.exchange(), back.routing_key(), back.body()), ("orders", "new.eu", &b"body"[..]));
        assert_eq!((back.arrived(), redrives(&back), redrives(&twice)), (now, 1, 0));
        let headers = back.properties().headers().unwrap();
        assert_eq!(headers.get("a"), Some(Value::LongStr(b"b")));
        // Its deaths are believed when it dies once more.
        let again = died(&back, "work", "dlx", Some("dead"));
        assert_eq!(deaths(&again).count(), 2);
        assert_eq!(redrives(&redriven(&again, &work, now.plus(Duration::from_secs(1))).unwrap()), 2);
    }

    #[test]
    fn what_a_client_says_of_deaths_is_not_believed() {
        let headers = TableBuilder::new()
            .string("x-first-death-queue", "secret")
            .string("x-first-death-reason", "rejected")
            .string("x-first-death-exchange", "x")
            .finish();
        let properties = Properties::EMPTY.with_headers(headers.as_table());
        let message = Message::compose("", "q", &properties, b"").unwrap();
        assert_eq!(origin(&message, Death::First), None);
    }
}
