//! What a policy says: settings with their values.

use std::collections::BTreeMap;

use serde_json::Value;

/// Settings of a policy, or of two merged, by their names. They were found good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition(BTreeMap<Box<str>, Value>);

impl Definition {
    /// One that says nothing.
    pub const NONE: &'static Self = &Self(BTreeMap::new());

    /// These settings.
    pub(super) fn new(settings: impl IntoIterator<Item = (Box<str>, Value)>) -> Self {
        Self(settings.into_iter().collect())
    }

    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A setting that is an integer. One that is larger than can be is the largest.
    pub fn integer(&self, name: &str) -> Option<i64> {
        let value = self.get(name)?;
        value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX))
    }

    /// A setting that is a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }

    /// A setting that is true or false.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    /// A setting that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// All settings, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        Value::Object(self.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect())
    }
}
