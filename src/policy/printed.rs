//! JSON values as RabbitMQ prints them in its texts: as Erlang terms, on one line.

use std::fmt::{self, Write};

use serde_json::Value;

use crate::term::Term;

/// A value as Erlang's `~tp` prints it: `<<"text">>`, `[1,true]`, `#{<<"key">> => null}`.
pub(super) struct Printed<'a>(pub(super) &'a Value);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(number) => match (number.as_i128(), number.as_f64()) {
                (None, Some(float)) => Term::Float(float.to_bits()).fmt(f),
                _ => write!(f, "{number}"),
            },
            Value::String(text) => Term::Binary(text.as_bytes()).fmt(f),
            Value::Array(values) => {
                if let Some(text) = characters(values) {
                    return write!(f, "{text:?}");
                }
                f.write_char('[')?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{}", if at > 0 { "," } else { "" }, Self(value))?;
                }
                f.write_char(']')
            }
            Value::Object(entries) => {
                f.write_str("#{")?;
                for (at, (key, value)) in entries.iter().enumerate() {
                    let separator = if at > 0 { "," } else { "" };
                    write!(f, "{separator}{} => {}", Term::Binary(key.as_bytes()), Self(value))?;
                }
                f.write_char('}')
            }
        }
    }
}

/// The text that Erlang takes a list for if each of its numbers is a printable character.
fn characters(values: &[Value]) -> Option<String> {
    let character = |value: &Value| {
        let character = value.as_u64().and_then(|number| u8::try_from(number).ok()).map(char::from)?;
        (!character.is_control()).then_some(character)
    };
    if values.is_empty() { None } else { values.iter().map(character).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As RabbitMQ 3.10 printed them in its refusals.
    #[test]
    fn values_print_as_erlang_prints_them() {
        for (value, printed) in [
            (json!(-1), "-1"),
            (json!(18_446_744_073_709_551_615_u64), "18446744073709551615"),
            (json!("5"), "<<\"5\">>"),
            (json!("a\"b"), "<<\"a\\\"b\">>"),
            (json!(1.5), "1.5"),
            (json!(null), "null"),
            (json!(true), "true"),
            (json!([1, 2]), "[1,2]"),
            (json!([]), "[]"),
            (json!([100, 101]), "\"de\""),
            (json!({"a": [1, true]}), "#{<<\"a\">> => [1,true]}"),
            (json!({"a": 1, "b": {}}), "#{<<\"a\">> => 1,<<\"b\">> => #{}}"),
        ] {
            assert_eq!(Printed(&value).to_string(), printed, "{value}");
        }
    }
}
