//! What there is and a document does not name.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::document::{Document, Scope, Section};
use super::export::Export;
use crate::connection::Environment;

/// The fields that tell one object of a section from another.
const fn identity(section: Section) -> &'static [&'static str] {
    match section {
        Section::Users | Section::Vhosts | Section::GlobalParameters => &["name"],
        Section::Permissions => &["vhost", "user"],
        Section::TopicPermissions => &["vhost", "user", "exchange"],
        Section::Policies | Section::Exchanges | Section::Queues => &["vhost", "name"],
        Section::Parameters => &["vhost", "component", "name"],
        Section::Bindings => {
            &["vhost", "source", "destination", "destination_type", "routing_key", "arguments"]
        }
    }
}

fn named(section: Section, object: &Value, scope: &Scope) -> String {
    let values = identity(section).iter().map(|name| match (*name, scope) {
        ("vhost", Scope::Vhost(vhost)) => json!(vhost.as_str()),
        // None are written in several ways.
        ("arguments", _) => match object.get("arguments") {
            Some(Value::Object(arguments)) if !arguments.is_empty() => Value::Object(arguments.clone()),
            _ => Value::Null,
        },
        (name, _) => object.get(name).cloned().unwrap_or_default(),
    });
    Value::Array(values.collect()).to_string()
}

/// The objects that a document does not name, of the sections that it has; up to so many, and how many more there are.
pub(super) fn absent(document: &Document, environment: &Environment, max: usize) -> (Vec<Value>, u64) {
    let export = Export { environment, cluster_name: "" };
    let scope = document.scope();
    let vhosts = export.vhosts(scope);
    let (mut found, mut more) = (Vec::new(), 0);
    for section in Section::IN_ORDER {
        if *scope != Scope::Broker && !section.is_of_vhost() {
            continue;
        }
        let Ok(objects) = document.objects(section) else { continue };
        if objects.is_empty() {
            continue;
        }
        let known: HashSet<String> = objects.iter().map(|object| named(section, object, scope)).collect();
        for object in export.objects(section, &vhosts) {
            if known.contains(&named(section, &object, &Scope::Broker)) {
                continue;
            }
            if found.len() < max {
                found.push(json!({ "section": section.as_str(), "object": object }));
            } else {
                more += 1;
            }
        }
    }
    (found, more)
}
