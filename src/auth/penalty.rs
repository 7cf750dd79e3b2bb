//! What a failed login costs: its answer comes late, the later the more there were from the same address.
//!
//! Whoever logs in is not kept waiting, so that nobody is locked out by others behind the same address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::time::Time;

/// So many failures from an address are answered without delay.
const FREE: u32 = 50;
/// After those an address has one answer in so long.
const APART: Duration = Duration::from_millis(20);
/// No answer is delayed by more.
const DELAY_MAX: Duration = Duration::from_secs(3);
/// Of so many addresses it is known; beyond that those go first that have waited for nothing the longest.
const ADDRESSES_MAX: usize = 10_000;

/// Addresses with failed logins, each with the moment up to which its answers are spent.
#[derive(Debug, Default)]
pub struct Penalties {
    spent_until: HashMap<IpAddr, Time>,
}

impl Penalties {
    /// A login from there has failed: how long its answer is to be delayed.
    pub fn failed(&mut self, from: IpAddr, now: Time) -> Duration {
        let network = network(from);
        if self.spent_until.len() >= ADDRESSES_MAX && !self.spent_until.contains_key(&network) {
            self.make_room(now);
        }
        let spent_until = self.spent_until.entry(network).or_insert(now);
        let most = now.plus(DELAY_MAX).plus(APART * FREE);
        *spent_until = (*spent_until).max(now).plus(APART).min(most);
        spent_until.since(now.plus(APART * FREE))
    }

    fn make_room(&mut self, now: Time) {
        self.spent_until.retain(|_, spent_until| *spent_until > now);
        if self.spent_until.len() < ADDRESSES_MAX {
            return;
        }
        let mut moments: Vec<Time> = self.spent_until.values().copied().collect();
        let middle = moments.len() / 2;
        let (_, middle, _) = moments.select_nth_unstable(middle);
        let middle = *middle;
        self.spent_until.retain(|_, spent_until| *spent_until > middle);
    }
}

/// What an address counts as: whoever has an IPv6 address has a whole network (/64) of them.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_000_000);

    fn delays(penalties: &mut Penalties, from: &str, count: u32, now: Time) -> Vec<Duration> {
        (0..count).map(|_| penalties.failed(from.parse().unwrap(), now)).collect()
    }

    #[test]
    fn the_first_failures_are_answered_at_once_and_later_ones_the_later_the_more() {
        let mut penalties = Penalties::default();
        let free = delays(&mut penalties, "192.0.2.1", FREE, NOW);
        assert!(free.iter().all(Duration::is_zero), "{free:?}");
        assert_eq!(delays(&mut penalties, "192.0.2.1", 2, NOW), [APART, APART * 2]);
        assert_eq!(delays(&mut penalties, "192.0.2.2", 1, NOW), [Duration::ZERO], "another address");
        let most = delays(&mut penalties, "192.0.2.1", 1000, NOW);
        assert_eq!(most.last(), Some(&DELAY_MAX));
        let later = NOW.plus(DELAY_MAX + APART * FREE);
        assert_eq!(delays(&mut penalties, "192.0.2.1", 1, later), [Duration::ZERO], "forgiven");
    }

    #[test]
    fn addresses_of_one_network_are_one_and_so_are_both_forms_of_the_same() {
        let mut penalties = Penalties::default();
        delays(&mut penalties, "2001:db8::1", FREE, NOW);
        assert_eq!(delays(&mut penalties, "2001:db8::2", 1, NOW), [APART]);
        delays(&mut penalties, "192.0.2.1", FREE, NOW);
        assert_eq!(delays(&mut penalties, "::ffff:192.0.2.1", 1, NOW), [APART]);
    }

    #[test]
    fn so_many_addresses_are_remembered_and_no_more() {
        let mut penalties = Penalties::default();
        delays(&mut penalties, "192.0.2.1", 1000, NOW);
        for n in 0..200_000_u32 {
            penalties.failed(std::net::Ipv4Addr::from(n).into(), NOW);
            assert!(penalties.spent_until.len() <= ADDRESSES_MAX);
        }
        assert!(delays(&mut penalties, "192.0.2.1", 1, NOW)[0] > Duration::from_secs(2), "the worst one");
    }
}
