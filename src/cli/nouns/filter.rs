//! Which messages a command is about.

use clap::Args;
use serde_json::{Map, Value, json};

use super::arguments::pair;
use super::duration::millis;

/// What messages have to have in common. All that is said has to hold.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which messages")]
pub(super) struct FilterFlags {
    /// Only those with a header; without a value whatever it is
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = perhaps_pair)]
    header: Vec<(String, Option<Value>)>,
    /// Only those with a property, such as type=order or app_id
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = perhaps_pair)]
    property: Vec<(String, Option<Value>)>,
    /// Only those that were published to this exchange
    #[arg(long, value_name = "NAME")]
    exchange: Option<String>,
    /// Only those with this routing key
    #[arg(long, value_name = "KEY")]
    routing_key: Option<String>,
    /// Only those with this text in their bodies
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// Only those that have been there for so long, such as 30s, 5m or 2h
    #[arg(long, value_name = "TIME", value_parser = millis)]
    min_age: Option<u64>,
    /// Only those that have not been there for longer
    #[arg(long, value_name = "TIME", value_parser = millis)]
    max_age: Option<u64>,
}

fn perhaps_pair(text: &str) -> Result<(String, Option<Value>), String> {
    if text.contains('=') {
        return pair(text).map(|(name, value)| (name, Some(value)));
    }
    if text.is_empty() { Err("expected NAME or NAME=VALUE".to_owned()) } else { Ok((text.to_owned(), None)) }
}

impl FilterFlags {
    /// As the fields of a query. There, texts are compared as they are written.
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        for (start, pairs) in [("header", &self.header), ("property", &self.property)] {
            for (name, value) in pairs {
                let value = value.as_ref().map(crate::cli::output::raw).unwrap_or_default();
                fields.push((format!("{start}.{name}"), value));
            }
        }
        let texts = [("exchange", &self.exchange), ("routing_key", &self.routing_key), ("body", &self.body)];
        fields.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.clone()?))));
        let ages = [("min_age", self.min_age), ("max_age", self.max_age)];
        fields.extend(ages.into_iter().filter_map(|(name, age)| Some((name.to_owned(), age?.to_string()))));
        fields
    }

    /// As the `filter` of a body.
    pub(super) fn json(&self) -> Value {
        let values = |pairs: &[(String, Option<Value>)]| -> Option<Value> {
            let values =
                pairs.iter().map(|(name, value)| (name.clone(), value.clone().unwrap_or(Value::Null)));
            (!pairs.is_empty()).then(|| Value::Object(values.collect::<Map<_, _>>()))
        };
        let fields = [
            ("headers", values(&self.header)),
            ("properties", values(&self.property)),
            ("exchange", self.exchange.as_deref().map(|text| json!(text))),
            ("routing_key", self.routing_key.as_deref().map(|text| json!(text))),
            ("body", self.body.as_deref().map(|text| json!(text))),
            ("min_age", self.min_age.map(|age| json!(age))),
            ("max_age", self.max_age.map(|age| json!(age))),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(fields.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_says_the_same_in_a_query_and_in_a_body() {
        let filter = FilterFlags {
            header: vec![("n".to_owned(), Some(json!(5))), ("any".to_owned(), None)],
            exchange: Some(String::new()),
            min_age: Some(1000),
            ..FilterFlags::default()
        };
        let fields: Vec<String> =
            filter.fields().iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(fields, ["header.n=5", "header.any=", "exchange=", "min_age=1000"]);
        let body = json!({ "headers": { "n": 5, "any": null }, "exchange": "", "min_age": 1000 });
        assert_eq!(filter.json(), body);
    }
}
