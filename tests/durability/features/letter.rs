//! What a message must look like where it is found: in its queue, or among the dead letters.

use super::{Feature, Line, Number};
use crate::support::{Message, Payload, Table};

/// A number in the headers of a message; 0 when it is not there.
fn header(message: &Message, name: &str) -> u32 {
    let key = [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), b"l"].concat();
    let at = message.properties.windows(key.len()).position(|window| window == key);
    let value = |at: usize| message.properties[at + key.len()..][..8].try_into().unwrap();
    at.map_or(0, |at| u32::try_from(u64::from_be_bytes(value(at))).unwrap())
}

/// How often a message failed, as its consumer is told.
pub(super) fn failures(message: &Message) -> u32 {
    header(message, "x-delivery-count")
}

impl Line {
    /// What is wrong with a message of the queue itself.
    pub(super) fn difference(&self, number: Number, message: &Message) -> Option<String> {
        // One that came back says how often, one that has waited that its time is behind it: that is told elsewhere.
        let says_more = self.feature == Feature::Failures && header(message, "x-acquired-count") > 0;
        let woken = match self.waits(number) {
            Some(delay) if self.feature == Feature::Scheduled => {
                Table::new().int("x-delay", -i32::try_from(delay).unwrap())
            }
            _ => self.headers(number),
        };
        let expected = self.properties(number, &woken, true);
        if !says_more && message.properties != expected {
            let (seen, expected) = (message.properties.escape_ascii(), expected.escape_ascii());
            return Some(format!("properties {seen} instead of {expected}"));
        }
        self.difference_of_the_rest(number, message, &self.queue)
    }

    /// What is wrong with a dead letter.
    pub(super) fn difference_of_letter(&self, number: Number, message: &Message) -> Option<String> {
        let Some(reason) = self.feature.reason() else { return Some("nothing dies here".to_owned()) };
        let before_time = b"\x04timeT";
        let found = message.properties.windows(6).position(|window| window == before_time);
        let Some(time) = found.and_then(|at| message.properties.get(at + 6..at + 14)) else {
            return Some(format!("no time of death in {}", message.properties.escape_ascii()));
        };
        let long = |value: u64| value.to_be_bytes();
        let mut death = Table::new();
        if let Some(expiration) = self.waits(number) {
            death = death.text("original-expiration", &expiration.to_string());
        }
        let death = death
            .field("count", b'l', long(1))
            .text("reason", reason)
            .text("queue", &self.queue)
            .field("time", b'T', time)
            .text("exchange", "")
            .texts("routing-keys", &[&self.queue]);
        let deaths = Payload::new().octet(b'F').table(&death);
        let mut headers = Table::new().field("x-death", b'A', Payload::new().longstr(&deaths.0).0);
        for which in ["first", "last"] {
            headers = headers
                .text(&format!("x-{which}-death-exchange"), "")
                .text(&format!("x-{which}-death-queue"), &self.queue)
                .text(&format!("x-{which}-death-reason"), reason);
        }
        let expected = self.properties(number, &headers, false);
        if message.properties != expected {
            let (seen, expected) = (message.properties.escape_ascii(), expected.escape_ascii());
            return Some(format!("properties {seen} instead of {expected}"));
        }
        self.difference_of_the_rest(number, message, &self.letters)
    }

    fn difference_of_the_rest(&self, number: Number, message: &Message, key: &str) -> Option<String> {
        if message.body != self.body(number) {
            return Some(format!("another body, of {} octets", message.body.len()));
        }
        let address = (message.exchange.as_str(), message.routing_key.as_str());
        (address != ("", key)).then(|| format!("sent to {address:?}"))
    }
}
