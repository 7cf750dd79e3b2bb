//! What a message says it is to be known by (`x-deduplication-header`), so that a second one like it is not taken, and for
//! how long (`x-cache-ttl`): the headers of RabbitMQ's message deduplication plugin.

use std::time::Duration;

use leveret_protocol::table::{Table, Value};
use sha2::{Digest, Sha256};

use super::{Message, Noted};

const HEADER: &str = "x-deduplication-header";
const TTL: &str = "x-cache-ttl";

/// What a message is known by: 128 bits of the SHA-256 of what it says, so that each takes the same room, however long it
/// is, and nobody can make one that is taken for somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeduplicationKey(pub u128);

impl DeduplicationKey {
    /// The key that these headers say, if they do. As with the plugin a number is another key than its digits, and the
    /// same in every width; a list, a table or a decimal is none.
    pub fn said(headers: Table<'_>) -> Option<Self> {
        Self::of_value(headers.get(HEADER)?)
    }

    /// The key of a message.
    pub fn of(message: &Message) -> Option<Self> {
        Self::said(message.properties().headers()?)
    }

    /// The key of a message that a client has published. What the broker has moved as a dead letter is not a second
    /// publish, whatever it says.
    pub fn of_publish(message: &Message) -> Option<Self> {
        let has_died = matches!(message.parts().noted, Noted::Died | Noted::Readdressed);
        if has_died { None } else { Self::of(message) }
    }

    fn of_value(value: Value<'_>) -> Option<Self> {
        let integer = value.as_integer().map(i128::from);
        Some(match value {
            Value::LongStr(octets) | Value::Binary(octets) => Self::hashed(b's', octets),
            Value::Timestamp(seconds) => Self::hashed(b'i', &i128::from(seconds).to_le_bytes()),
            Value::Float(number) => Self::hashed(b'f', &f64::from(number).to_le_bytes()),
            Value::Double(number) => Self::hashed(b'f', &number.to_le_bytes()),
            Value::Bool(is_so) => Self::hashed(b'b', &[u8::from(is_so)]),
            Value::Void => Self::hashed(b'v', &[]),
            _ => Self::hashed(b'i', &integer?.to_le_bytes()),
        })
    }

    fn hashed(kind: u8, octets: &[u8]) -> Self {
        let hash = Sha256::new().chain_update([kind]).chain_update(octets).finalize();
        Self(hash.first_chunk().map_or(0, |first| u128::from_le_bytes(*first)))
    }
}

/// How long these headers want their key to be known, if they say so; not at all when the time is zero, or below.
pub fn wanted_ttl(headers: Table<'_>) -> Option<Duration> {
    let wanted = headers.get(TTL)?.as_integer()?;
    Some(Duration::from_millis(u64::try_from(wanted).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use leveret_protocol::table::TableBuilder;

    use super::*;

    fn key(value: Value<'_>) -> Option<DeduplicationKey> {
        DeduplicationKey::said(TableBuilder::new().value(HEADER, value).finish().as_table())
    }

    #[test]
    fn what_is_said_differently_is_another_key_but_for_the_width_of_a_number() {
        let long = [b'x'; 10_000];
        let longer = [b'x'; 10_001];
        let different = [
            Value::LongStr(b""),
            Value::LongStr(b"1"),
            Value::LongStr(b"1 "),
            Value::LongStr(&long),
            Value::LongStr(&longer),
            Value::SignedInt(1),
            Value::SignedInt(0),
            Value::SignedInt(-1),
            Value::Double(1.0),
            Value::Double(-0.0),
            Value::Bool(true),
            Value::Bool(false),
            Value::Void,
        ];
        for (at, value) in different.iter().enumerate() {
            for (other_at, other) in different.iter().enumerate() {
                assert_eq!(key(*value) == key(*other), at == other_at, "{value:?} {other:?}");
            }
            assert!(key(*value).is_some(), "{value:?}");
        }
        for (value, same) in [
            (Value::Byte(1), Value::Long(1)),
            (Value::UnsignedShort(1), Value::SignedInt(1)),
            (Value::Timestamp(1), Value::SignedInt(1)),
            (Value::Binary(b"1"), Value::LongStr(b"1")),
            (Value::Float(1.5), Value::Double(1.5)),
        ] {
            assert_eq!(key(value), key(same), "{value:?} {same:?}");
        }
        assert_eq!(key(Value::Decimal { scale: 0, value: 1 }), None);
        assert_eq!(key(Value::Table(Table::EMPTY)), None);
        assert_eq!(DeduplicationKey::said(Table::EMPTY), None);
    }

    #[test]
    fn a_key_is_what_it_was_for_every_earlier_version() {
        // It is written down.
        for (value, expected) in [
            (Value::LongStr(b"order 1"), 0xc168_a6cd_d9e4_f36b_c3e1_aab0_a859_5b26),
            (Value::SignedInt(1), 0x4940_8086_2843_9371_43e3_cf96_4e04_9043),
            (Value::Void, 0xcefa_6b7b_fe1d_ce41_6cae_210c_5e48_944c),
        ] {
            assert_eq!(key(value).unwrap().0, expected, "{value:?}");
        }
    }

    #[test]
    fn a_time_is_a_number_of_milliseconds() {
        let ttl = |value| wanted_ttl(TableBuilder::new().value(TTL, value).finish().as_table());
        for (value, expected) in [
            (Value::SignedInt(60_000), Some(60_000)),
            (Value::Long(i64::MAX), Some(i64::MAX as u64)),
            (Value::SignedInt(0), Some(0)),
            (Value::SignedInt(-5), Some(0)),
            (Value::LongStr(b"60000"), None),
        ] {
            assert_eq!(ttl(value), expected.map(Duration::from_millis), "{value:?}");
        }
        assert_eq!(wanted_ttl(Table::EMPTY), None);
    }
}
