//! The HTTP API described as `OpenAPI` 3.1: `GET /api/leveret/openapi.json`.
//!
//! ```text
//! the table of endpoints ---> a path, a method, who may, what stands in the path
//! node access topology        what is asked for, sent and answered: a line or two for each row
//!   policies leveret
//! schemas                     the objects that are answered
//! notation                    how all these say what an object has
//! ```
//!
//! Every row is in the document, also one that nothing is said of yet. Nothing in it is of this broker: all brokers of a
//! version tell the same, to everybody.

mod access;
mod described;
mod leveret;
mod node;
mod notation;
mod policies;
mod schemas;
#[cfg(test)]
mod tests;
mod topology;

use std::sync::OnceLock;

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use self::described::Described;
use super::answer::Answer;
use super::call::Call;
use super::endpoint::{Endpoint, Needs};
use super::endpoints::ENDPOINTS;
use super::failure::Failure;

/// What is said of endpoints, by what they are about.
const DESCRIBED: [(&str, &[Described]); 5] = [
    ("node", node::DESCRIBED),
    ("access", access::DESCRIBED),
    ("topology", topology::DESCRIBED),
    ("policies", policies::DESCRIBED),
    ("leveret", leveret::DESCRIBED),
];

/// `GET /api/leveret/openapi.json`: written once, since anybody may ask for it, as often as they like.
pub(super) fn show(_: &Call) -> Result<Answer, Failure> {
    static WRITTEN: OnceLock<Bytes> = OnceLock::new();
    let written = WRITTEN.get_or_init(|| document().to_string().into());
    Ok(Answer::Written(written.clone()))
}

/// What is said of an endpoint, and what it is about.
fn described(endpoint: &Endpoint) -> Option<(&'static str, &'static Described)> {
    DESCRIBED.iter().find_map(|(about, described)| {
        let found = described.iter().find(|one| one.method == endpoint.method && one.path == endpoint.path);
        Some((*about, found?))
    })
}

/// The whole document.
fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in ENDPOINTS {
        let path =
            paths.entry(endpoint.path).or_insert_with(|| json!({ "parameters": in_path(endpoint.path) }));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(endpoint.method.as_str().to_lowercase(), operation(endpoint));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Leveret",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "RabbitMQ's management API, and what Leveret adds to it below /api/leveret.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "password": [] }],
        "tags": DESCRIBED.map(|(name, _)| json!({ "name": name })),
        "paths": paths,
        "components": {
            "securitySchemes": { "password": { "type": "http", "scheme": "basic" } },
            "parameters": described::shared_parameters(),
            "responses": {
                "Failed": {
                    "description": "It was not done, and why.",
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Failure" } } },
                },
            },
            "schemas": schemas::all(),
        },
    })
}

/// An operation of a path.
fn operation(endpoint: &Endpoint) -> Value {
    let found = described(endpoint);
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "description": who(endpoint.needs),
        "responses": described::responses(found.map(|(_, described)| described)),
    });
    let Some(fields) = operation.as_object_mut() else { return operation };
    if endpoint.needs == Needs::Nothing {
        fields.insert("security".to_owned(), json!([]));
    }
    if let Some((about, described)) = found {
        fields.insert("tags".to_owned(), json!([about]));
        fields.insert("summary".to_owned(), json!(described.summary));
        fields.extend(described.asked());
    }
    operation
}

/// A name for programs: `get_queues_vhost_queue`.
fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint.path.trim_start_matches("/api/").split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{}_{}", endpoint.method.as_str().to_lowercase(), words.join("_"))
}

/// What stands in a path.
fn in_path(path: &str) -> Value {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let mut parameter =
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
        let said = match name {
            "vhost" => "The virtual host; %2F is the default one.",
            "exchange" => "The exchange; amq.default is the one without a name.",
            "properties_key" => "The properties_key of a binding, as bindings are listed with it.",
            _ => return parameter,
        };
        if let Some(fields) = parameter.as_object_mut() {
            fields.insert("description".to_owned(), json!(said));
        }
        parameter
    };
    names.map(parameter).collect()
}

/// Who may.
const fn who(needs: Needs) -> &'static str {
    match needs {
        Needs::Nothing => "For everybody, without a login.",
        Needs::Management => "For users with any of the tags of management.",
        Needs::Monitoring => "For users tagged monitoring or administrator.",
        Needs::Policymaker => "For users tagged policymaker or administrator.",
        Needs::Administrator => "For users tagged administrator.",
        Needs::Vhost => "For users who may enter the virtual host, if one is named, and for administrators.",
        Needs::PolicymakerOfVhost => {
            "For users tagged policymaker who may enter the virtual host, and for administrators."
        }
        Needs::SeesVhost => {
            "For users who may enter the virtual host, and for those tagged monitoring or administrator."
        }
        Needs::SeesUser => "For the user itself, and for those tagged monitoring or administrator.",
        Needs::IsUser => "For the user itself, and for administrators.",
    }
}
