//! Policies as they are written down.

use super::fields::{FieldWriter, Fields, Malformed};
use super::key::{KeyReader, KeyWriter, Kind};
use crate::name::VhostName;
use crate::policy::{Policy, PolicyKind};

/// A policy of a virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDefinition {
    /// Its virtual host.
    pub vhost: VhostName,
    /// Whose policy it is.
    pub kind: PolicyKind,
    /// The policy.
    pub policy: Policy,
}

mod tag {
    pub(super) const PATTERN: u8 = 1;
    pub(super) const APPLY_TO: u8 = 2;
    pub(super) const PRIORITY: u8 = 3;
    pub(super) const DEFINITION: u8 = 4;
}

/// The key of a policy.
pub fn policy_key(kind: PolicyKind, vhost: &str, name: &str) -> Vec<u8> {
    let kind = match kind {
        PolicyKind::User => Kind::Policy,
        PolicyKind::Operator => Kind::OperatorPolicy,
    };
    KeyWriter::new(kind).name(vhost).name(name).finish()
}

impl PolicyDefinition {
    pub(super) fn key(&self) -> Vec<u8> {
        policy_key(self.kind, self.vhost.as_str(), &self.policy.name)
    }

    pub(super) fn value(&self) -> Vec<u8> {
        let Policy { pattern, apply_to, priority, definition, .. } = &self.policy;
        FieldWriter::new()
            .bytes(tag::PATTERN, pattern.as_str().as_bytes())
            .bytes(tag::APPLY_TO, apply_to.as_str().as_bytes())
            .bytes(tag::PRIORITY, &priority.to_le_bytes())
            .bytes(tag::DEFINITION, definition.json().to_string().as_bytes())
            .finish()
    }

    pub(super) fn decode(
        kind: PolicyKind,
        mut names: KeyReader<'_>,
        fields: Fields<'_>,
    ) -> Result<Self, Malformed> {
        let vhost = names.name().ok_or(Malformed::Key)?.into();
        let name = names.name().ok_or(Malformed::Key)?;
        names.end().ok_or(Malformed::Key)?;
        let text = |tag, what| {
            fields.get(tag).and_then(|bytes| str::from_utf8(bytes).ok()).ok_or(Malformed::Field(what))
        };
        let priority = fields.get(tag::PRIORITY).and_then(|bytes| bytes.try_into().ok());
        let priority = i64::from_le_bytes(priority.ok_or(Malformed::Field("priority"))?);
        let definition = text(tag::DEFINITION, "definition")?;
        let definition = serde_json::from_str(definition).map_err(|_| Malformed::Field("definition"))?;
        let (pattern, apply_to) = (text(tag::PATTERN, "pattern")?, text(tag::APPLY_TO, "apply-to")?);
        let policy = Policy::parse(kind, &name, pattern, apply_to, priority, &definition)
            .map_err(|_| Malformed::Field("pattern, apply-to or definition"))?;
        Ok(Self { vhost, kind, policy })
    }
}
