use super::*;

const START: Time = Time::from_millis(1_800_000_000_000);

fn at(milliseconds: u64) -> Time {
    START.plus(Duration::from_millis(milliseconds))
}

fn meter(messages: Option<u64>, bytes: Option<u64>) -> Arc<RateMeter> {
    let limit = RateLimit::new(messages, bytes, RateOverflow::Block);
    RateMeter::new(limit, Limited::User("u".into())).unwrap()
}

/// Publishes as soon as that is allowed, from 0 to `end`, each message with so many bytes; gives how many.
fn greedy(meter: &RateMeter, bytes: usize, end: u64) -> u64 {
    let (mut now, mut published) = (at(0), 0);
    while now < at(end) {
        if meter.is_over(now) {
            now = meter.over_until(now);
        } else {
            meter.take(now, bytes);
            published += 1;
        }
    }
    published
}

#[test]
fn who_publishes_all_he_can_publishes_at_the_rate_and_one_burst() {
    for (messages, bytes, size, expected) in [
        (Some(100), None, 1000, 1100),
        (Some(1), None, 0, 11),
        (Some(3), None, 0, 33),
        (Some(2_000), None, 0, 22_000),
        (None, Some(1_000_000), 1000, 11_000),
        (None, Some(1_000_000), 100_000, 110),
        // The lower one holds.
        (Some(50), Some(1_000_000), 1000, 550),
        (Some(5000), Some(1_000_000), 1000, 11_000),
    ] {
        let published = greedy(&meter(messages, bytes), size, 10_000);
        let fits = |published: u64| published.abs_diff(expected) <= 1 + expected / 1000;
        assert!(fits(published), "{messages:?} {bytes:?} {size}: {published}, not {expected}");
    }
}

#[test]
fn what_was_not_used_is_there_for_one_burst_and_no_more() {
    let meter = meter(Some(10), None);
    for moment in [0, 60_000, 61_000] {
        let mut taken = 0;
        while !meter.is_over(at(moment)) {
            meter.take(at(moment), 0);
            taken += 1;
        }
        assert_eq!(taken, 10, "{moment}");
    }
    assert_eq!(meter.over_until(at(61_000)), at(61_001));
    assert_eq!(meter.eased_at(at(61_000)), at(61_501));
    assert!(meter.is_over(at(61_000)) && !meter.is_over(at(61_001)));
    assert_eq!(meter.eased_at(at(61_501)), at(61_501));
}

#[test]
fn a_message_may_be_larger_than_a_burst_and_is_paid_for_within_bounds() {
    for (bytes, over) in [(1000, 1), (5000, 4001), (60_000, 59_001), (1 << 40, 59_001)] {
        let meter = meter(None, Some(1000));
        meter.take(at(0), bytes);
        assert_eq!(meter.over_until(at(0)), at(over), "{bytes}");
    }
}

#[test]
fn it_is_news_once_that_a_limit_is_passed_until_it_was_not_for_a_while() {
    let meter = meter(Some(1), None);
    for (milliseconds, is_news) in
        [(0, true), (9000, false), (18_000, false), (28_000, true), (28_000, false)]
    {
        assert_eq!(meter.is_news(at(milliseconds)), is_news, "{milliseconds}");
    }
}

#[test]
fn only_where_that_is_asked_for_messages_are_refused() {
    for (overflow, refuses) in [(RateOverflow::Block, false), (RateOverflow::Reject, true)] {
        let limit = RateLimit::new(Some(1), None, overflow);
        let meter = RateMeter::new(limit, Limited::Queue("q".into())).unwrap();
        assert!(!meter.refuses(at(0)));
        meter.take(at(0), 0);
        assert_eq!((meter.refuses(at(0)), meter.is_over(at(0))), (refuses, true));
        assert!(!meter.refuses(at(1)));
        assert_eq!(RateOverflow::from_name(overflow.as_str()), Some(overflow));
    }
    assert_eq!(RateOverflow::from_name("drop"), None);
}

#[test]
fn a_limit_that_stays_as_it_is_remembers_what_was_taken() {
    let limit = RateLimit::new(Some(10), None, RateOverflow::Block);
    let limited = || Limited::Vhost("/".into());
    let first = RateMeter::changed(None, limit, limited).unwrap();
    let again = RateMeter::changed(Some(Arc::clone(&first)), limit, limited).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let other = RateLimit::new(Some(11), None, RateOverflow::Block);
    let changed = RateMeter::changed(Some(Arc::clone(&first)), other, limited).unwrap();
    assert_eq!(changed.limit(), other);
    for _ in 0..100 {
        changed.take(at(0), 0);
    }
    assert!(changed.is_over(at(0)));
    assert!(RateMeter::changed(Some(Arc::clone(&changed)), RateLimit::NONE, limited).is_none());
    assert!(!changed.is_over(at(0)), "whoever waits may go on");
    assert!(RateMeter::changed(Some(first), RateLimit::NONE, limited).is_none());
    assert!(RateMeter::changed(None, RateLimit::NONE, limited).is_none());
}

#[test]
fn whoever_is_over_is_told_which_limit_it_is_what_it_is_and_where_it_is_set() {
    let text = |messages, bytes, limited| {
        let limit = RateLimit::new(messages, bytes, RateOverflow::Block);
        let meter = RateMeter::new(limit, limited).unwrap();
        meter.take(at(0), 1000);
        meter.to_string()
    };
    for (messages, bytes, limited, expected) in [
        (
            Some(5),
            None,
            Limited::User("u".into()),
            "publish rate of user 'u' is over 5 messages a second; it is max-publish-rate of the user",
        ),
        (
            None,
            Some(7),
            Limited::Vhost("/".into()),
            "publish rate of vhost '/' is over 7 bytes a second; it is max-publish-bytes-rate of the vhost",
        ),
        (
            Some(5),
            Some(7),
            Limited::Queue("q".into()),
            "publish rate of queue 'q' is over 7 bytes a second; it is max-publish-bytes-rate of the queue",
        ),
        (
            Some(0),
            Some(1_000_000),
            Limited::Queue("q".into()),
            "publish rate of queue 'q' is over 1 messages a second; it is max-publish-rate of the queue",
        ),
    ] {
        assert_eq!(text(messages, bytes, limited), expected);
    }
    let longest = "\u{20ac}".repeat(85);
    assert!(
        text(None, Some(u64::MAX), Limited::Vhost(longest.into())).len() <= 255,
        "it fits a short string"
    );
}
