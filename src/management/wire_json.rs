//! AMQP's tables and properties as JSON, and back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use leveret_protocol::properties::{Properties, PropertiesBuilder};
use leveret_protocol::table::{Array, ArrayBuf, ArrayBuilder, Table, TableBuf, TableBuilder, Value as Field};
use serde_json::{Map, Value, json};

use super::failure::Failure;

/// A JSON document of a client is at most this deep; serde takes no more than 128 either.
const DEPTH_MAX: usize = 64;

/// A table as an object. Text that is no UTF-8 is told as base64.
pub(super) fn from_table(table: Table<'_>) -> Value {
    Value::Object(table.iter().map(|(name, value)| (name.to_owned(), from_field(value))).collect())
}

fn from_array(array: Array<'_>) -> Value {
    Value::Array(array.iter().map(from_field).collect())
}

/// A value of a table.
pub(super) fn from_field(field: Field<'_>) -> Value {
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
pub(super) fn to_table(object: &Map<String, Value>) -> Result<TableBuf, Failure> {
    table(object, 0)
}

fn table(object: &Map<String, Value>, depth: usize) -> Result<TableBuf, Failure> {
    check(depth)?;
    let mut builder = TableBuilder::new();
    for (name, value) in object {
        if name.len() > SHORT_MAX {
            return Err(Failure::bad_request(json!(["key_too_long", name])));
        }
        builder = match value {
            Value::Object(within) => builder.table(name, table(within, depth + 1)?.as_table()),
            Value::Array(within) => builder.array(name, array(within, depth + 1)?.as_array()),
            scalar => builder.value(name, field(scalar)?),
        };
    }
    Ok(builder.finish())
}

fn array(values: &[Value], depth: usize) -> Result<ArrayBuf, Failure> {
    check(depth)?;
    let mut builder = ArrayBuilder::new();
    for value in values {
        builder = match value {
            Value::Object(within) => builder.table(table(within, depth + 1)?.as_table()),
            Value::Array(within) => builder.value(Field::Array(array(within, depth + 1)?.as_array())),
            scalar => builder.value(field(scalar)?),
        };
    }
    Ok(builder.finish())
}

fn check(depth: usize) -> Result<(), Failure> {
    if depth > DEPTH_MAX { Err(Failure::bad_request("nested_too_deeply")) } else { Ok(()) }
}

fn field(value: &Value) -> Result<Field<'_>, Failure> {
    match value {
        Value::Bool(value) => Ok(Field::Bool(*value)),
        Value::String(text) => Ok(Field::LongStr(text.as_bytes())),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Ok(Field::Long(number)),
            (None, Some(number)) => Ok(Field::Double(number)),
            (None, None) => Err(Failure::bad_request(json!(["not_a_number", value]))),
        },
        Value::Null => Err(Failure::bad_request("null_not_allowed")),
        Value::Array(_) | Value::Object(_) => Err(Failure::bad_request("unexpected_value")),
    }
}

/// The properties of a message.
pub(super) fn from_properties(properties: Properties<'_>) -> Value {
    let texts = [
        ("content_type", properties.content_type()),
        ("content_encoding", properties.content_encoding()),
        ("correlation_id", properties.correlation_id()),
        ("reply_to", properties.reply_to()),
        ("expiration", properties.expiration()),
        ("message_id", properties.message_id()),
        ("type", properties.type_()),
        ("user_id", properties.user_id()),
        ("app_id", properties.app_id()),
        ("cluster_id", properties.cluster_id()),
    ];
    let numbers = [
        ("delivery_mode", properties.delivery_mode().map(u64::from)),
        ("priority", properties.priority().map(u64::from)),
        ("timestamp", properties.timestamp()),
    ];
    let mut object = Map::new();
    object.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text?)))));
    object.extend(numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), json!(number?)))));
    if let Some(headers) = properties.headers() {
        object.insert("headers".to_owned(), from_table(headers));
    }
    // RabbitMQ tells no properties as an empty list, which its tools know.
    if object.is_empty() { json!([]) } else { Value::Object(object) }
}

/// The properties of an object, as they stand on the wire. What has no meaning is passed over.
pub(super) fn to_properties(value: &Value) -> Result<Vec<u8>, Failure> {
    let empty = Map::new();
    let object = match value {
        Value::Object(object) => object,
        Value::Array(values) if values.is_empty() => &empty,
        _ => return Err(Failure::bad_request(json!(["not_an_object", "properties"]))),
    };
    let text = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= SHORT_MAX => Ok(Some(text.as_str())),
        Some(_) => Err(Failure::bad_request(json!(["not_string", name]))),
    };
    let number = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| Failure::bad_request(json!(["not_int", name]))),
    };
    let octet = |name: &str| match number(name)? {
        None => Ok(None),
        Some(number) => {
            u8::try_from(number).map(Some).map_err(|_| Failure::bad_request(json!(["not_int", name])))
        }
    };
    let headers = match object.get("headers") {
        None | Some(Value::Null) => None,
        Some(Value::Object(headers)) => Some(to_table(headers)?),
        Some(_) => return Err(Failure::bad_request(json!(["not_an_object", "headers"]))),
    };
    let builder = PropertiesBuilder {
        content_type: text("content_type")?,
        content_encoding: text("content_encoding")?,
        headers: headers.as_ref().map(TableBuf::as_table),
        delivery_mode: octet("delivery_mode")?,
        priority: octet("priority")?,
        correlation_id: text("correlation_id")?,
        reply_to: text("reply_to")?,
        expiration: text("expiration")?,
        message_id: text("message_id")?,
        timestamp: number("timestamp")?,
        type_: text("type")?,
        user_id: text("user_id")?,
        app_id: text("app_id")?,
        cluster_id: text("cluster_id")?,
    };
    Ok(builder.finish())
}

/// Bytes of a short string.
const SHORT_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_can_say_comes_back_as_it_was() {
        let object = json!({
            "content_type": "text/plain", "priority": 3, "delivery_mode": 2, "timestamp": 12, "type": "t",
            "headers": {"a": 1, "b": "c", "d": [1, 2.5, true, {"e": []}], "f": {"g": -1}},
        });
        let bytes = to_properties(&object).unwrap();
        assert_eq!(from_properties(Properties::parse(&bytes).unwrap()), object);
        let none = to_properties(&json!({"unknown": 1, "app_id": null})).unwrap();
        assert_eq!(from_properties(Properties::parse(&none).unwrap()), json!([]));
    }

    #[test]
    fn what_a_message_cannot_have_is_refused() {
        for (object, reason) in [
            (json!({"priority": "x"}), json!(["not_int", "priority"])),
            (json!({"priority": 256}), json!(["not_int", "priority"])),
            (json!({"headers": {"a": null}}), json!("null_not_allowed")),
            (json!({"headers": 1}), json!(["not_an_object", "headers"])),
            (json!({"app_id": 1}), json!(["not_string", "app_id"])),
        ] {
            assert_eq!(to_properties(&object).unwrap_err().body["reason"], reason, "{object}");
        }
    }
}
