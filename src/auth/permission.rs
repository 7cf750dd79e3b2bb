//! Permissions: which names of a virtual host a user may configure, write to and read from.

use std::fmt;

use super::authorize::Action;
use crate::name::{ExchangeName, UserName, VhostName};
use crate::pattern::Pattern;

/// Names for which something is allowed. An empty pattern allows nothing but the empty name, as in RabbitMQ.
#[derive(Clone, PartialEq, Eq)]
pub struct Names {
    text: Box<str>,
    allowed: Allowed,
}

#[derive(Clone, PartialEq, Eq)]
enum Allowed {
    /// The most used pattern: nothing has to be looked at.
    All,
    Empty,
    Pattern(Pattern),
}

/// A pattern that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPattern {
    pattern: Box<str>,
    reason: Box<str>,
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid regular expression '{}': {}", self.pattern, self.reason)
    }
}

impl std::error::Error for InvalidPattern {}

impl Names {
    /// The names that a pattern is found in.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        Self::expanded(text, text)
    }

    /// The same with another text for what is looked for.
    fn expanded(text: &str, expanded: &str) -> Result<Self, InvalidPattern> {
        let allowed = match expanded {
            ".*" => Allowed::All,
            "" => Allowed::Empty,
            _ => Allowed::Pattern(
                Pattern::parse(expanded)
                    .map_err(|reason| InvalidPattern { pattern: text.into(), reason: reason.into() })?,
            ),
        };
        Ok(Self { text: text.into(), allowed })
    }

    /// Whether a name is among them.
    pub fn has(&self, name: &str) -> bool {
        match &self.allowed {
            Allowed::All => true,
            Allowed::Empty => name.is_empty(),
            Allowed::Pattern(pattern) => pattern.matches(name),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// What a user may do in a virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What it may make, change and delete.
    pub configure: Names,
    /// Where it may put messages.
    pub write: Names,
    /// Where it may take messages from.
    pub read: Names,
}

impl Permission {
    /// The permission of these patterns.
    pub fn parse(configure: &str, write: &str, read: &str) -> Result<Self, InvalidPattern> {
        Ok(Self {
            configure: Names::parse(configure)?,
            write: Names::parse(write)?,
            read: Names::parse(read)?,
        })
    }

    /// Whether something may be done to what has this name.
    pub fn allows(&self, action: Action, name: &str) -> bool {
        match action {
            Action::Access => true,
            Action::Configure => self.configure.has(name),
            Action::Write => self.write.has(name),
            Action::Read => self.read.has(name),
        }
    }
}

/// Which keys of a topic exchange a user may publish with, and bind with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPermission {
    /// The exchange.
    pub exchange: ExchangeName,
    /// Routing keys of messages.
    pub write: Names,
    /// Binding keys.
    pub read: Names,
}

impl TopicPermission {
    /// The permission of these patterns for a user of a virtual host: their names stand for `{username}` and `{vhost}`,
    /// as they are and not as patterns. AMQP 0-9-1 has no `{client_id}`, which matches itself.
    pub fn parse(
        user: &UserName,
        vhost: &VhostName,
        exchange: ExchangeName,
        write: &str,
        read: &str,
    ) -> Result<Self, InvalidPattern> {
        let names = |text: &str| {
            let mut expanded = text.to_owned();
            for (variable, value) in
                [("{username}", user.as_str()), ("{vhost}", vhost.as_str()), ("{client_id}", "{client_id}")]
            {
                expanded = expanded.replace(variable, &regex::escape(value));
            }
            Names::expanded(text, &expanded)
        };
        Ok(Self { exchange, write: names(write)?, read: names(read)? })
    }

    /// Whether something may be done with this key.
    pub fn allows(&self, action: Action, key: &str) -> bool {
        match action {
            Action::Write => self.write.has(key),
            Action::Read => self.read.has(key),
            Action::Access | Action::Configure => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_for_the_names_that_its_patterns_are_found_in() {
        for (pattern, name, expected) in [
            (".*", "anything", true),
            (".*", "", true),
            ("", "", true),
            ("", "a", false),
            ("^$", "a", false),
            ("a", "xay", true),
            ("^a", "xay", false),
            ("^(amq\\.gen.*|amq\\.default)$", "amq.default", true),
            ("^(amq\\.gen.*|amq\\.default)$", "amq.direct", false),
            ("^(?!amq\\.)", "amq.direct", false),
            ("^(?!amq\\.)", "orders", true),
        ] {
            assert_eq!(Names::parse(pattern).unwrap().has(name), expected, "{pattern:?} {name:?}");
        }
        let invalid = Names::parse("(").unwrap_err().to_string();
        assert!(invalid.starts_with("invalid regular expression '(': "), "{invalid}");
    }

    #[test]
    fn variables_of_a_topic_permission_stand_for_names_and_not_for_patterns() {
        let parse = |write: &str| {
            TopicPermission::parse(&"a.b".into(), &"v+".into(), "amq.topic".into(), write, "").unwrap()
        };
        for (pattern, key, expected) in [
            ("^{username}\\.x$", "a.b.x", true),
            ("^{username}\\.x$", "axb.x", false),
            ("^{vhost}-{username}$", "v+-a.b", true),
            ("^{vhost}-{username}$", "vv-a.b", false),
            ("^{client_id}$", "{client_id}", true),
            ("^{client_id}$", "x", false),
            (".*", "x", true),
        ] {
            assert_eq!(parse(pattern).allows(Action::Write, key), expected, "{pattern} {key}");
        }
        let permission = parse("^{username}$");
        assert_eq!(permission.write.as_str(), "^{username}$");
        assert!(permission.allows(Action::Configure, "x") && !permission.allows(Action::Read, "x"));
    }
}
