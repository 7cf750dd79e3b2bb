//! The policies of a virtual host, and which of them hold for an object.

use std::sync::Arc;

use super::apply_to::Subject;
use super::definition::Definition;
use super::policy::{Policy, PolicyKind};
use super::settings;

/// What policies put in force on an object: at least one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The policy that matches.
    pub policy: Option<Arc<Policy>>,
    /// The operator policy that matches.
    pub operator_policy: Option<Arc<Policy>>,
    /// What they say together.
    pub definition: Arc<Definition>,
}

impl InForce {
    /// Whether two objects have the same policies, not only equal ones.
    pub fn same(first: Option<&Self>, second: Option<&Self>) -> bool {
        match (first, second) {
            (None, None) => true,
            (Some(first), Some(second)) => {
                same(first.policy.as_ref(), second.policy.as_ref())
                    && same(first.operator_policy.as_ref(), second.operator_policy.as_ref())
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// The policies of a virtual host.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Those that come first hold first.
    user: Vec<Arc<Policy>>,
    operator: Vec<Arc<Policy>>,
}

impl Policies {
    /// Sets a policy, in the place of one of that name.
    pub fn set(&mut self, kind: PolicyKind, policy: Policy) {
        self.clear(kind, &policy.name);
        let policies = self.of_mut(kind);
        let rank = |policy: &Policy| (std::cmp::Reverse(policy.priority), policy.name.clone());
        let at = policies.partition_point(|other| rank(other) < rank(&policy));
        policies.insert(at, Arc::new(policy));
    }

    /// Takes a policy out; gives whether there was one of that name.
    pub fn clear(&mut self, kind: PolicyKind, name: &str) -> bool {
        let policies = self.of_mut(kind);
        let before = policies.len();
        policies.retain(|policy| &*policy.name != name);
        policies.len() < before
    }

    /// The policies of a kind: of two that match, that which comes first holds. RabbitMQ says nothing of two with the same
    /// priority; here the first name of them wins.
    pub fn of(&self, kind: PolicyKind) -> &[Arc<Policy>] {
        match kind {
            PolicyKind::User => &self.user,
            PolicyKind::Operator => &self.operator,
        }
    }

    /// The policy of that name.
    pub fn get(&self, kind: PolicyKind, name: &str) -> Option<&Arc<Policy>> {
        self.of(kind).iter().find(|policy| &*policy.name == name)
    }

    fn of_mut(&mut self, kind: PolicyKind) -> &mut Vec<Arc<Policy>> {
        match kind {
            PolicyKind::User => &mut self.user,
            PolicyKind::Operator => &mut self.operator,
        }
    }

    /// What holds for an object of that name; nothing when no policy matches. It is `like` when that says the same, so that
    /// many objects share it.
    pub fn in_force(
        &self,
        subject: Subject,
        name: &str,
        like: Option<&Arc<InForce>>,
    ) -> Option<Arc<InForce>> {
        let first = |kind| self.of(kind).iter().find(|policy| policy.matches(subject, name));
        let (policy, operator_policy) = (first(PolicyKind::User), first(PolicyKind::Operator));
        let definition = match (policy, operator_policy) {
            (None, None) => return None,
            (Some(only), None) | (None, Some(only)) => Arc::clone(&only.definition),
            (Some(policy), Some(operator)) => {
                Arc::new(settings::merged(&policy.definition, &operator.definition))
            }
        };
        let is_like = |like: &&Arc<InForce>| {
            same(like.policy.as_ref(), policy) && same(like.operator_policy.as_ref(), operator_policy)
        };
        Some(like.filter(is_like).cloned().unwrap_or_else(|| {
            Arc::new(InForce {
                policy: policy.cloned(),
                operator_policy: operator_policy.cloned(),
                definition,
            })
        }))
    }
}

/// Whether two policies are one and the same, not only equal.
fn same(first: Option<&Arc<Policy>>, second: Option<&Arc<Policy>>) -> bool {
    match (first, second) {
        (None, None) => true,
        (Some(first), Some(second)) => Arc::ptr_eq(first, second),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests;
