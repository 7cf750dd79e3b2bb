//! An object of a document, read with the place where it stands.

use leveret_protocol::table::TableBuf;
use serde_json::{Map, Value};

use super::document::{Scope, kind};
use super::path::{Finding, Path};
use super::table::{Null, to_table};
use crate::name::VhostName;

/// Names are shortstrs of AMQP: no longer, in bytes.
const NAME_MAX_BYTES: usize = 255;

/// An object, or one within it.
#[derive(Clone)]
pub(super) struct Fields<'d> {
    pub(super) path: Path,
    object: &'d Map<String, Value>,
}

impl<'d> Fields<'d> {
    pub(super) fn new(path: Path, value: &'d Value) -> Result<Self, Finding> {
        match value {
            Value::Object(object) => Ok(Self { path, object }),
            other => Err(Finding { path, reason: format!("expected an object, found {}", kind(other)) }),
        }
    }

    /// Something is to be told of a field, or of the object itself when there are no names.
    pub(super) fn finding(&self, names: &[&str], reason: impl Into<String>) -> Finding {
        Finding { path: self.path.fields(names), reason: reason.into() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'d Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn missing(&self, name: &str) -> Finding {
        self.finding(&[name], "it has to be there, and is not")
    }

    fn other(&self, name: &str, wanted: &str, found: &Value) -> Finding {
        self.finding(&[name], format!("expected {wanted}, found {}", kind(found)))
    }

    /// A value that has to be there; `null` is one.
    pub(super) fn value(&self, name: &str) -> Result<&'d Value, Finding> {
        self.object.get(name).ok_or_else(|| self.missing(name))
    }

    /// An object within it.
    pub(super) fn within(&self, name: &str) -> Result<Fields<'d>, Finding> {
        Fields::new(self.path.field(name), self.value(name)?)
    }

    /// A text that need not be there.
    pub(super) fn maybe_text(&self, name: &str) -> Result<Option<&'d str>, Finding> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.other(name, "a text", other)),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<&'d str, Finding> {
        self.maybe_text(name)?.ok_or_else(|| self.missing(name))
    }

    /// A text that can be a name: it may be empty.
    pub(super) fn name(&self, name: &str) -> Result<&'d str, Finding> {
        let text = self.text(name)?;
        if text.len() > NAME_MAX_BYTES {
            return Err(self.finding(&[name], "a name has at most 255 bytes"));
        }
        Ok(text)
    }

    /// A name of something that has one.
    pub(super) fn some_name(&self, name: &str) -> Result<&'d str, Finding> {
        match self.name(name)? {
            "" => Err(self.finding(&[name], "a name is not empty")),
            text => Ok(text),
        }
    }

    /// A switch; `true` and `false` as text count too.
    pub(super) fn switch(&self, name: &str, otherwise: bool) -> Result<bool, Finding> {
        match self.get(name) {
            None => Ok(otherwise),
            Some(Value::Bool(value)) => Ok(*value),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" => Ok(false),
            Some(other) => Err(self.other(name, "true or false", other)),
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, name: &str, otherwise: i64) -> Result<i64, Finding> {
        match self.get(name) {
            None => Ok(otherwise),
            Some(value) => value.as_i64().ok_or_else(|| self.other(name, "a whole number", value)),
        }
    }

    /// Arguments; none are an empty object or, as old versions wrote it, an empty list.
    pub(super) fn table(&self, name: &str) -> Result<TableBuf, Finding> {
        let none = Map::new();
        let object = match self.get(name) {
            None => &none,
            Some(Value::Object(object)) => object,
            Some(Value::Array(values)) if values.is_empty() => &none,
            Some(other) => return Err(self.other(name, "an object", other)),
        };
        to_table(object, Null::Void).map_err(|why| self.finding(&[name], why.to_string()))
    }

    /// Words: a list of texts, or a text with commas between them.
    pub(super) fn words(&self, name: &str) -> Result<Option<Vec<String>>, Finding> {
        let words: Vec<&str> = match self.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.split(',').collect(),
            Some(Value::Array(values)) => {
                let texts: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
                texts.ok_or_else(|| self.finding(&[name], "expected a list of texts"))?
            }
            Some(other) => return Err(self.other(name, "a list of texts", other)),
        };
        Ok(Some(
            words.into_iter().map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        ))
    }

    /// The virtual host that it is in: that of the document where it is about one, else the one that it names.
    pub(super) fn vhost(&self, scope: &Scope) -> Result<VhostName, Finding> {
        match (scope, self.get("vhost")) {
            (Scope::Vhost(vhost), _) => Ok(vhost.clone()),
            (Scope::Broker, None) => Err(self.finding(
                &["vhost"],
                "it has to be there, and is not: definitions of a single virtual host are to be imported into one",
            )),
            (Scope::Broker, Some(_)) => Ok(self.some_name("vhost")?.into()),
        }
    }

    /// Fields that are not known.
    pub(super) fn unknown(&self, known: &[&str]) -> Vec<Finding> {
        let unknown = self.object.keys().filter(|name| !known.contains(&name.as_str()));
        unknown.map(|name| self.finding(&[name], "passed over: not known here")).collect()
    }
}
