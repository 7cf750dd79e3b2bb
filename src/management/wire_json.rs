//! AMQP's tables and properties as JSON, and back.

use leveret_protocol::properties::{Properties, PropertiesBuilder};
use leveret_protocol::table::TableBuf;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use crate::definitions::table::{self, NoTable, Null};
pub(super) use crate::definitions::table::{from_field, from_table};

/// A table of an object: whole numbers are longs, others doubles, as RabbitMQ makes them.
pub(super) fn to_table(object: &Map<String, Value>) -> Result<TableBuf, Failure> {
    table::to_table(object, Null::Refused).map_err(|why| match why {
        NoTable::KeyTooLong(key) => Failure::bad_request(json!(["key_too_long", key])),
        NoTable::TooDeep => Failure::bad_request("nested_too_deeply"),
        NoTable::Null => Failure::bad_request("null_not_allowed"),
    })
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
