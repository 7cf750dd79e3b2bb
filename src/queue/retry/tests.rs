use leveret_protocol::properties::Properties;
use leveret_protocol::table::TableBuilder;

use super::super::terms::Terms;
use super::*;

fn arguments(kind: &str, min: i64) -> TableBuilder {
    TableBuilder::new().string("x-delayed-retry-type", kind).long("x-delayed-retry-min", min)
}

fn declared(arguments: TableBuilder) -> Option<Retry> {
    Terms::declared(arguments.finish().as_table()).retry
}

fn message(headers: TableBuilder) -> Message {
    let properties = Properties::EMPTY.with_headers(headers.finish().as_table());
    Message::compose("", "q", &properties, b"body").unwrap()
}

/// How long it waits after each of these returns, in milliseconds.
fn delays(retry: Retry, failures: &[bool]) -> Vec<u64> {
    let (message, mut returns) = (message(TableBuilder::new()), Returns::default());
    let mut delays = Vec::new();
    for failed in failures {
        returns = returns.again(*failed);
        delays.push(retry.delay(&message, *failed, returns, 7).map_or(0, millis));
    }
    delays
}

#[test]
fn the_delay_grows_with_the_failures_up_to_the_maximum() {
    let failing = [true; 5];
    let mixed = [false, true, false, true, false];
    let max = |arguments: TableBuilder, max| arguments.long("x-delayed-retry-max", max);
    let factor =
        |arguments: TableBuilder, factor| arguments.value("x-delayed-retry-factor", Value::Double(factor));
    for (arguments, failures, expected) in [
        (arguments("all", 100), failing, [100, 100, 100, 100, 100]),
        (max(arguments("all", 100), 350), failing, [100, 200, 300, 350, 350]),
        (max(arguments("all", 100), 1000), mixed, [100, 100, 100, 200, 200]),
        (max(arguments("failed", 100), 1000), mixed, [0, 100, 0, 200, 0]),
        (max(arguments("returned", 100), 1000), mixed, [100, 0, 100, 0, 200]),
        (max(arguments("all", 100), 50), failing, [50; 5]),
        (factor(arguments("failed", 100), 2.0), failing, [100, 200, 400, 800, 1600]),
        (factor(arguments("failed", 100), 1.5), failing, [100, 150, 225, 337, 505]),
        (factor(max(arguments("all", 100), 500), 2.0), mixed, [100, 200, 400, 500, 500]),
        (factor(arguments("returned", 100), 3.0), mixed, [100, 0, 300, 0, 900]),
        (factor(arguments("all", 100), 1.0), failing, [100; 5]),
    ] {
        let shown = format!("{:?}", arguments.clone().finish());
        assert_eq!(delays(declared(arguments).unwrap(), &failures), expected, "{shown}");
    }
}

#[test]
fn a_delay_ends_at_ten_years_however_often_a_message_failed() {
    let grows = arguments("all", 1).value("x-delayed-retry-factor", Value::SignedInt(1000));
    let returns = Returns::failed(u32::MAX);
    let message = message(TableBuilder::new());
    assert_eq!(declared(grows).unwrap().delay(&message, true, returns, 0).map(millis), Some(DELAY_MAX));
    let longest = arguments("all", i64::MAX).long("x-delayed-retry-max", i64::MAX);
    assert_eq!(declared(longest).unwrap().delay(&message, true, returns, 0).map(millis), Some(DELAY_MAX));
}

#[test]
fn jitter_takes_off_no_more_than_its_percentage_and_differs() {
    let retry = declared(arguments("all", 1000).int("x-delayed-retry-jitter", 20)).unwrap();
    let message = message(TableBuilder::new());
    let delay = |seed| millis(retry.delay(&message, true, Returns::failed(1), seed).unwrap());
    let mut seen: Vec<u64> = (0..2000).map(delay).collect();
    assert_eq!(delay(5), delay(5));
    seen.sort_unstable();
    assert!(seen[0] >= 800 && seen[1999] <= 1000, "{} to {}", seen[0], seen[1999]);
    assert!(seen[0] < 810 && seen[1999] > 990, "{} to {}", seen[0], seen[1999]);
    seen.dedup();
    assert!(seen.len() > 150, "{} delays", seen.len());
}

#[test]
fn a_message_may_say_for_itself_how_long_it_waits_but_not_whether() {
    let retry = declared(arguments("failed", 100).int("x-delayed-retry-jitter", 50)).unwrap();
    for (value, failed, expected) in [
        (Value::SignedInt(7), true, Some(7)),
        (Value::Long(i64::MAX), true, Some(DELAY_MAX)),
        (Value::SignedInt(0), true, None),
        (Value::SignedInt(7), false, None),
    ] {
        let message = message(TableBuilder::new().value("x-retry-delay", value));
        let delay = retry.delay(&message, failed, Returns::failed(3), 1).map(millis);
        assert_eq!(delay, expected, "{value:?} {failed}");
    }
    for nothing in [Value::SignedInt(-1), Value::LongStr(b"7"), Value::Bool(true)] {
        let message = message(TableBuilder::new().value("x-retry-delay", nothing));
        let delay = retry.delay(&message, true, Returns::failed(1), 1).map(millis);
        assert!(delay.is_some_and(|delay| (50..=100).contains(&delay)), "{nothing:?}: {delay:?}");
    }
}

#[test]
fn nothing_waits_where_the_arguments_make_no_sense() {
    for arguments in [
        TableBuilder::new(),
        TableBuilder::new().long("x-delayed-retry-min", 5),
        TableBuilder::new().string("x-delayed-retry-type", "all"),
        arguments("disabled", 5),
        arguments("some", 5),
        arguments("all", 0),
        arguments("all", -5),
        TableBuilder::new().string("x-delayed-retry-type", "all").string("x-delayed-retry-min", "5"),
        TableBuilder::new().bool("x-delayed-retry-type", true).long("x-delayed-retry-min", 5),
    ] {
        let shown = format!("{:?}", arguments.clone().finish());
        assert_eq!(declared(arguments), None, "{shown}");
    }
}
