//! The message deduplication exchange: a fanout that takes each message once, with the arguments of RabbitMQ's plugin.
//!
//! Which messages it had is found out before it routes, by whoever keeps that; here is what its arguments say of it.

use std::time::Duration;

use leveret_protocol::table::{Table, Value};

use super::options::InvalidExchange;

const CACHE_SIZE: &str = "x-cache-size";
const CACHE_TTL: &str = "x-cache-ttl";
const CACHE_PERSISTENCE: &str = "x-cache-persistence";

/// How a message deduplication exchange knows what it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheRules {
    /// How many messages it knows.
    pub size: u32,
    /// For how long; nothing when as long as there is room.
    pub ttl: Option<Duration>,
    /// Whether a durable exchange knows them after a restart.
    pub on_disk: bool,
}

impl CacheRules {
    /// What the arguments of an exchange say, which were found good.
    pub fn said(arguments: Table<'_>) -> Self {
        Self::parse(arguments).unwrap_or(Self { size: 1, ttl: None, on_disk: false })
    }

    /// What the arguments of an exchange say.
    pub(super) fn parse(arguments: Table<'_>) -> Result<Self, InvalidExchange> {
        let size = arguments.get(CACHE_SIZE).and_then(positive).ok_or(InvalidExchange::CacheSize)?;
        let ttl = match arguments.get(CACHE_TTL) {
            None => None,
            Some(value) => Some(Duration::from_millis(positive(value).ok_or(InvalidExchange::CacheTtl)?)),
        };
        let on_disk = match arguments.get(CACHE_PERSISTENCE) {
            None | Some(Value::LongStr(b"disk")) => true,
            Some(Value::LongStr(b"memory")) => false,
            Some(_) => return Err(InvalidExchange::CachePersistence),
        };
        Ok(Self { size: u32::try_from(size).unwrap_or(u32::MAX), ttl, on_disk })
    }
}

/// A number above zero. The plugin takes digits as well.
fn positive(value: Value<'_>) -> Option<u64> {
    let number: i64 = match value.as_str() {
        Some(digits) => digits.parse().ok()?,
        None => value.as_integer()?,
    };
    u64::try_from(number).ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use leveret_protocol::table::{TableBuf, TableBuilder};

    use super::*;

    fn with(name: &str, value: Value<'_>) -> TableBuf {
        let size = TableBuilder::new();
        let size = if name == CACHE_SIZE { size } else { size.int(CACHE_SIZE, 5) };
        size.value(name, value).finish()
    }

    fn text(arguments: Table<'_>) -> Result<(), String> {
        CacheRules::parse(arguments).map(|_| ()).map_err(|invalid| invalid.text("e", "/"))
    }

    #[test]
    fn sizes_and_times_are_whole_numbers_above_zero_or_their_digits() {
        for (name, prefix) in [(CACHE_SIZE, "Missing or invalid argument"), (CACHE_TTL, "Invalid argument")] {
            let refused = Err(format!("{prefix}, '{name}' must be an integer greater than 0"));
            for (value, is_good) in [
                (Value::Byte(1), true),
                (Value::UnsignedInt(u32::MAX), true),
                (Value::Long(i64::MAX), true),
                (Value::LongStr(b"60000"), true),
                (Value::SignedInt(0), false),
                (Value::Long(-1), false),
                (Value::LongStr(b"0"), false),
                (Value::LongStr(b"-5"), false),
                (Value::LongStr(b"5 minutes"), false),
                (Value::LongStr(b""), false),
                (Value::Double(5.0), false),
                (Value::Bool(true), false),
                (Value::Void, false),
            ] {
                let expected = if is_good { Ok(()) } else { refused.clone() };
                assert_eq!(text(with(name, value).as_table()), expected, "{name} {value:?}");
            }
        }
        assert_eq!(
            text(Table::EMPTY),
            Err("Missing or invalid argument, 'x-cache-size' must be an integer greater than 0".to_owned())
        );
    }

    #[test]
    fn what_is_known_is_on_disk_unless_it_is_to_be_in_memory() {
        let refused =
            Err("Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'".to_owned());
        for (value, expected) in [
            (Value::LongStr(b"disk"), Ok(true)),
            (Value::LongStr(b"memory"), Ok(false)),
            (Value::LongStr(b"tape"), refused.clone()),
            (Value::Bool(true), refused),
        ] {
            let found = CacheRules::parse(with(CACHE_PERSISTENCE, value).as_table());
            let found = found.map(|rules| rules.on_disk).map_err(|invalid| invalid.text("e", "/"));
            assert_eq!(found, expected, "{value:?}");
        }
        assert!(CacheRules::said(with("x-other", Value::Void).as_table()).on_disk);
    }
}
