//! A user: a name, a password perhaps, tags and limits.

use std::fmt;

use super::password::PasswordHash;
use crate::name::UserName;
use crate::rate::RateLimit;

/// A user as an operator has defined it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: UserName,
    /// What its password has to match; without one it cannot log in by password.
    pub password: Option<PasswordHash>,
    /// What it may do beyond its permissions.
    pub tags: Tags,
    /// How much of something it may have.
    pub limits: UserLimits,
}

/// Tags of a user, each once, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Vec<Box<str>>);

/// How much of something a user may have at a time; nothing when there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserLimits {
    /// Connections: RabbitMQ's `max-connections`.
    pub max_connections: Option<u64>,
    /// Channels of all its connections together: RabbitMQ's `max-channels`.
    pub max_channels: Option<u64>,
    /// How much it may publish in a second; our own.
    pub publish_rate: RateLimit,
}

/// A user has more tags than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyTags;

/// RabbitMQ takes no more.
const TAGS_MAX: usize = 32;

impl fmt::Display for TooManyTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a user has at most {TAGS_MAX} tags")
    }
}

impl std::error::Error for TooManyTags {}

impl Tags {
    /// All that the management pages and the HTTP API let anybody do.
    pub const ADMINISTRATOR: &'static str = "administrator";
    /// To publish under another's user-id.
    pub const IMPERSONATOR: &'static str = "impersonator";

    /// These tags; blanks around them are dropped, and so are empty ones.
    ///
    /// # Errors
    /// There are more than 32.
    pub fn new<'t>(tags: impl IntoIterator<Item = &'t str>) -> Result<Self, TooManyTags> {
        let mut found: Vec<Box<str>> = Vec::new();
        for tag in tags.into_iter().map(str::trim).filter(|tag| !tag.is_empty()) {
            if !found.iter().any(|known| &**known == tag) {
                found.push(tag.into());
            }
        }
        if found.len() > TAGS_MAX { Err(TooManyTags) } else { Ok(Self(found)) }
    }

    /// Those of a text with commas between them, as in older definitions.
    pub fn parse(text: &str) -> Result<Self, TooManyTags> {
        Self::new(text.split(','))
    }

    /// Whether a tag is among them.
    pub fn has(&self, tag: &str) -> bool {
        self.0.iter().any(|known| &**known == tag)
    }

    /// The tags.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|tag| &**tag)
    }
}

/// With commas between them.
impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_from_a_text_or_a_list_each_once() {
        for (text, expected) in [
            ("", ""),
            ("administrator", "administrator"),
            (" monitoring, ,policymaker ,monitoring", "monitoring,policymaker"),
        ] {
            assert_eq!(Tags::parse(text).unwrap().to_string(), expected);
        }
        let tags = Tags::new(["impersonator", "my own"]).unwrap();
        assert!(tags.has(Tags::IMPERSONATOR) && tags.has("my own") && !tags.has("own"));
        let many: Vec<String> = (0..33).map(|n| n.to_string()).collect();
        assert_eq!(Tags::new(many.iter().map(String::as_str)), Err(TooManyTags));
        assert!(Tags::new(many.iter().skip(1).map(String::as_str)).is_ok());
    }
}
