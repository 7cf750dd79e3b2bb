//! Which messages are wanted: by what stands in them, and by how old they are.

use std::time::Duration;

use regex::bytes::Regex;
use serde_json::{Map, Value};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::wire_json::{from_field, from_properties};
use crate::message::Message;
use crate::time::Time;

/// A filter: all that it says has to hold.
#[derive(Debug, Default)]
pub(super) struct Filter {
    headers: Vec<(String, Wanted)>,
    properties: Vec<(String, Wanted)>,
    exchange: Option<String>,
    routing_key: Option<String>,
    body: Option<Regex>,
    min_age: Option<Duration>,
    max_age: Option<Duration>,
}

/// What a value is to be.
#[derive(Debug)]
enum Wanted {
    /// Anything, if only it is there.
    Any,
    /// This.
    Value(Value),
    /// What is written like this.
    Written(String),
}

impl Wanted {
    fn written(value: &str) -> Self {
        if value.is_empty() { Self::Any } else { Self::Written(value.to_owned()) }
    }

    fn of(value: &Value) -> Self {
        if value.is_null() { Self::Any } else { Self::Value(value.clone()) }
    }

    fn is(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Value(wanted) => wanted == value,
            Self::Written(text) => match value {
                Value::String(value) => value == text,
                value => serde_json::from_str::<Value>(text).is_ok_and(|wanted| wanted == *value),
            },
        }
    }
}

const KEYS: [&str; 7] = ["headers", "properties", "exchange", "routing_key", "body", "min_age", "max_age"];

impl Filter {
    /// The `filter` of a body.
    pub(super) fn of_body(object: &Map<String, Value>) -> Result<Self, Failure> {
        let filter = match object.get("filter") {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(filter)) => filter,
            Some(_) => return Err(Failure::bad_request("filter must be an object")),
        };
        if let Some(unknown) = filter.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let known = KEYS.join(", ");
            return Err(Failure::bad_request(format!("filter.{unknown} is unknown; known are {known}")));
        }
        let text = |name: &str| match filter.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Failure::bad_request(format!("filter.{name} must be a string"))),
        };
        let values = |name: &str| match filter.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Object(values)) => {
                Ok(values.iter().map(|(name, value)| (name.clone(), Wanted::of(value))).collect())
            }
            Some(_) => Err(Failure::bad_request(format!("filter.{name} must be an object"))),
        };
        let age = |name: &str| match filter.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => age(name, value.as_u64()),
        };
        Ok(Self {
            headers: values("headers")?,
            properties: values("properties")?,
            exchange: text("exchange")?,
            routing_key: text("routing_key")?,
            body: text("body")?.map(|text| literally(&text)).transpose()?,
            min_age: age("min_age")?,
            max_age: age("max_age")?,
        })
    }

    /// The same in a query: `header.NAME=VALUE`, `property.NAME=VALUE` and the others. Without a value it has to be there.
    pub(super) fn of_query(call: &Call) -> Result<Self, Failure> {
        let query = &call.query;
        let written = |start| {
            let pairs = query.beginning_with(start);
            pairs.map(|(name, value)| (name.to_owned(), Wanted::written(value))).collect()
        };
        let text = |name| query.get(name).map(str::to_owned);
        let age = |name| query.get(name).map_or(Ok(None), |text| age(name, text.parse().ok()));
        Ok(Self {
            headers: written("header."),
            properties: written("property."),
            exchange: text("exchange"),
            routing_key: text("routing_key"),
            body: query.get("body").map(literally).transpose()?,
            min_age: age("min_age")?,
            max_age: age("max_age")?,
        })
    }

    /// Whether a message is wanted.
    pub(super) fn has(&self, message: &Message, now: Time) -> bool {
        let age = now.since(message.arrived());
        self.min_age.is_none_or(|least| age >= least)
            && self.max_age.is_none_or(|most| age <= most)
            && self.exchange.as_ref().is_none_or(|exchange| message.exchange() == exchange)
            && self.routing_key.as_ref().is_none_or(|key| message.routing_key() == key)
            && self.has_headers(message)
            && self.has_properties(message)
            && self.body.as_ref().is_none_or(|body| body.is_match(message.body()))
    }

    fn has_headers(&self, message: &Message) -> bool {
        if self.headers.is_empty() {
            return true;
        }
        let Some(headers) = message.properties().headers() else { return false };
        let is = |wanted: &Wanted, name: &str| headers.get(name).is_some_and(|of| wanted.is(&from_field(of)));
        self.headers.iter().all(|(name, wanted)| is(wanted, name))
    }

    fn has_properties(&self, message: &Message) -> bool {
        if self.properties.is_empty() {
            return true;
        }
        let properties = from_properties(message.properties());
        let is = |wanted: &Wanted, name: &str| properties.get(name).is_some_and(|value| wanted.is(value));
        self.properties.iter().all(|(name, wanted)| is(wanted, name))
    }
}

fn literally(text: &str) -> Result<Regex, Failure> {
    Regex::new(&format!("(?-u){}", regex::escape(text)))
        .map_err(|_| Failure::bad_request("body is too long to be looked for"))
}

fn age(name: &str, milliseconds: Option<u64>) -> Result<Option<Duration>, Failure> {
    match milliseconds {
        Some(milliseconds) => Ok(Some(Duration::from_millis(milliseconds))),
        None => Err(Failure::bad_request(format!("{name} must be a number of milliseconds"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::wire_json::to_properties;
    use super::*;

    #[test]
    fn a_message_is_wanted_if_all_holds_that_is_said() {
        let properties = json!({
            "type": "order", "priority": 3, "headers": { "tenant": "a", "n": 5, "deep": { "x": 1 } },
        });
        let properties = to_properties(&properties).unwrap();
        let mut message = Message::compose("orders", "new.eu", &properties, "sum: 12 €".as_bytes()).unwrap();
        message.arrive(Time::from_millis(10_000));
        let now = Time::from_millis(15_000);
        for (filter, expected) in [
            (json!({}), true),
            (json!({ "headers": { "tenant": "a" } }), true),
            (json!({ "headers": { "tenant": "b" } }), false),
            (json!({ "headers": { "tenant": null, "n": 5 } }), true),
            (json!({ "headers": { "n": "5" } }), false),
            (json!({ "headers": { "none": null } }), false),
            (json!({ "headers": { "deep": { "x": 1 } } }), true),
            (json!({ "properties": { "type": "order", "priority": 3 } }), true),
            (json!({ "properties": { "priority": 4 } }), false),
            (json!({ "properties": { "app_id": null } }), false),
            (json!({ "exchange": "orders", "routing_key": "new.eu" }), true),
            (json!({ "exchange": "", "routing_key": "new.eu" }), false),
            (json!({ "routing_key": "new" }), false),
            (json!({ "body": "12 €" }), true),
            (json!({ "body": "." }), false),
            (json!({ "min_age": 5000 }), true),
            (json!({ "min_age": 5001 }), false),
            (json!({ "max_age": 5000 }), true),
            (json!({ "max_age": 4999 }), false),
        ] {
            let object = json!({ "filter": filter });
            let filter = Filter::of_body(object.as_object().unwrap()).unwrap();
            assert_eq!(filter.has(&message, now), expected, "{object}");
        }
    }

    #[test]
    fn what_is_no_filter_is_told() {
        for (filter, reason) in [
            (json!(5), "filter must be an object"),
            (json!({ "body": 5 }), "filter.body must be a string"),
            (json!({ "headers": [] }), "filter.headers must be an object"),
            (json!({ "min_age": "x" }), "min_age must be a number of milliseconds"),
            (
                json!({ "key": "x" }),
                "filter.key is unknown; known are headers, properties, exchange, routing_key, body, min_age, max_age",
            ),
        ] {
            let object = json!({ "filter": filter });
            let failure = Filter::of_body(object.as_object().unwrap()).unwrap_err();
            assert_eq!(failure.body["reason"], reason, "{object}");
        }
    }
}
