//! A JSON value as the content of one cell.

use serde_json::Value;

use super::escape;

/// What stands in a cell: text as it is but for what a terminal would obey, nothing for `null`, JSON for the rest.
pub(in crate::cli) fn cell(value: &Value) -> String {
    escape(&raw(value)).into_owned()
}

/// The same for programs: with everything in it.
pub(in crate::cli) fn raw(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        // Lists of names, such as tags, read better without their quotes.
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            items.join(", ")
        }
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Object(fields) if fields.is_empty() => String::new(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_says_what_a_value_is_in_one_line() {
        for (value, expected) in [
            (json!(null), ""),
            (json!(5), "5"),
            (json!(true), "true"),
            (json!("a\nb"), "a\\nb"),
            (json!(["administrator", "x"]), "administrator, x"),
            (json!([]), ""),
            (json!({}), ""),
            (json!({ "x-max-length": 5 }), r#"{"x-max-length":5}"#),
            (json!([1, "a"]), r#"[1,"a"]"#),
        ] {
            assert_eq!(cell(&value), expected);
        }
    }
}
