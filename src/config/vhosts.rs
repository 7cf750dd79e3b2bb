//! What the configuration says of virtual hosts: how many there may be, what their queues have that say nothing, and with
//! which limits and operator policies they are made.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value};

use super::units::{parse_bytes, parse_duration};
use super::vhost_users::VhostUser;
use super::words::Words;
use crate::pattern::Pattern;
use crate::policy::{ApplyTo, Policy, PolicyKind};

/// RabbitMQ's: it is for all.
const ANY: &str = ".*";

/// All of it, with RabbitMQ's names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VhostSettings {
    /// How many virtual hosts there may be (`vhost_max`).
    pub max: Option<u64>,
    /// The type of queues that are declared without one, in virtual hosts that do not say it (`default_queue_type`).
    pub default_queue_type: Option<String>,
    /// How long a delivery may be out of queues that do not say it (`consumer_timeout`); none is off. RabbitMQ's default is
    /// half an hour.
    pub consumer_timeout: Option<Duration>,
    /// Limits of virtual hosts that are made; the first whose pattern matches counts (`default_limits.vhosts`).
    pub default_limits: Vec<DefaultLimits>,
    /// Operator policies of virtual hosts that are made: of all whose patterns match (`default_policies.operator`).
    pub default_policies: Vec<DefaultPolicy>,
    /// Users of virtual hosts that are made: of all whose patterns match (`default_users`).
    pub default_users: Vec<VhostUser>,
}

/// Limits with which some virtual hosts are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultLimits {
    /// Whose.
    pub vhosts: Pattern,
    /// How many connections to one there may be.
    pub max_connections: Option<u64>,
    /// How many queues one may have.
    pub max_queues: Option<u64>,
}

/// An operator policy with which some virtual hosts are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultPolicy {
    /// Whose.
    pub vhosts: Pattern,
    /// What it is.
    pub policy: Policy,
}

impl VhostSettings {
    /// The limits for a virtual host of that name.
    pub fn limits_for(&self, vhost: &str) -> Option<&DefaultLimits> {
        self.default_limits.iter().find(|limits| limits.vhosts.matches(vhost))
    }

    /// The operator policies for one.
    pub fn policies_for(&self, vhost: &str) -> impl Iterator<Item = &Policy> {
        let matching = self.default_policies.iter().filter(move |policy| policy.vhosts.matches(vhost));
        matching.map(|policy| &policy.policy)
    }

    /// The users for one.
    pub fn users_for(&self, vhost: &str) -> impl Iterator<Item = &VhostUser> {
        self.default_users.iter().filter(move |user| user.vhosts.matches(vhost))
    }
}

impl FromStr for DefaultLimits {
    type Err = String;

    /// Words such as `pattern=^device max_connections=10`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = Words::parse(text)?;
        let pattern = words.take("pattern").unwrap_or(ANY);
        let vhosts = Pattern::parse(pattern).map_err(|error| format!("pattern '{pattern}': {error}"))?;
        let mut number = |name| match words.take(name) {
            None => Ok(None),
            Some(text) => {
                text.parse().map(Some).map_err(|_| format!("{name}: expected a whole number, not '{text}'"))
            }
        };
        let limits =
            Self { vhosts, max_connections: number("max_connections")?, max_queues: number("max_queues")? };
        words.end("pattern, max_connections and max_queues")?;
        if limits.max_connections.is_none() && limits.max_queues.is_none() {
            return Err("expected max_connections=N, max_queues=N or both".to_owned());
        }
        Ok(limits)
    }
}

impl fmt::Display for DefaultLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = [("max_connections", self.max_connections), ("max_queues", self.max_queues)];
        write!(f, "pattern={}", self.vhosts.as_str())?;
        numbers
            .iter()
            .try_for_each(|(name, number)| number.iter().try_for_each(|number| write!(f, " {name}={number}")))
    }
}

impl FromStr for DefaultPolicy {
    type Err = String;

    /// Words such as `name=short vhost_pattern=^device queue_pattern=^t max-length=10`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = Words::parse(text)?;
        let name = words
            .take("name")
            .filter(|name| !name.is_empty())
            .ok_or("expected a name of the policy: name=NAME")?;
        let pattern = words.take("vhost_pattern").unwrap_or(ANY);
        let vhosts =
            Pattern::parse(pattern).map_err(|error| format!("vhost_pattern '{pattern}': {error}"))?;
        let queues = words.take("queue_pattern").unwrap_or(ANY);
        let apply_to = words.take("apply_to").unwrap_or(ApplyTo::All.as_str());
        let mut definition = Map::new();
        for (name, value) in words.rest() {
            let name = name.replace('_', "-");
            definition.insert(name.clone(), setting(&name, value)?);
        }
        let policy =
            Policy::parse(PolicyKind::Operator, name, queues, apply_to, 0, &Value::Object(definition));
        Ok(Self { vhosts, policy: policy.map_err(|invalid| invalid.reasons().join("; "))? })
    }
}

impl fmt::Display for DefaultPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Policy { name, pattern, apply_to, definition, .. } = &self.policy;
        let (vhosts, queues) = (self.vhosts.as_str(), pattern.as_str());
        write!(
            f,
            "name={name} vhost_pattern={vhosts} queue_pattern={queues} apply_to={}",
            apply_to.as_str()
        )?;
        definition.iter().try_for_each(|(name, value)| match value.as_str() {
            Some(text) => write!(f, " {name}={text}"),
            None => write!(f, " {name}={value}"),
        })
    }
}

/// A setting's value: RabbitMQ's file has units where a policy has milliseconds and bytes.
fn setting(name: &str, text: &str) -> Result<Value, String> {
    if let Ok(number) = text.parse::<i64>() {
        return Ok(number.into());
    }
    let said = |error: super::InvalidUnit| format!("{name}: {error}");
    Ok(match (name, text) {
        ("expires" | "message-ttl", _) => {
            let milliseconds = parse_duration(text).map_err(said)?.as_millis();
            u64::try_from(milliseconds).unwrap_or(u64::MAX).into()
        }
        ("max-length-bytes", _) => parse_bytes(text).map_err(said)?.into(),
        (_, "true") => true.into(),
        (_, "false") => false.into(),
        _ => text.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for text in ["pattern=.* max_connections=1", "pattern=^(a|b){1,2}=x max_connections=0 max_queues=7"] {
            assert_eq!(text.parse::<DefaultLimits>().unwrap().to_string(), text);
        }
        for (text, shown) in [
            ("name=p max-length=1", "name=p vhost_pattern=.* queue_pattern=.* apply_to=all max-length=1"),
            (
                " name=a.b  apply_to=classic_queues queue_pattern=^t expires=2m max_length_bytes=1KiB vhost_pattern=v ",
                "name=a.b vhost_pattern=v queue_pattern=^t apply_to=classic_queues expires=120000 max-length-bytes=1024",
            ),
        ] {
            let policy: DefaultPolicy = text.parse().unwrap();
            assert_eq!(policy.to_string(), shown);
            assert_eq!(shown.parse(), Ok(policy));
        }
    }

    #[test]
    fn what_is_no_limit_and_no_policy_is_refused() {
        for (text, said) in [
            ("", "expected max_connections=N"),
            ("pattern=a", "expected max_connections=N"),
            ("max_queues=many", "max_queues: expected a whole number, not 'many'"),
            ("max_queues=1 max_queues=2", "max_queues is there twice"),
            ("max_queues=1 pattern=(", "pattern '('"),
            ("max_queues=1 max_users=1", "there is no 'max_users' here"),
            ("pattern=a b max_queues=1", "not 'b'"),
        ] {
            let refused = text.parse::<DefaultLimits>().unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
        for (text, said) in [
            ("", "name=NAME"),
            ("max-length=1", "name=NAME"),
            ("name=p", "no policy provided"),
            ("name=p max-length=x", "not a valid maximum length"),
            ("name=p expires=soon", "expires: expected a duration"),
            ("name=p no-such=1", "no-such"),
            ("name=p max-length=1 vhost_pattern=[", "vhost_pattern '['"),
            ("name=p max-length=1 queue_pattern=[", "regular expression"),
            ("name=p max-length=1 apply_to=some", "apply-to 'some' unrecognised"),
        ] {
            let refused = text.parse::<DefaultPolicy>().unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }

    #[test]
    fn the_first_limits_that_match_count_and_all_policies_that_do() {
        let settings = VhostSettings {
            default_limits: vec!["pattern=^a max_queues=1".parse().unwrap(), "max_queues=2".parse().unwrap()],
            default_policies: vec![
                "name=p vhost_pattern=^a max-length=1".parse().unwrap(),
                "name=q max-length=2".parse().unwrap(),
            ],
            ..VhostSettings::default()
        };
        for (vhost, limit, policies) in [("ab", 1, &["p", "q"][..]), ("b", 2, &["q"])] {
            assert_eq!(settings.limits_for(vhost).unwrap().max_queues, Some(limit));
            assert_eq!(
                settings.policies_for(vhost).map(|policy| &*policy.name).collect::<Vec<_>>(),
                policies
            );
        }
    }
}
