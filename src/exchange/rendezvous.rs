//! Rendezvous hashing with weights: who of many gets a key, so that it is always the same and moves as little as can be.
//!
//! Each candidate has a number for each key, drawn from the hashes of its name and the key; the least gets the key. A
//! candidate that joins takes only those keys for which it is the least, one that leaves gives up only its own, and no
//! other key moves; neither the order in which they came nor anything that is forgotten at a restart plays a part. The
//! numbers are of an exponential distribution whose rate is the candidate's weight, so that its share is its part of
//! all weights, exactly.
//!
//! A choice looks at each candidate, for 1.4 to 3 ns each. Among those of one weight the largest hash has the least
//! number, so that a logarithm is taken once a weight rather than once a candidate.

use std::collections::BTreeMap;

use foldhash::HashMap;

use super::router::{Target, TargetName};
use super::stable_hash::{StableHash, mix};

/// Candidates with their weights.
pub(super) struct Rendezvous<T> {
    by_weight: BTreeMap<u16, Equals<T>>,
    places: HashMap<T, Place>,
}

/// The candidates of one weight; `hashes` and `targets` are in step.
struct Equals<T> {
    hashes: Vec<u64>,
    targets: Vec<T>,
}

struct Place {
    weight: u16,
    at: usize,
}

impl<T> Default for Rendezvous<T> {
    fn default() -> Self {
        Self { by_weight: BTreeMap::new(), places: HashMap::default() }
    }
}

impl<T> Default for Equals<T> {
    fn default() -> Self {
        Self { hashes: Vec::new(), targets: Vec::new() }
    }
}

impl<T: Target> Rendezvous<T> {
    /// A candidate joins, or has another weight from now on.
    pub(super) fn set(&mut self, target: &T, weight: u16) {
        if self.places.get(target).is_some_and(|place| place.weight == weight) {
            return;
        }
        self.remove(target);
        let equals = self.by_weight.entry(weight).or_default();
        self.places.insert(target.clone(), Place { weight, at: equals.targets.len() });
        equals.hashes.push(hash_of(&target.name()));
        equals.targets.push(target.clone());
    }

    /// A candidate leaves.
    pub(super) fn remove(&mut self, target: &T) {
        let Some(Place { weight, at }) = self.places.remove(target) else { return };
        let Some(equals) = self.by_weight.get_mut(&weight) else { return };
        equals.hashes.swap_remove(at);
        equals.targets.swap_remove(at);
        if let Some(place) = equals.targets.get(at).and_then(|moved| self.places.get_mut(moved)) {
            place.at = at;
        }
        if equals.targets.is_empty() {
            self.by_weight.remove(&weight);
        }
    }

    /// The number of candidates.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Who gets the key of this hash; nobody if there are no candidates.
    pub(super) fn choose(&self, key: u64) -> Option<&T> {
        let mut chosen = None;
        let mut least = f64::INFINITY;
        for (weight, equals) in &self.by_weight {
            let Some((largest, target)) = equals.largest(key) else { continue };
            if self.by_weight.len() == 1 {
                return Some(target);
            }
            let number = minus_log2(largest) / f64::from(*weight);
            if number < least {
                least = number;
                chosen = Some(target);
            }
        }
        chosen
    }
}

impl<T: Target> Equals<T> {
    /// The candidate with the largest hash for a key, and that. Should two names have the same hash, the lesser name is
    /// taken, whoever came first.
    fn largest(&self, key: u64) -> Option<(u64, &T)> {
        let mut best: Option<(u64, &T)> = None;
        for (hash, target) in self.hashes.iter().zip(&self.targets) {
            let hash = mix(hash ^ key);
            match best {
                Some((largest, _)) if hash < largest => {}
                Some((largest, other)) if hash == largest && other.name() < target.name() => {}
                _ => best = Some((hash, target)),
            }
        }
        best
    }
}

fn hash_of(name: &TargetName<'_>) -> u64 {
    let mut hash = StableHash::new();
    let (kind, text) = match name {
        TargetName::Exchange(text) => (b'x', text),
        TargetName::Queue(text) => (b'q', text),
    };
    hash.write(&[kind]);
    hash.write(text.as_bytes());
    hash.finish()
}

/// The logarithm to base 2 of a hash taken for a number between 0 and 1, without its sign. Of plain arithmetic, which
/// is the same everywhere, as the standard library's logarithm is not.
#[allow(clippy::cast_precision_loss, reason = "the lowest bits of a hash are of no account")]
fn minus_log2(hash: u64) -> f64 {
    /// 2^64.
    const END: f64 = 18_446_744_073_709_551_616.0;
    let bits = hash | 1;
    let zeros = bits.leading_zeros();
    let mantissa = (bits << zeros) as f64 / END;
    // ln m = 2 (t + t^3 / 3 + t^5 / 5 ...), where t is at most a third: 17 terms are more than a double can tell.
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let squared = t * t;
    let series = (0..17_u32).rev().fold(0.0, |sum, n| sum * squared + 1.0 / f64::from(2 * n + 1));
    f64::from(zeros) - 2.0 * t * series * std::f64::consts::LOG2_E
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn of(candidates: impl IntoIterator<Item = (u16, u16)>) -> Rendezvous<u16> {
        let mut rendezvous = Rendezvous::default();
        for (target, weight) in candidates {
            rendezvous.set(&target, weight);
        }
        rendezvous
    }

    #[test]
    fn the_logarithm_is_the_logarithm() {
        for (hash, expected) in [
            (u64::MAX, 0.0),
            (1 << 63, 1.0),
            (1 << 62, 2.0),
            (3 << 62, 0.415_037_499_278_843_8),
            (0, 64.0),
            (0xb504_f333_f9de_6484, 0.5),
        ] {
            let logarithm = minus_log2(hash);
            assert!((logarithm - expected).abs() < 1e-14, "{hash:x}: {logarithm}");
        }
    }

    #[test]
    fn each_gets_its_part_of_the_keys() {
        const KEYS: u32 = 200_000;
        for weights in [&[1][..], &[1, 1, 1, 1, 1], &[1, 2, 3, 4], &[10_000, 1, 5_000], &[7, 7, 1, 1, 7]] {
            let rendezvous = of((0..).zip(weights.iter().copied()));
            let mut shares = vec![0_u32; weights.len()];
            for key in 0..KEYS {
                shares[usize::from(*rendezvous.choose(mix(key.into())).unwrap())] += 1;
            }
            let all: u32 = weights.iter().map(|weight| u32::from(*weight)).sum();
            for (weight, share) in weights.iter().zip(&shares) {
                let expected = f64::from(KEYS) * f64::from(*weight) / f64::from(all);
                // Five standard deviations; keys and names are fixed, so that this holds always or never.
                let tolerance = 5.0 * expected.sqrt() + 1.0;
                assert!((f64::from(*share) - expected).abs() < tolerance, "{weights:?}: {shares:?}");
            }
        }
    }

    #[test]
    fn a_thousand_equals_share_evenly() {
        let rendezvous = of((0..1000).map(|target| (target, 1)));
        let mut shares = vec![0_u32; 1000];
        for key in 0..100_000 {
            shares[usize::from(*rendezvous.choose(mix(key)).unwrap())] += 1;
        }
        assert!(shares.iter().all(|share| (50..=150).contains(share)), "{shares:?}");
    }

    proptest! {
        #[test]
        fn only_the_keys_of_who_joins_or_leaves_move(
            candidates in prop::collection::btree_map(0..200_u16, prop::sample::select(vec![1, 2, 3, 100, 10_000]), 1..20),
            joins in (200..300_u16, 1..=10_000_u16),
            keys in prop::collection::vec(any::<u64>(), 200),
        ) {
            let mut rendezvous = of(candidates.clone());
            let before: Vec<u16> = keys.iter().map(|key| *rendezvous.choose(*key).unwrap()).collect();
            rendezvous.set(&joins.0, joins.1);
            for (key, before) in keys.iter().zip(&before) {
                let now = *rendezvous.choose(*key).unwrap();
                prop_assert!(now == *before || now == joins.0);
            }
            rendezvous.remove(&joins.0);
            let after: Vec<u16> = keys.iter().map(|key| *rendezvous.choose(*key).unwrap()).collect();
            prop_assert_eq!(after, before);
        }

        #[test]
        fn more_weight_only_takes_keys_and_less_only_gives_them_up(
            candidates in prop::collection::btree_map(0..50_u16, 1..=20_u16, 2..10),
            weight in 1..=20_u16,
            keys in prop::collection::vec(any::<u64>(), 100),
        ) {
            let mut rendezvous = of(candidates.clone());
            let (changed, was) = candidates.first_key_value().unwrap();
            let before: Vec<u16> = keys.iter().map(|key| *rendezvous.choose(*key).unwrap()).collect();
            rendezvous.set(changed, weight);
            for (key, before) in keys.iter().zip(before) {
                let now = *rendezvous.choose(*key).unwrap();
                let gainer = if weight > *was { now } else { before };
                prop_assert!(now == before || gainer == *changed);
            }
        }

        #[test]
        fn neither_the_order_nor_those_who_left_play_a_part(
            steps in prop::collection::vec((0..20_u16, 0..4_u16), 1..60),
            keys in prop::collection::vec(any::<u64>(), 20),
        ) {
            let mut rendezvous = Rendezvous::default();
            let mut model = BTreeMap::new();
            for (target, weight) in steps {
                if weight == 0 {
                    rendezvous.remove(&target);
                    model.remove(&target);
                } else {
                    rendezvous.set(&target, weight);
                    model.insert(target, weight);
                }
            }
            let again = of(model.into_iter().rev());
            for key in keys {
                prop_assert_eq!(rendezvous.choose(key), again.choose(key));
            }
        }
    }
}
