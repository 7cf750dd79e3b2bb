//! Arguments of what is declared: `--arg x-max-length=5`, or all of them as JSON.

use clap::Args;
use serde_json::{Map, Value};

/// Arguments, singly or together.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ArgumentFlags {
    /// An argument; a value that is JSON, such as 5, true or {"a":1}, is taken as that, any other as text
    #[arg(long = "arg", short = 'a', value_name = "KEY=VALUE", value_parser = pair)]
    arg: Vec<(String, Value)>,
    /// Arguments as a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    arguments: Option<Value>,
}

impl ArgumentFlags {
    /// All of them; what is given singly goes before what is given together.
    pub(super) fn object(&self) -> Value {
        let mut all = match &self.arguments {
            Some(Value::Object(all)) => all.clone(),
            _ => Map::new(),
        };
        all.extend(self.arg.iter().cloned());
        Value::Object(all)
    }
}

/// A key and a value with `=` between them.
pub(super) fn pair(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    if key.is_empty() {
        return Err("there is nothing before the =".to_owned());
    }
    Ok((key.to_owned(), value_of(value)))
}

/// JSON where it is that, otherwise text: `5` is a number, `"5"` and `five` are texts.
pub(super) fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// A JSON object.
pub(super) fn object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("expected a JSON object, such as {\"max-length\":1000}".to_owned()),
        Err(error) => Err(format!("expected a JSON object, such as {{\"max-length\":1000}}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_json_where_it_can_be_and_text_otherwise() {
        for (text, key, value) in [
            ("x-max-length=5", "x-max-length", json!(5)),
            ("x-overflow=reject-publish", "x-overflow", json!("reject-publish")),
            ("a=\"5\"", "a", json!("5")),
            ("a=b=c", "a", json!("b=c")),
            ("a=", "a", json!("")),
            ("a=true", "a", json!(true)),
            ("a={\"b\":[1]}", "a", json!({ "b": [1] })),
        ] {
            assert_eq!(pair(text).unwrap(), (key.to_owned(), value), "{text}");
        }
        assert!(pair("x").is_err() && pair("=x").is_err() && object("[1]").is_err() && object("{").is_err());
        let flags = ArgumentFlags {
            arg: vec![("a".to_owned(), json!(1))],
            arguments: Some(json!({ "a": 2, "b": 3 })),
        };
        assert_eq!(flags.object(), json!({ "a": 1, "b": 3 }));
    }
}
