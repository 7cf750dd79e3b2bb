//! Runtime parameters: what parts of a broker are told by name. They are stored and given back; what reads them looks at
//! them on its own.

use serde_json::Value;

use super::invalid::Invalid;
use super::printed::Printed;

/// What a runtime parameter is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Component {
    /// A link that moves messages from one place to another.
    Shovel,
    /// A broker that messages are taken from.
    FederationUpstream,
    /// Several of those.
    FederationUpstreamSet,
    /// How much there may be in a virtual host.
    VhostLimits,
    /// Something that is not known here: it was imported, and is given back as it came.
    Other(Box<str>),
}

impl Component {
    /// Every one that is known.
    pub const ALL: [Self; 4] =
        [Self::FederationUpstream, Self::FederationUpstreamSet, Self::Shovel, Self::VhostLimits];

    /// Its name.
    pub const fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name,
            Self::Shovel => "shovel",
            Self::FederationUpstream => "federation-upstream",
            Self::FederationUpstreamSet => "federation-upstream-set",
            Self::VhostLimits => "vhost-limits",
        }
    }

    /// The component of that name, whether it is known or not.
    pub fn named(name: &str) -> Self {
        Self::parse(name).unwrap_or_else(|_| Self::Other(name.into()))
    }

    /// The component of that name.
    ///
    /// # Errors
    /// There is none that is known. Policies are no parameters, as in RabbitMQ.
    pub fn parse(name: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|component| component.as_str() == name);
        found.ok_or_else(|| Invalid::of([format!("component {name} not found")]))
    }

    /// Checks the value of a parameter of that name.
    ///
    /// # Errors
    /// It is not of the form that this component has.
    pub fn check(&self, name: &str, value: &Value) -> Result<(), Invalid> {
        let reason = match (self, value) {
            (Self::FederationUpstreamSet, Value::Array(upstreams)) => {
                upstreams.iter().find_map(|upstream| lacks(name, upstream, "upstream"))
            }
            (Self::FederationUpstream, value) => lacks(name, value, "uri"),
            (Self::Other(_), _) | (Self::Shovel | Self::VhostLimits, Value::Object(_)) => None,
            (Self::FederationUpstreamSet | Self::Shovel | Self::VhostLimits, value) => {
                Some(not_a_list(name, value))
            }
        };
        reason.map_or(Ok(()), |reason| Err(Invalid::of([reason])))
    }
}

fn lacks(name: &str, value: &Value, key: &str) -> Option<String> {
    match value {
        Value::Object(entries) if entries.contains_key(key) => None,
        Value::Object(_) => Some(format!("Key \"{key}\" not found in {name}")),
        value => Some(not_a_list(name, value)),
    }
}

/// RabbitMQ says list for what is written as an object.
fn not_a_list(name: &str, value: &Value) -> String {
    format!("{name} not a list {}", Printed(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_for_components_that_there_are() {
        for component in Component::ALL {
            assert_eq!(Component::parse(component.as_str()), Ok(component.clone()));
            assert_eq!(Component::named(component.as_str()), component);
        }
        for name in ["foo", "policy", "operator_policy", ""] {
            let invalid = Component::parse(name).unwrap_err();
            assert_eq!(invalid.to_string(), format!("Validation failed\n\ncomponent {name} not found\n"));
            assert_eq!(Component::named(name).as_str(), name);
        }
    }

    #[test]
    fn a_parameter_has_the_form_of_its_component() {
        for (component, value, reason) in [
            ("shovel", json!({"src-uri": "amqp://"}), None),
            ("shovel", json!(5), Some("n not a list 5")),
            ("vhost-limits", json!({"max-queues": 3}), None),
            ("vhost-limits", json!("x"), Some("n not a list <<\"x\">>")),
            ("federation-upstream", json!({"uri": "amqp://", "max-hops": 2}), None),
            ("federation-upstream", json!({"max-hops": 2}), Some("Key \"uri\" not found in n")),
            ("federation-upstream-set", json!([{"upstream": "u"}]), None),
            ("federation-upstream-set", json!([{}]), Some("Key \"upstream\" not found in n")),
            ("federation-upstream-set", json!(true), Some("n not a list true")),
        ] {
            let checked = Component::parse(component).unwrap().check("n", &value);
            let reasons = checked.err().map(|invalid| invalid.reasons().join("; "));
            assert_eq!(reasons.as_deref(), reason, "{component} {value}");
        }
    }
}
