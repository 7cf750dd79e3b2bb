//! Objects as rows and columns.

use serde_json::{Map, Value};

/// What stands in each column of each row.
pub(in crate::cli) struct Rows {
    pub(super) names: Vec<String>,
    pub(super) cells: Vec<Vec<String>>,
    /// Which columns hold numbers only.
    pub(super) numeric: Vec<bool>,
}

impl Rows {
    /// The named columns of these objects.
    pub(super) fn new(objects: &[Value], names: &[&str], cell: fn(&Value) -> String) -> Self {
        let mut numeric = vec![!objects.is_empty(); names.len()];
        let rows = objects.iter().map(|object| {
            let cells = names.iter().zip(&mut numeric).map(|(name, numeric)| {
                let value = at(object, name).unwrap_or(&Value::Null);
                *numeric &= value.is_number() || value.is_null();
                cell(value)
            });
            cells.collect()
        });
        let rows = rows.collect();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Self { names, cells: rows, numeric }
    }
}

/// The part of an object that a column names: by the whole name, or one name within the other.
fn at<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(value) = object.get(path) {
        return Some(value);
    }
    path.split('.').try_fold(object, |value, name| value.get(name))
}

/// Objects with nothing but these columns.
pub(super) fn pruned(objects: Vec<Value>, names: &[&str]) -> Vec<Value> {
    let prune = |object: Value| {
        let mut kept = Map::new();
        for name in names {
            if let Some(value) = at(&object, name) {
                if object.get(*name).is_some() {
                    kept.insert((*name).to_owned(), value.clone());
                } else {
                    let path: Vec<&str> = name.split('.').collect();
                    put(&mut kept, &path, value.clone());
                }
            }
        }
        Value::Object(kept)
    };
    objects.into_iter().map(prune).collect()
}

fn put(into: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [name] => {
            into.insert((*name).to_owned(), value);
        }
        [name, rest @ ..] => {
            let within = into.entry((*name).to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(within) = within {
                put(within, rest, value);
            }
        }
    }
}

/// The fields of an object with their values, those of inner objects as `outer.inner`: first these in their order.
pub(super) fn fields(object: &Value, order: &[&str], cell: fn(&Value) -> String) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect("", object, cell, &mut found);
    let place = |name: &str| {
        let is_meant = |wanted: &&str| {
            name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        order.iter().position(is_meant).unwrap_or(order.len())
    };
    found.sort_by_key(|(name, _)| place(name));
    found
}

fn collect(name: &str, value: &Value, cell: fn(&Value) -> String, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (inner, value) in fields {
                // A name of others may stand in it: of an argument, a header, a client's property.
                let inner = super::escape(inner);
                let name = if name.is_empty() { inner.into_owned() } else { format!("{name}.{inner}") };
                collect(&name, value, cell, found);
            }
        }
        value => found.push((name.to_owned(), cell(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::cell;
    use serde_json::json;

    #[test]
    fn columns_are_found_by_their_paths_and_numbers_are_known() {
        let objects = [json!({"a": 1, "b": {"c": "x", "d": 2}, "e.f": 3}), json!({"a": null})];
        let rows = Rows::new(&objects, &["a", "b.c", "e.f", "none"], cell);
        assert_eq!(rows.cells, [["1", "x", "3", ""], ["", "", "", ""]]);
        assert_eq!(rows.numeric, [true, false, true, true]);
        let kept = pruned(objects.into(), &["b.d", "e.f"]);
        assert_eq!(kept, [json!({"b": {"d": 2}, "e.f": 3}), json!({})]);
        let object = json!({"z": {"y": {}, "x": [1]}, "w": "t\n"});
        for (order, expected) in
            [(&[][..], ["w=t\\n", "z.x=[1]", "z.y="]), (&["z", "w"], ["z.x=[1]", "z.y=", "w=t\\n"])]
        {
            let fields = fields(&object, order, cell);
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert_eq!(fields, expected);
        }
    }
}
