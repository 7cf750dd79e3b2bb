//! The modulus hash exchange: a message goes to the target whose number, in the order of names, is the hash of its
//! routing keys modulo their count. Binding keys mean nothing. A target that joins or leaves moves most keys.

use super::binding::{Binding, InvalidBinding};
use super::by_name::ByName;
use super::router::{Routable, Router, Target};
use super::stable_hash::StableHash;

/// The targets to choose from.
pub(super) struct ModulusHash<T>(ByName<T>);

impl<T> Default for ModulusHash<T> {
    fn default() -> Self {
        Self(ByName::default())
    }
}

impl<T: Target> Router<T> for ModulusHash<T> {
    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding> {
        self.0.add(&binding.target);
        Ok(())
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        self.0.remove(&binding.target);
    }

    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        let mut hash = StableHash::new();
        message.keys().for_each(|key| hash.write_text(key));
        let chosen = hash.finish().checked_rem(self.0.len() as u64);
        if let Some(target) = chosen.and_then(|at| self.0.get(usize::try_from(at).ok()?)) {
            found(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use leveret_protocol::table::TableBuf;

    use super::*;

    fn bound(bindings: &[(&'static str, &str)]) -> ModulusHash<&'static str> {
        let mut exchange = ModulusHash::default();
        for &(target, key) in bindings {
            exchange.bind(&Binding { target, key: Arc::from(key), arguments: TableBuf::default() }).unwrap();
        }
        exchange
    }

    fn routed(exchange: &ModulusHash<&'static str>, message: &Routable<'_>) -> Vec<&'static str> {
        let mut targets = Vec::new();
        exchange.route(message, &mut |target| targets.push(*target));
        targets
    }

    #[test]
    fn these_keys_lead_to_these_queues_for_ever() {
        let exchange = bound(&[("q2", "x"), ("q0", ""), ("q3", "1"), ("q1", "x")]);
        for (keys, expected) in [
            (&[""][..], "q3"),
            (&["a"], "q3"),
            (&["b"], "q2"),
            (&["order.1"], "q0"),
            (&["order.2"], "q1"),
            (&["order.1", "a"], "q3"),
            (&["a", "order.1"], "q3"),
        ] {
            let message = Routable { extra_keys: &keys[1..], ..Routable::with_key(keys[0]) };
            assert_eq!(routed(&exchange, &message), [expected], "{keys:?}");
        }
        assert_eq!(routed(&ModulusHash::default(), &Routable::with_key("a")), [""; 0]);
    }

    #[test]
    fn a_target_gets_a_share_for_each_of_its_bindings() {
        let exchange = bound(&[("q1", ""), ("q2", "a"), ("q2", "b"), ("q3", "a"), ("q3", "b"), ("q3", "c")]);
        let mut shares = BTreeMap::new();
        for n in 0..6000 {
            *shares.entry(routed(&exchange, &Routable::with_key(&n.to_string()))[0]).or_insert(0) += 1;
        }
        for (target, share) in [("q1", 1000_i32), ("q2", 2000), ("q3", 3000)] {
            assert!((shares[target] - share).abs() < 200, "{shares:?}");
        }
    }
}
