//! What is to be known of an endpoint beside its row.

use serde_json::{Map, Value, json};

use super::notation::{fields, object, schema};
use crate::management::endpoint::Method;

/// What is asked for, sent and answered.
pub(super) struct Described {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// What it does, in a line.
    pub(super) summary: &'static str,
    /// The statuses of success, `|` between them, and what comes with the first: `200 [Queue]`.
    answer: &'static str,
    /// The fields of the query.
    query: &'static str,
    /// Names of `SHARED`.
    shared: &'static [&'static str],
    /// The fields of the body; nothing where none is read.
    body: Option<&'static str>,
    /// Whether the list is cut into pages when that is asked for.
    paged: bool,
}

/// Describes an endpoint that reads no body and no query.
pub(super) const fn of(
    method: Method,
    path: &'static str,
    summary: &'static str,
    answer: &'static str,
) -> Described {
    Described { method, path, summary, answer, query: "", shared: &[], body: None, paged: false }
}

/// The same for what is read.
pub(super) const fn get(path: &'static str, summary: &'static str, answer: &'static str) -> Described {
    of(Method::Get, path, summary, answer)
}

/// The same for what is put in its place: 201 if it is new, else 204.
pub(super) const fn put(path: &'static str, summary: &'static str, body: &'static str) -> Described {
    of(Method::Put, path, summary, "201|204").body(body)
}

/// The same for what is done.
pub(super) const fn post(path: &'static str, summary: &'static str, answer: &'static str) -> Described {
    of(Method::Post, path, summary, answer)
}

/// The same for what is taken away.
pub(super) const fn delete(path: &'static str, summary: &'static str) -> Described {
    of(Method::Delete, path, summary, "204")
}

impl Described {
    /// The fields of its query, in the notation.
    pub(super) const fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    /// The fields of its body, in the notation.
    pub(super) const fn body(self, body: &'static str) -> Self {
        Self { body: Some(body), ..self }
    }

    /// What it answers, where that is not usual for its method.
    pub(super) const fn gives(self, answer: &'static str) -> Self {
        Self { answer, ..self }
    }

    /// Its list can be put in order, and shown with some columns only.
    pub(super) const fn listed(self) -> Self {
        Self { shared: &LISTED, ..self }
    }

    /// Its list can be cut into pages, too.
    pub(super) const fn paged(self) -> Self {
        Self { shared: &PAGED, paged: true, ..self }
    }

    /// What is asked for and sent, as fields of an operation.
    pub(super) fn asked(&self) -> Map<String, Value> {
        let mut asked = Map::new();
        let own = fields(self.query).map(|(name, required, schema)| {
            json!({ "name": name, "in": "query", "required": required, "schema": schema })
        });
        let shared =
            self.shared.iter().map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
        let parameters: Vec<Value> = own.chain(shared).collect();
        if !parameters.is_empty() {
            asked.insert("parameters".to_owned(), json!(parameters));
        }
        if let Some(body) = self.body {
            let schema = object(body);
            let required = schema.get("required").is_some();
            let body =
                json!({ "required": required, "content": { "application/json": { "schema": schema } } });
            asked.insert("requestBody".to_owned(), body);
        }
        asked
    }
}

/// What may be answered; where nothing is said, only that it may fail.
pub(super) fn responses(described: Option<&Described>) -> Value {
    let mut responses = Map::new();
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Failed" }));
    let Some(described) = described else { return Value::Object(responses) };
    let (statuses, kind) = described.answer.split_once(' ').unwrap_or((described.answer, ""));
    for (at, status) in statuses.split('|').enumerate() {
        let mut response = Map::from_iter([("description".to_owned(), json!(meaning(status)))]);
        if at == 0 && !kind.is_empty() {
            let mut told = schema(kind);
            if described.paged {
                let page = json!({ "properties": { "items": told } });
                let page = json!({ "allOf": [{ "$ref": "#/components/schemas/Page" }, page] });
                told = json!({ "oneOf": [schema(kind), page] });
            }
            response.insert("content".to_owned(), json!({ "application/json": { "schema": told } }));
        }
        responses.insert(status.to_owned(), Value::Object(response));
    }
    Value::Object(responses)
}

fn meaning(status: &str) -> &'static str {
    match status {
        "200" => "What is there, or came of it.",
        "201" => "It is new.",
        "202" => "It is being done; the location tells how far.",
        "204" => "Done.",
        "303" => "Done; to be looked at elsewhere.",
        "401" => "That is not the password.",
        "503" => "The check has failed.",
        _ => "As it says.",
    }
}

const LISTED: [&str; 3] = ["sort", "sort_reverse", "columns"];
const PAGED: [&str; 7] = ["sort", "sort_reverse", "columns", "page", "page_size", "name", "use_regex"];

/// Parameters of many endpoints: name, type, what they are.
const SHARED: [(&str, &str, &str); 7] = [
    ("sort", "string", "The field to order by, with dots where it is within another one."),
    ("sort_reverse", "boolean", "The other way round."),
    ("columns", "string", "The fields to tell, with commas between them; all unless that is said."),
    ("page", "integer", "From 1 on; without it the list comes whole, as an array."),
    ("page_size", "integer", "From 1 to 500, unless that is said 100."),
    ("name", "string", "What is in the names of those that are listed; with a page only."),
    ("use_regex", "boolean", "The name is a regular expression."),
];

/// Those as components.
pub(super) fn shared_parameters() -> Value {
    let one = |(name, kind, said): &(&str, &str, &str)| {
        let parameter = json!({ "name": name, "in": "query", "description": said, "schema": schema(kind) });
        ((*name).to_owned(), parameter)
    };
    Value::Object(SHARED.iter().map(one).collect())
}
