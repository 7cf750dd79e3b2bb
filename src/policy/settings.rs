//! The settings that policies may have: what their values may be, how two of them are merged, and which queues do not
//! have them.

use serde_json::{Map, Number, Value};

use super::apply_to::{ApplyTo, Subject};
use super::definition::Definition;
use super::policy::PolicyKind;
use super::printed::Printed;
use crate::pattern::{PATTERN_MAX_BYTES, Pattern};
use crate::rate::{MAX_PUBLISH_BYTES_RATE, MAX_PUBLISH_RATE, PUBLISH_RATE_OVERFLOW};

/// What the value of a setting may be.
enum Rule {
    /// True or false.
    Boolean,
    /// Any text.
    Text,
    /// Text that says something.
    SomeText,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An integer from the first to the second.
    Integer(i64, i64),
    /// A number that is not negative.
    Number,
    /// A number of at least one.
    Factor,
    /// A time such as `7D`.
    MaxAge,
    /// A pattern.
    Pattern,
}

/// What holds when a policy and an operator policy both have a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Merge {
    /// The lower value.
    Least,
    /// The higher value.
    Most,
    /// The lower value; the higher one when either is negative, which is no limit.
    Limit,
    /// The operator's.
    Operator,
}

/// A setting that is known.
struct Setting {
    name: &'static str,
    rule: Rule,
    /// What is said of a value that cannot be, which stands in the place of `~`.
    text: &'static str,
    /// Operator policies may have it, and it is merged so.
    merge: Option<Merge>,
    /// Queues of these types do not have it in RabbitMQ.
    lacking: &'static [Subject],
}

const ANY: Rule = Rule::Integer(i64::MIN, i64::MAX);
const NOT_NEGATIVE: Rule = Rule::Integer(0, i64::MAX);
const POSITIVE: Rule = Rule::Integer(1, i64::MAX);
const LOCATORS: Rule = Rule::Word(&["client-local", "balanced", "random", "least-leaders"]);

const BOTH: &[Subject] = &[Subject::ClassicQueue, Subject::QuorumQueue];
const CLASSIC: &[Subject] = &[Subject::ClassicQueue];
const QUORUM: &[Subject] = &[Subject::QuorumQueue];
const NONE: &[Subject] = &[];

const fn setting(name: &'static str, rule: Rule, text: &'static str) -> Setting {
    Setting { name, rule, text, merge: None, lacking: NONE }
}

impl Setting {
    const fn merged(self, merge: Merge) -> Self {
        Self { merge: Some(merge), ..self }
    }

    const fn lacked_by(self, lacking: &'static [Subject]) -> Self {
        Self { lacking, ..self }
    }
}

const UPSTREAM: &str = "federation-upstream";
const UPSTREAM_SET: &str = "federation-upstream-set";
const UPSTREAM_PATTERN: &str = "federation-upstream-pattern";
const RETRY_TYPE: &str = "delayed-retry-type";
const RETRY_MIN: &str = "delayed-retry-min";
const RETRY_MAX: &str = "delayed-retry-max";
const SHARDS: &str = "shards-per-node";
const SHARDS_KEY: &str = "routing-key";

/// In the order of their names, in which they are checked.
const KNOWN: [Setting; 38] = [
    setting("alternate-exchange", Rule::Text, "~ is not a valid alternate exchange name"),
    setting("consumer-disconnected-timeout", NOT_NEGATIVE, "~ is not a valid consumer disconnected timeout"),
    setting("consumer-timeout", NOT_NEGATIVE, "~ is not a valid consumer timeout"),
    setting("dead-letter-exchange", Rule::Text, "~ is not a valid dead letter exchange name"),
    setting("dead-letter-routing-key", Rule::Text, "~ is not a valid dead letter routing key"),
    setting(
        "dead-letter-strategy",
        Rule::Word(&["at-most-once", "at-least-once"]),
        "~ is not a valid dead letter strategy",
    )
    .lacked_by(CLASSIC),
    // Two that are not RabbitMQ's.
    setting(
        "delayed-retry-factor",
        Rule::Factor,
        "~ is not a valid delayed retry factor. Must be at least 1",
    )
    .merged(Merge::Operator),
    setting(
        "delayed-retry-jitter",
        Rule::Integer(0, 100),
        "~ is not a valid delayed retry jitter in percent",
    )
    .merged(Merge::Operator),
    setting(RETRY_MAX, POSITIVE, "~ is not a valid delayed retry maximum delay. Must be a positive integer")
        .merged(Merge::Least),
    setting(RETRY_MIN, POSITIVE, "~ is not a valid delayed retry minimum delay. Must be a positive integer")
        .merged(Merge::Most),
    setting(
        RETRY_TYPE,
        Rule::Word(&["all", "failed", "returned", "disabled"]),
        "~ is not a valid delayed retry type. Must be one of: all, failed, returned, disabled",
    )
    .merged(Merge::Operator),
    setting("delivery-limit", ANY, "~ is not a valid delivery limit").merged(Merge::Limit).lacked_by(CLASSIC),
    setting("expires", POSITIVE, "~ is not a valid queue expiry").merged(Merge::Least),
    setting(UPSTREAM, Rule::Text, "~ is not a valid federation upstream name"),
    setting(UPSTREAM_PATTERN, Rule::Pattern, "~ is not a valid federation upstream pattern name"),
    setting(UPSTREAM_SET, Rule::Text, "~ is not a valid federation upstream set name"),
    setting("initial-cluster-size", NOT_NEGATIVE, "~ is not a valid cluster size").lacked_by(BOTH),
    setting("max-age", Rule::MaxAge, "~ is not a valid max age").lacked_by(BOTH),
    setting("max-in-memory-bytes", NOT_NEGATIVE, "~ is not a valid maximum memory in bytes")
        .merged(Merge::Least)
        .lacked_by(CLASSIC),
    setting("max-in-memory-length", NOT_NEGATIVE, "~ is not a valid maximum memory in bytes")
        .merged(Merge::Least)
        .lacked_by(CLASSIC),
    setting("max-length", NOT_NEGATIVE, "~ is not a valid maximum length").merged(Merge::Least),
    setting("max-length-bytes", NOT_NEGATIVE, "~ is not a valid maximum length in bytes")
        .merged(Merge::Least),
    // Two that are not RabbitMQ's.
    setting(MAX_PUBLISH_BYTES_RATE, POSITIVE, "~ is not a valid maximum of bytes published in a second")
        .merged(Merge::Least),
    setting(MAX_PUBLISH_RATE, POSITIVE, "~ is not a valid maximum of messages published in a second")
        .merged(Merge::Least),
    setting(
        "member-placement-tag",
        Rule::SomeText,
        "~ is not a valid member-placement-tag value. Must be a non-empty string",
    )
    .merged(Merge::Operator),
    setting("message-ttl", NOT_NEGATIVE, "~ is not a valid message TTL").merged(Merge::Least),
    setting(
        "overflow",
        Rule::Word(&["drop-head", "reject-publish", "reject-publish-dlx"]),
        "~ is not a valid overflow value",
    )
    .merged(Merge::Operator),
    // Not one of RabbitMQ's.
    setting(
        PUBLISH_RATE_OVERFLOW,
        Rule::Word(&["block", "reject"]),
        "~ is not a valid publish-rate-overflow value. Must be one of: block, reject",
    )
    .merged(Merge::Operator),
    setting("queue-leader-locator", LOCATORS, "~ is not a valid queue leader locator value"),
    setting("queue-master-locator", LOCATORS, "~ is not a valid master locator")
        .merged(Merge::Operator)
        .lacked_by(QUORUM),
    setting("queue-mode", Rule::Word(&["default", "lazy"]), "~ is not a valid queue-mode value")
        .lacked_by(QUORUM),
    setting("queue-version", Rule::Integer(1, 2), "~ is not a valid queue-version value")
        .merged(Merge::Operator),
    setting(SHARDS_KEY, Rule::Text, "routing-key should be binary, actually was ~"),
    // Not one of RabbitMQ's.
    setting("scheduled", Rule::Boolean, "~ is not a valid scheduled value"),
    setting(SHARDS, Rule::Number, "shards-per-node should be a number, actually was ~"),
    setting(
        "stream-filter-size-bytes",
        Rule::Integer(16, 255),
        "~ is not a valid filter size. Valid range is 16-255",
    ),
    setting(
        "stream-max-segment-size-bytes",
        Rule::Integer(0, 3_000_000_000),
        "~ is not a valid segment size",
    )
    .lacked_by(BOTH),
    setting("target-group-size", POSITIVE, "~ is not a valid qq target count value")
        .merged(Merge::Most)
        .lacked_by(CLASSIC),
];

fn known(name: &str) -> Option<&'static Setting> {
    KNOWN.iter().find(|setting| setting.name == name)
}

/// Whether policies of a kind may have a setting of that name.
pub fn is_known(kind: PolicyKind, name: &str) -> bool {
    known(name).is_some_and(|setting| kind == PolicyKind::User || setting.merge.is_some())
}

/// Checks settings for a policy, in RabbitMQ's words.
pub(super) fn check(kind: PolicyKind, settings: &Map<String, Value>) -> Result<(), String> {
    let mut unknown = Vec::new();
    let mut sorted: Vec<_> = settings.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| name.as_str());
    for (name, value) in sorted {
        let setting = known(name).filter(|setting| kind == PolicyKind::User || setting.merge.is_some());
        match setting {
            Some(setting) => setting.check(value)?,
            None => unknown.push(format!("{{{},{}}}", Printed(&Value::from(name.as_str())), Printed(value))),
        }
    }
    check_together(settings)?;
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(format!("[{}] are not recognised policy settings", unknown.join(",")))
    }
}

/// What has to be said together, or must not be.
fn check_together(settings: &Map<String, Value>) -> Result<(), String> {
    let upstreams = [UPSTREAM, UPSTREAM_SET, UPSTREAM_PATTERN];
    if upstreams.iter().filter(|name| settings.contains_key(**name)).count() > 1 {
        return Err("cannot specify federation-upstream, federation-upstream-set or \
                    federation-upstream-pattern together"
            .to_owned());
    }
    let number = |name| settings.get(name).and_then(Value::as_u64);
    match settings.get(RETRY_TYPE).and_then(Value::as_str) {
        Some(retry) if retry != "disabled" && !settings.contains_key(RETRY_MIN) => {
            return Err(format!("delayed-retry-min is required when delayed-retry-type is {retry}"));
        }
        Some(_) | None => {}
    }
    if let (Some(min), Some(max)) = (number(RETRY_MIN), number(RETRY_MAX))
        && max < min
    {
        return Err(format!("delayed-retry-max ({max}) must not be smaller than delayed-retry-min ({min})"));
    }
    if settings.contains_key(SHARDS_KEY) && !settings.contains_key(SHARDS) {
        return Err("shards-per-node must be specified".to_owned());
    }
    Ok(())
}

impl Setting {
    fn check(&self, value: &Value) -> Result<(), String> {
        let is_good = match &self.rule {
            Rule::Boolean => value.is_boolean(),
            Rule::Text => value.is_string(),
            Rule::SomeText => value.as_str().is_some_and(|text| !text.is_empty()),
            Rule::Word(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Rule::Integer(min, max) => match (value.as_i64(), value.as_u64()) {
                (Some(number), _) => (*min..=*max).contains(&number),
                (None, Some(_)) => *max == i64::MAX,
                (None, None) => false,
            },
            Rule::Number => match value.as_f64() {
                Some(number) if number < 0.0 => {
                    let printed = Printed(value);
                    return Err(format!("{} should be greater than 0, actually was {printed}", self.name));
                }
                Some(_) => true,
                None => false,
            },
            Rule::Factor => value.as_f64().is_some_and(|number| number >= 1.0),
            Rule::MaxAge => value.as_str().is_some_and(is_max_age),
            Rule::Pattern => match value.as_str() {
                Some(text) => return self.check_pattern(text),
                None => false,
            },
        };
        if is_good { Ok(()) } else { Err(self.text.replacen('~', &Printed(value).to_string(), 1)) }
    }

    fn check_pattern(&self, text: &str) -> Result<(), String> {
        if text.len() > PATTERN_MAX_BYTES {
            return Err(format!("{} must not exceed {PATTERN_MAX_BYTES} bytes", self.name));
        }
        match Pattern::parse(text) {
            Ok(_) => Ok(()),
            Err(reason) => {
                let printed = Printed(&Value::from(reason)).to_string();
                Err(format!("could not compile pattern {text} to a regular expression. Error: {printed}"))
            }
        }
    }
}

/// A number that is not zero, and a unit.
fn is_max_age(text: &str) -> bool {
    let Some(digits) = text.strip_suffix(['Y', 'M', 'D', 'h', 'm', 's']) else { return false };
    digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.bytes().any(|byte| byte != b'0')
}

/// Whether an object of this kind has all of these settings. RabbitMQ: a queue that lacks one gets none of the policy. A
/// policy for classic queues alone may have what theirs lack there and ours have: it cannot mean others.
pub(super) fn is_applicable(definition: &Definition, apply_to: ApplyTo, subject: Subject) -> bool {
    let has = |name: &str| {
        let is_lacking = known(name).is_some_and(|setting| setting.lacking.contains(&subject));
        let is_ours = apply_to == ApplyTo::ClassicQueues && OURS_ON_CLASSIC.contains(&name);
        !is_lacking || is_ours
    };
    definition.iter().all(|(name, _)| has(name))
}

/// What classic queues have here and lack in RabbitMQ.
const OURS_ON_CLASSIC: [&str; 2] = ["dead-letter-strategy", "delivery-limit"];

/// What a policy and an operator policy say together.
pub(super) fn merged(policy: &Definition, operator: &Definition) -> Definition {
    let settings = policy.iter().map(|(name, value)| {
        let other = operator.get(name);
        let value = other.map_or_else(|| value.clone(), |other| merged_value(name, value, other));
        (Box::from(name), value)
    });
    let others = operator.iter().filter(|(name, _)| policy.get(name).is_none());
    let others = others.map(|(name, value)| (Box::from(name), value.clone()));
    Definition::new(settings.chain(others))
}

fn merged_value(name: &str, policy: &Value, operator: &Value) -> Value {
    let merge = known(name).and_then(|setting| setting.merge).unwrap_or(Merge::Operator);
    let (Some(first), Some(second)) = (integer(policy), integer(operator)) else { return operator.clone() };
    let least = if first <= second { policy } else { operator };
    let most = if first <= second { operator } else { policy };
    match merge {
        Merge::Operator => operator,
        Merge::Most => most,
        Merge::Limit if first < 0 || second < 0 => most,
        Merge::Least | Merge::Limit => least,
    }
    .clone()
}

fn integer(value: &Value) -> Option<i128> {
    value.as_number().and_then(Number::as_i128)
}

#[cfg(test)]
mod tests;
