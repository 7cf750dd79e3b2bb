//! AMQP's tables as JSON, and back.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use leveret_protocol::table::{Array, ArrayBuf, ArrayBuilder, Table, TableBuf, TableBuilder, Value as Field};
use serde_json::{Map, Value, json};

/// A JSON document of a client is at most this deep; serde takes no more than 128 either.
const DEPTH_MAX: usize = 64;
/// Bytes of a short string, which keys are.
const KEY_MAX_BYTES: usize = 255;

/// What `null` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Null {
    /// AMQP's void: an export has been made of it.
    Void,
    /// Nothing that a client could mean.
    Refused,
}

/// Why an object is no table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTable {
    /// A key is longer than 255 bytes.
    KeyTooLong(String),
    /// It is deeper than 64 levels.
    TooDeep,
    /// It has a `null` where there may be none.
    Null,
}

impl fmt::Display for NoTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyTooLong(key) => {
                let start: String = key.chars().take(40).collect();
                write!(f, "the key '{}...' is longer than 255 bytes", start.escape_debug())
            }
            Self::TooDeep => f.write_str("nested too deeply"),
            Self::Null => f.write_str("null stands for nothing here"),
        }
    }
}

impl std::error::Error for NoTable {}

/// A table as an object. Text that is no UTF-8 is told as base64.
pub fn from_table(table: Table<'_>) -> Value {
    Value::Object(table.iter().map(|(name, value)| (name.to_owned(), from_field(value))).collect())
}

fn from_array(array: Array<'_>) -> Value {
    Value::Array(array.iter().map(from_field).collect())
}

/// A value of a table.
pub fn from_field(field: Field<'_>) -> Value {
    match field {
        Field::Bool(value) => json!(value),
        Field::Byte(value) => json!(value),
        Field::UnsignedByte(value) => json!(value),
        Field::Short(value) => json!(value),
        Field::UnsignedShort(value) => json!(value),
        Field::SignedInt(value) => json!(value),
        Field::UnsignedInt(value) => json!(value),
        Field::Long(value) => json!(value),
        Field::Float(value) => json!(value),
        Field::Double(value) => json!(value),
        Field::Decimal { scale, value } => json!(f64::from(value) / 10_f64.powi(i32::from(scale))),
        Field::LongStr(bytes) | Field::Binary(bytes) => match str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!(STANDARD.encode(bytes)),
        },
        Field::Array(array) => from_array(array),
        Field::Timestamp(seconds) => json!(seconds),
        Field::Table(table) => from_table(table),
        Field::Void => Value::Null,
    }
}

/// A table of an object: whole numbers are longs, others doubles, as RabbitMQ makes them.
///
/// # Errors
/// It says what no table can.
pub fn to_table(object: &Map<String, Value>, null: Null) -> Result<TableBuf, NoTable> {
    table(object, null, 0)
}

fn table(object: &Map<String, Value>, null: Null, depth: usize) -> Result<TableBuf, NoTable> {
    check(depth)?;
    let mut builder = TableBuilder::new();
    for (name, value) in object {
        if name.len() > KEY_MAX_BYTES {
            return Err(NoTable::KeyTooLong(name.clone()));
        }
        builder = match value {
            Value::Object(within) => builder.table(name, table(within, null, depth + 1)?.as_table()),
            Value::Array(within) => builder.array(name, array(within, null, depth + 1)?.as_array()),
            scalar => builder.value(name, field(scalar, null)?),
        };
    }
    Ok(builder.finish())
}

fn array(values: &[Value], null: Null, depth: usize) -> Result<ArrayBuf, NoTable> {
    check(depth)?;
    let mut builder = ArrayBuilder::new();
    for value in values {
        builder = match value {
            Value::Object(within) => builder.table(table(within, null, depth + 1)?.as_table()),
            Value::Array(within) => builder.value(Field::Array(array(within, null, depth + 1)?.as_array())),
            scalar => builder.value(field(scalar, null)?),
        };
    }
    Ok(builder.finish())
}

fn check(depth: usize) -> Result<(), NoTable> {
    if depth > DEPTH_MAX { Err(NoTable::TooDeep) } else { Ok(()) }
}

/// A value that has no others within it.
fn field(value: &Value, null: Null) -> Result<Field<'_>, NoTable> {
    match value {
        Value::Bool(value) => Ok(Field::Bool(*value)),
        Value::String(text) => Ok(Field::LongStr(text.as_bytes())),
        Value::Number(number) => Ok(match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Field::Long(number),
            (None, number) => Field::Double(number.unwrap_or(f64::NAN)),
        }),
        Value::Null if null == Null::Void => Ok(Field::Void),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(NoTable::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_can_say_comes_back_as_it_was() {
        let object = json!({
            "a": 1, "b": "c", "d": [1, 2.5, true, {"e": []}, null], "f": {"g": -1}, "h": null, "i": 1e300,
        });
        let table = to_table(object.as_object().unwrap(), Null::Void).unwrap();
        assert_eq!(from_table(table.as_table()), object);
    }

    #[test]
    fn what_no_table_can_say_is_refused() {
        let mut deep = json!({});
        for _ in 0..70 {
            deep = json!({ "a": deep });
        }
        let long = "x".repeat(256);
        let long_key = Value::Object([(long.clone(), json!(1))].into_iter().collect());
        for (object, null, why) in [
            (json!({"a": [null]}), Null::Refused, NoTable::Null),
            (deep, Null::Void, NoTable::TooDeep),
            (long_key, Null::Void, NoTable::KeyTooLong(long)),
        ] {
            assert_eq!(to_table(object.as_object().unwrap(), null).unwrap_err(), why);
        }
    }
}
