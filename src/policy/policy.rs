//! A policy by itself.

use std::sync::Arc;

use serde_json::Value;

use super::apply_to::{ApplyTo, Subject};
use super::definition::Definition;
use super::invalid::Invalid;
use super::printed::Printed;
use super::settings;
use crate::pattern::{PATTERN_MAX_BYTES, Pattern};

/// Whose policy it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyKind {
    /// A user's, who may set it in the virtual host.
    User,
    /// The operator's, which users cannot get around.
    Operator,
}

/// A policy as it was set and found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name among those of its kind and virtual host.
    pub name: Box<str>,
    /// Which names it is for.
    pub pattern: Pattern,
    /// Which kinds of objects it is for.
    pub apply_to: ApplyTo,
    /// Of several that match the one with the highest holds.
    pub priority: i64,
    /// What it says.
    pub definition: Arc<Definition>,
}

impl Policy {
    /// Checks a policy.
    ///
    /// # Errors
    /// All that is wrong with it, in RabbitMQ's words and order; the texts of the regular expressions' compiler are our own.
    pub fn parse(
        kind: PolicyKind,
        name: &str,
        pattern: &str,
        apply_to: &str,
        priority: i64,
        definition: &Value,
    ) -> Result<Self, Invalid> {
        let definition = parse_definition(kind, definition);
        let parsed_to = ApplyTo::parse(apply_to).ok_or_else(|| {
            format!(
                "apply-to '{apply_to}' unrecognised; should be one of: 'queues', 'classic_queues',  \
                 'quorum_queues', 'streams', 'exchanges', or 'all'"
            )
        });
        match (definition, parsed_to, parse_pattern(pattern)) {
            (Ok(definition), Ok(apply_to), Ok(pattern)) => {
                Ok(Self { name: name.into(), pattern, apply_to, priority, definition: Arc::new(definition) })
            }
            (definition, apply_to, pattern) => {
                let reasons = [definition.err(), apply_to.err(), pattern.err()];
                Err(Invalid::of(reasons.into_iter().flatten()))
            }
        }
    }

    /// Whether it is for this object.
    pub(super) fn matches(&self, subject: Subject, name: &str) -> bool {
        self.apply_to.includes(subject)
            && settings::is_applicable(&self.definition, self.apply_to, subject)
            && self.pattern.matches(name)
    }
}

fn parse_definition(kind: PolicyKind, definition: &Value) -> Result<Definition, String> {
    match definition {
        Value::Object(settings) if settings.is_empty() => Err("no policy provided".to_owned()),
        Value::Array(values) if values.is_empty() => Err("no policy provided".to_owned()),
        Value::Object(settings) => {
            settings::check(kind, settings)?;
            let settings = settings.iter().map(|(name, value)| (name.as_str().into(), value.clone()));
            Ok(Definition::new(settings))
        }
        Value::Array(_) => Err(format!("definition must be a dictionary: {}", Printed(definition))),
        value => {
            let validator = match kind {
                PolicyKind::User => "policy_validator",
                PolicyKind::Operator => "operator_policy_validator",
            };
            let value = Printed(value);
            Err(format!("parse error while reading policy definition: {value}. Validator: {validator}."))
        }
    }
}

fn parse_pattern(pattern: &str) -> Result<Pattern, String> {
    if pattern.len() > PATTERN_MAX_BYTES {
        return Err(format!("pattern must not exceed {PATTERN_MAX_BYTES} bytes"));
    }
    Pattern::parse(pattern)
        .map_err(|reason| format!("pattern should be regular expression but is invalid: \"{reason}\""))
}

#[cfg(test)]
mod tests;
