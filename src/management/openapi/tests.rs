use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::notation::{object, schema};
use super::{DESCRIBED, ENDPOINTS, described, document};

#[test]
fn an_object_is_described_in_a_line() {
    for (kind, expected) in [
        ("string", json!({ "type": "string" })),
        ("[integer]", json!({ "type": "array", "items": { "type": "integer" } })),
        ("{[any]}", json!({ "type": "object", "additionalProperties": { "type": "array", "items": {} } })),
        ("=a,b", json!({ "type": "string", "enum": ["a", "b"] })),
        (
            "string|Queue",
            json!({ "anyOf": [{ "type": "string" }, { "$ref": "#/components/schemas/Queue" }] }),
        ),
    ] {
        assert_eq!(schema(kind), expected, "{kind}");
    }
    let expected = json!({
        "type": "object",
        "properties": { "a": { "type": "string" }, "b-c": { "type": "boolean" } },
        "required": ["a"],
    });
    assert_eq!(object("a:string b-c?:boolean"), expected);
}

#[test]
fn every_row_is_described_and_nothing_else_is() {
    let bare: Vec<_> = ENDPOINTS.iter().filter(|endpoint| described(endpoint).is_none()).collect();
    assert!(bare.is_empty(), "to be described below src/management/openapi: {bare:#?}");
    for (_, described) in DESCRIBED {
        for one in described {
            let known = ENDPOINTS.iter().any(|row| row.method == one.method && row.path == one.path);
            assert!(known, "{} {} is no endpoint", one.method.as_str(), one.path);
        }
    }
}

#[test]
fn every_row_is_in_the_document_with_a_name_of_its_own_and_what_stands_in_its_path() {
    let document = document();
    let mut names = BTreeSet::new();
    for endpoint in ENDPOINTS {
        let path = &document["paths"][endpoint.path];
        let operation = &path[endpoint.method.as_str().to_lowercase()];
        let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{endpoint:?}"));
        assert!(names.insert(name.to_owned()), "{name} twice");
        let parameters = path["parameters"].as_array().unwrap();
        assert_eq!(parameters.len(), endpoint.path.matches('{').count(), "{endpoint:?}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}
