//! Values in the body of a request.

use serde_json::{Map, Value, json};

use super::failure::Failure;

/// A switch; `true` and `false` as text count too.
pub(super) fn switch(object: &Map<String, Value>, name: &str) -> Result<bool, Failure> {
    match object.get(name) {
        None => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(Value::String(text)) if text == "true" => Ok(true),
        Some(Value::String(text)) if text == "false" => Ok(false),
        Some(other) => Err(Failure::bad_request(json!(["not_boolean", other]))),
    }
}

/// A text, if it is there.
pub(super) fn text<'o>(object: &'o Map<String, Value>, name: &str) -> Result<Option<&'o str>, Failure> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Failure::bad_request(format!("{name} must be a string"))),
    }
}

/// A whole number; as text it counts too.
pub(super) fn integer(value: &Value) -> Result<i64, Failure> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| Failure::bad_request(json!(["not_integer", value])))
}

/// Tags: an array, or a text with commas between them.
pub(super) fn tags(value: &Value) -> Result<Vec<String>, Failure> {
    let invalid = || Failure::bad_request("tags must be a list of strings or a string with commas");
    let tags: Vec<&str> = match value {
        Value::String(text) => text.split(',').collect(),
        Value::Array(values) => {
            values.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(invalid)?
        }
        _ => return Err(invalid()),
    };
    Ok(tags.into_iter().map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect())
}
