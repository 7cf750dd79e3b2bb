//! Fields of what the broker answers.

use serde_json::Value;

/// What stands under a name.
pub(super) trait Field {
    /// That field; null where there is none, or nothing that could have one.
    fn of(&self, name: &str) -> &Value;

    /// The same object with this field. What is no object stays as it is.
    fn with(self, name: &str, value: Value) -> Value;
}

impl Field for Value {
    fn of(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }

    fn with(mut self, name: &str, value: Value) -> Value {
        if let Self::Object(fields) = &mut self {
            fields.insert(name.to_owned(), value);
        }
        self
    }
}
