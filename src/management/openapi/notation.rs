//! What an object has, in a line: `name:s tags?:string|[string] limits:{i} kind:=a,b of:Queue`.
//!
//! A field is a name, `?` if it may be missing, a colon and a type. A type is a word below, `[T]` for a list, `{T}` for an
//! object with any names, `=a,b` for one of these texts, `Name` for an object among the schemas, or several with `|`.

use serde_json::{Map, Value, json};

/// The fields of a line: name, whether it has to be there, schema.
pub(super) fn fields(line: &str) -> impl Iterator<Item = (&str, bool, Value)> {
    line.split_whitespace().filter_map(|field| {
        let (name, kind) = field.split_once(':')?;
        let optional = name.strip_suffix('?');
        Some((optional.unwrap_or(name), optional.is_none(), schema(kind)))
    })
}

/// The schema of an object with these fields. It may have others too: fields are added over the years.
pub(super) fn object(line: &str) -> Value {
    let properties: Map<String, Value> =
        fields(line).map(|(name, _, schema)| (name.to_owned(), schema)).collect();
    let required: Vec<&str> =
        fields(line).filter(|(_, required, _)| *required).map(|(name, ..)| name).collect();
    if required.is_empty() {
        return json!({ "type": "object", "properties": properties });
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

/// The schema of a type.
pub(super) fn schema(kind: &str) -> Value {
    let between = |open, close| kind.strip_prefix(open).and_then(|kind| kind.strip_suffix(close));
    if let Some(items) = between('[', ']') {
        return json!({ "type": "array", "items": schema(items) });
    }
    if let Some(values) = between('{', '}') {
        return json!({ "type": "object", "additionalProperties": schema(values) });
    }
    if let Some(texts) = kind.strip_prefix('=') {
        return json!({ "type": "string", "enum": texts.split(',').collect::<Vec<_>>() });
    }
    if kind.contains('|') {
        return json!({ "anyOf": kind.split('|').map(schema).collect::<Vec<_>>() });
    }
    match kind {
        "string" | "integer" | "number" | "boolean" | "object" | "null" => json!({ "type": kind }),
        "array" => json!({ "type": "array", "items": {} }),
        "any" => json!({}),
        name => json!({ "$ref": format!("#/components/schemas/{name}") }),
    }
}
