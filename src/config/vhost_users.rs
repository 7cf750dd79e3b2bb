//! Users that are made with virtual hosts.

use std::fmt;
use std::str::FromStr;

use super::words::Words;
use crate::auth::{Permission, Secret, Tags};
use crate::name::UserName;
use crate::pattern::Pattern;

/// RabbitMQ's: it is for all.
const ANY: &str = ".*";
/// What a blank is written as within a word.
const BLANK: &str = "\\x20";

/// A user that some virtual hosts are made with. One that there is already keeps its password and its tags.
#[derive(Clone, Debug, PartialEq)]
pub struct VhostUser {
    /// Of which virtual hosts.
    pub vhosts: Pattern,
    /// Its name.
    pub name: UserName,
    /// Its password; without one it cannot log in by one.
    pub password: Option<Secret>,
    /// Its tags.
    pub tags: Tags,
    /// What it may do in those virtual hosts.
    pub permission: Permission,
}

impl FromStr for VhostUser {
    type Err = String;

    /// Words such as `name=device vhost_pattern=^device password=secret read=^q`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = Words::parse(text)?;
        let name = words.take("name").unwrap_or_default();
        if name.is_empty() || name.len() > UserName::MAX_BYTES {
            return Err("expected a name of the user with 1 to 255 bytes: name=NAME".to_owned());
        }
        let pattern = words.take("vhost_pattern").unwrap_or(ANY);
        let vhosts =
            Pattern::parse(pattern).map_err(|error| format!("vhost_pattern '{pattern}': {error}"))?;
        let password =
            words.take("password").map(|password| Secret::new(password.replace(BLANK, " ").as_bytes()));
        let tags =
            Tags::parse(words.take("tags").unwrap_or_default()).map_err(|error| format!("tags: {error}"))?;
        let mut may = |what| words.take(what).unwrap_or(ANY);
        let permission = Permission::parse(may("configure"), may("write"), may("read"));
        let permission = permission.map_err(|invalid| invalid.to_string())?;
        words.end("name, vhost_pattern, password, tags, configure, write and read")?;
        Ok(Self { vhosts, name: name.into(), password, tags, permission })
    }
}

/// Without the password.
impl fmt::Display for VhostUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "name={} vhost_pattern={}", self.name, self.vhosts.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_what_is_said_and_may_do_everything_else() {
        let user: VhostUser =
            "name=device vhost_pattern=^device password=a\\x20b=c tags=monitoring,other read=^q"
                .parse()
                .unwrap();
        assert_eq!(user.name.as_str(), "device");
        assert!(user.vhosts.matches("device-1") && !user.vhosts.matches("a-device"));
        assert_eq!(user.password, Some(Secret::new(*b"a b=c")));
        assert_eq!(user.tags, Tags::parse("monitoring,other").unwrap());
        assert_eq!(user.permission, Permission::parse(".*", ".*", "^q").unwrap());
        assert!(!user.to_string().contains("a b"));
        let user: VhostUser = "name=a".parse().unwrap();
        assert_eq!((user.password, user.tags), (None, Tags::default()));
        assert!(user.vhosts.matches("any"));
    }

    #[test]
    fn what_is_no_user_is_refused() {
        let long = format!("name={}", "n".repeat(256));
        for (text, said) in [
            ("", "name=NAME"),
            ("password=x", "name=NAME"),
            (&long, "1 to 255 bytes"),
            ("name=a vhost_pattern=(", "vhost_pattern '('"),
            ("name=a read=(", "("),
            ("name=a name=b", "name is there twice"),
            ("name=a topic=x", "there is no 'topic' here"),
        ] {
            let refused = text.parse::<VhostUser>().unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
