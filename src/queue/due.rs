//! When a message wants to be delivered, as its headers say it: `x-delay`, in milliseconds from its arrival, or
//! `x-deliver-at`, in milliseconds since the Unix epoch, which counts if there are both. Pure.
//!
//! Of a message whose time has come `x-delay` is negated, as the delayed message exchange plugin does it: whoever gets it
//! sees how long it was delayed, and no queue or exchange further on delays it again.

use std::time::Duration;

use leveret_protocol::table::{Table, TableBuilder, Value};

use crate::message::Message;
use crate::time::Time;

const DELAY: &str = "x-delay";
const DELIVER_AT: &str = "x-deliver-at";

/// When a message is to be delivered that has to wait for it; nothing when it is to be delivered at once, since it says
/// nothing of a time, or one that had come when the message arrived.
pub fn due(message: &Message) -> Option<Time> {
    let headers = message.properties().headers()?;
    let due = match headers.get(DELIVER_AT).and_then(moment) {
        Some(moment) => moment,
        None => message.arrived().plus(delay(headers.get(DELAY)?)?),
    };
    (due > message.arrived()).then_some(due)
}

/// A message whose time has come, as it goes on: it arrives `now`.
pub fn woken(message: &Message, now: Time) -> Message {
    let properties = message.properties();
    let mut woken = match properties.headers() {
        Some(headers) if headers.get(DELAY).and_then(delay).is_some() => {
            message.with_properties(&properties.with_headers(negated(headers).finish().as_table()))
        }
        _ => message.clone(),
    };
    woken.arrive(now);
    woken
}

/// A message that is to be delivered at another time: its headers say so. It arrives `now`, so `due` is to be later.
pub fn rescheduled(message: &Message, due: Time, now: Time) -> Message {
    let properties = message.properties();
    let headers = properties.headers().unwrap_or_default();
    let others = TableBuilder::new().entries_where(headers, |name| name != DELAY && name != DELIVER_AT);
    let due = i64::try_from(due.as_millis()).unwrap_or(i64::MAX);
    let headers = others.long(DELIVER_AT, due).finish();
    let mut rescheduled = message.with_properties(&properties.with_headers(headers.as_table()));
    rescheduled.arrive(now);
    rescheduled
}

fn negated(headers: Table<'_>) -> TableBuilder {
    let mut table = TableBuilder::with_capacity(headers.as_bytes().len());
    for (name, value) in headers {
        table = match integer(value) {
            Some(delay) if name == DELAY => {
                let negated = delay.saturating_neg();
                match i32::try_from(negated) {
                    Ok(negated) => table.int(name, negated),
                    Err(_) => table.long(name, negated),
                }
            }
            _ => table.value(name, value),
        };
    }
    table
}

fn delay(value: Value<'_>) -> Option<Duration> {
    u64::try_from(integer(value)?).ok().filter(|delay| *delay > 0).map(Duration::from_millis)
}

fn moment(value: Value<'_>) -> Option<Time> {
    match value {
        Value::Timestamp(seconds) => Some(Time::from_millis(seconds.saturating_mul(1000))),
        value => Some(Time::from_millis(u64::try_from(integer(value)?).unwrap_or(0))),
    }
}

/// Numbers of all kinds, and texts of digits: the plugin takes them, since some clients know no other headers.
fn integer(value: Value<'_>) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "what is beyond is as far as a number goes")]
    match value {
        Value::LongStr(_) => value.as_str()?.parse().ok(),
        Value::Float(number) => Some(number as i64),
        Value::Double(number) => Some(number as i64),
        value => value.as_integer(),
    }
}

#[cfg(test)]
mod tests {
    use leveret_protocol::properties::Properties;
    use leveret_protocol::table::TableBuf;

    use super::*;

    const ARRIVED: Time = Time::from_millis(1_000_000);

    fn message(headers: &TableBuf) -> Message {
        let properties = Properties::EMPTY.with_headers(headers.as_table());
        let mut message = Message::compose("x", "k", &properties, b"body").unwrap();
        message.arrive(ARRIVED);
        message
    }

    fn with(name: &str, value: Value<'_>) -> Message {
        message(&TableBuilder::new().value(name, value).finish())
    }

    #[test]
    fn a_message_waits_for_what_its_headers_say() {
        for (name, value, expected) in [
            (DELAY, Value::SignedInt(5), Some(1_000_005)),
            (DELAY, Value::Byte(1), Some(1_000_001)),
            (DELAY, Value::UnsignedInt(u32::MAX), Some(1_000_000 + u64::from(u32::MAX))),
            (DELAY, Value::Long(1 << 40), Some(1_000_000 + (1 << 40))),
            (DELAY, Value::Long(i64::MAX), Some(1_000_000 + i64::MAX.cast_unsigned())),
            (DELAY, Value::LongStr(b"250"), Some(1_000_250)),
            (DELAY, Value::Double(7.9), Some(1_000_007)),
            (DELAY, Value::SignedInt(0), None),
            (DELAY, Value::SignedInt(-5), None),
            (DELAY, Value::Long(i64::MIN), None),
            (DELAY, Value::LongStr(b"soon"), None),
            (DELAY, Value::Bool(true), None),
            (DELAY, Value::Double(f64::NAN), None),
            (DELIVER_AT, Value::Long(1_000_001), Some(1_000_001)),
            (DELIVER_AT, Value::Long(1_000_000), None),
            (DELIVER_AT, Value::Long(999_999), None),
            (DELIVER_AT, Value::Long(-1), None),
            (DELIVER_AT, Value::Timestamp(1001), Some(1_001_000)),
            (DELIVER_AT, Value::Timestamp(u64::MAX), Some(u64::MAX)),
            (DELIVER_AT, Value::LongStr(b"1000009"), Some(1_000_009)),
            ("x-other", Value::Long(9_000_000), None),
        ] {
            assert_eq!(due(&with(name, value)).map(Time::as_millis), expected, "{name} {value:?}");
        }
        assert_eq!(due(&Message::compose("x", "k", &[0, 0], b"body").unwrap()), None);
        let both = TableBuilder::new().int(DELAY, 5).long(DELIVER_AT, 1_000_700).finish();
        assert_eq!(due(&message(&both)), Some(Time::from_millis(1_000_700)));
    }

    #[test]
    fn a_message_whose_time_has_come_says_how_long_it_waited_and_does_not_wait_again() {
        let headers = TableBuilder::new().string("a", "b").int(DELAY, 5).bool("c", true).finish();
        let woken = woken(&message(&headers), ARRIVED.plus(Duration::from_millis(5)));
        let expected = TableBuilder::new().string("a", "b").int(DELAY, -5).bool("c", true).finish();
        assert_eq!(woken.properties().headers(), Some(expected.as_table()));
        assert_eq!((woken.body(), woken.routing_key(), woken.exchange()), (&b"body"[..], "k", "x"));
        assert_eq!((due(&woken), woken.arrived().as_millis()), (None, 1_000_005));
        let far = super::woken(&with(DELAY, Value::Long(1 << 40)), ARRIVED);
        assert_eq!(far.properties().headers().unwrap().get(DELAY), Some(Value::Long(-(1 << 40))));
        let at = super::woken(&with(DELIVER_AT, Value::Long(1_000_007)), Time::from_millis(1_000_007));
        assert_eq!(due(&at), None);
        assert_eq!(at.properties().headers().unwrap().get(DELIVER_AT), Some(Value::Long(1_000_007)));
    }

    #[test]
    fn a_rescheduled_message_waits_for_the_new_time_and_says_so() {
        let headers = TableBuilder::new().int(DELAY, 5).string("a", "b").long(DELIVER_AT, 7).finish();
        let later =
            rescheduled(&message(&headers), Time::from_millis(2_000_000), Time::from_millis(1_500_000));
        let expected = TableBuilder::new().string("a", "b").long(DELIVER_AT, 2_000_000).finish();
        assert_eq!(later.properties().headers(), Some(expected.as_table()));
        assert_eq!(due(&later), Some(Time::from_millis(2_000_000)));
        let plain = Message::compose("x", "k", &[0, 0], b"body").unwrap();
        assert_eq!(due(&rescheduled(&plain, Time::from_millis(9), ARRIVED)), None, "it has come");
        assert_eq!(
            due(&rescheduled(&plain, ARRIVED.plus(Duration::from_millis(1)), ARRIVED)).map(Time::as_millis),
            Some(1_000_001)
        );
    }
}
