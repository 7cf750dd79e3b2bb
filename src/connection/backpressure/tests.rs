use crate::rate::{Limited, RateLimit, RateOverflow};

use super::*;

const START: Time = Time::from_millis(1_800_000_000_000);

#[test]
fn only_who_was_stopped_by_a_limit_is_let_in_by_and_by_and_told_so() {
    let limit = RateLimit::new(Some(10), None, RateOverflow::Block);
    let meter = RateMeter::new(limit, Limited::User("u".into())).unwrap();
    while !meter.is_over(START) {
        meter.take(START, 0);
    }
    let (until, eased) = (meter.over_until(START), meter.eased_at(START));
    for held in [Held::Not, Held::Congested, Held::Blocked, Held::Over(until), Held::Easing(eased)] {
        assert_eq!(held.with_limit(&meter, START), Held::Over(until), "{held:?}");
    }
    for held in [Held::Not, Held::Congested] {
        assert_eq!(held.with_limit(&meter, until), Held::Not, "{held:?}");
    }
    for held in [Held::Blocked, Held::Over(until), Held::Easing(eased)] {
        assert_eq!(held.with_limit(&meter, until), Held::Easing(eased), "{held:?}");
    }
}
