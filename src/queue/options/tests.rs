use leveret_protocol::table::TableBuilder;

use super::*;

/// A declaration of the durable queue `q`.
fn durable(arguments: &TableBuf) -> Declare<'_> {
    Declare {
        queue: "q",
        passive: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: arguments.as_table(),
    }
}

fn text(declare: &Declare<'_>) -> Option<String> {
    QueueOptions::declared(declare).err().map(|invalid| invalid.text(declare.queue, "/"))
}

/// What is said of one argument of each type of queue, without the names.
fn reason(argument: &str, value: Value<'_>) -> Option<String> {
    let [classic, quorum] = ["classic", "quorum"].map(|queue_type| {
        let arguments = TableBuilder::new().string(QUEUE_TYPE, queue_type).value(argument, value).finish();
        let text = text(&durable(&arguments))?;
        let prefix = format!("invalid arg '{argument}' for queue 'q' in vhost '/': ");
        Some(text.strip_prefix(&prefix).unwrap_or(&text).to_owned())
    });
    assert_eq!(classic, quorum, "{argument} {value:?}");
    classic
}

#[test]
fn each_argument_is_of_its_type_and_in_its_range() {
    const TEN_YEARS: i64 = 315_360_000_000;
    let word = |text: &'static str| Value::LongStr(text.as_bytes());
    for (argument, value, expected) in [
        ("x-expires", Value::SignedInt(0), Some("{value_zero,0}")),
        ("x-expires", Value::Byte(1), None),
        ("x-expires", Value::Long(TEN_YEARS), None),
        ("x-expires", Value::Long(TEN_YEARS + 1), Some("{value_too_large,315360000001}")),
        ("x-expires", Value::Long(i64::MIN), Some("{value_negative,-9223372036854775808}")),
        ("x-message-ttl", Value::Short(0), None),
        ("x-message-ttl", Value::Long(i64::MAX), Some("{value_too_large,9223372036854775807}")),
        ("x-message-ttl", word("1"), Some("\"expected integer, got longstr\"")),
        ("x-message-ttl", Value::Timestamp(1), Some("\"expected integer, got timestamp\"")),
        ("x-message-ttl", Value::Double(f64::NAN), Some("\"expected integer, got double\"")),
        ("x-dead-letter-routing-key", word("k"), Some("routing_key_but_no_dlx_defined")),
        ("x-dead-letter-routing-key", Value::Void, Some("{unacceptable_type,void}")),
        ("x-dead-letter-strategy", word("at-least-once"), None),
        ("x-dead-letter-strategy", word("exactly-once"), Some("invalid_dlx_strategy")),
        ("x-dead-letter-strategy", Value::Byte(1), Some("{unacceptable_type,byte}")),
        ("x-max-length", Value::UnsignedInt(0), None),
        ("x-max-length", Value::Decimal { scale: 255, value: 1 }, Some("\"expected integer, got decimal\"")),
        ("x-max-length-bytes", Value::SignedInt(-1), Some("{value_negative,-1}")),
        ("x-max-in-memory-length", Value::SignedInt(-1), Some("{value_negative,-1}")),
        ("x-max-in-memory-bytes", Value::Bool(true), Some("\"expected integer, got bool\"")),
        ("x-max-priority", Value::UnsignedByte(255), None),
        ("x-max-priority", Value::SignedInt(0), None),
        ("x-max-priority", Value::SignedInt(256), Some("{max_value_exceeded,256}")),
        ("x-max-priority", Value::SignedInt(-1), Some("{value_negative,-1}")),
        ("x-overflow", word("drop-head"), None),
        ("x-overflow", word("reject-publish"), None),
        ("x-overflow", word("reject-publish-dlx"), None),
        ("x-overflow", word("Drop-Head"), Some("invalid_overflow")),
        ("x-overflow", Value::LongStr(&[0xff]), Some("invalid_overflow")),
        ("x-overflow", Value::Binary(b"drop-head"), Some("{unacceptable_type,binary}")),
        ("x-queue-mode", word("lazy"), None),
        ("x-queue-mode", word("default"), None),
        ("x-queue-mode", word("foo"), Some("\"unsupported queue mode 'foo'\"")),
        ("x-queue-mode", Value::SignedInt(1), Some("{unacceptable_type,signedint}")),
        ("x-queue-version", Value::SignedInt(1), None),
        ("x-queue-version", Value::SignedInt(2), None),
        ("x-queue-version", Value::SignedInt(0), Some("\"unsupported queue version '0'\"")),
        ("x-queue-version", Value::SignedInt(-1), Some("{value_negative,-1}")),
        ("x-queue-version", word("2"), Some("\"expected integer, got longstr\"")),
        ("x-delayed-retry-factor", Value::SignedInt(1), None),
        ("x-delayed-retry-factor", Value::Double(1.5), None),
        ("x-delayed-retry-factor", Value::Float(1.0), None),
        ("x-delayed-retry-factor", Value::Double(0.9), Some("value_below_one")),
        ("x-delayed-retry-factor", Value::Double(f64::NAN), Some("value_below_one")),
        ("x-delayed-retry-factor", Value::SignedInt(0), Some("value_below_one")),
        ("x-delayed-retry-factor", word("2"), Some("\"expected number, got longstr\"")),
        ("x-delayed-retry-jitter", Value::SignedInt(0), None),
        ("x-delayed-retry-jitter", Value::Byte(100), None),
        ("x-delayed-retry-jitter", Value::SignedInt(101), Some("{max_value_exceeded,101}")),
        ("x-delayed-retry-jitter", Value::SignedInt(-1), Some("{value_negative,-1}")),
        ("x-delayed-retry-jitter", Value::Double(5.0), Some("\"expected integer, got double\"")),
        ("x-scheduled", Value::Bool(true), None),
        ("x-scheduled", word("true"), Some("{unacceptable_type,longstr}")),
        ("x-scheduled", Value::SignedInt(1), Some("{unacceptable_type,signedint}")),
        ("x-single-active-consumer", Value::Bool(false), None),
        ("x-single-active-consumer", word("true"), Some("{unacceptable_type,longstr}")),
        ("x-quorum-initial-group-size", Value::SignedInt(0), Some("{value_zero,0}")),
        ("x-quorum-initial-group-size", Value::SignedInt(3), None),
        ("x-queue-leader-locator", word("client-local"), None),
        ("x-queue-leader-locator", word("balanced"), None),
        ("x-queue-leader-locator", word("no"), Some("invalid_queue_locator_arg")),
        ("x-queue-leader-locator", Value::Float(1.0), Some("{unacceptable_type,float}")),
        ("x-consumer-timeout", Value::SignedInt(-1), Some("{value_negative,-1}")),
        ("x-consumer-disconnected-timeout", Value::SignedInt(0), None),
        ("x-message-group", word("type"), None),
        ("x-message-group", Value::SignedInt(1), Some("{unacceptable_type,signedint}")),
        ("x-message-group", Value::Binary(b"type"), Some("{unacceptable_type,binary}")),
        ("x-message-group-look-ahead", Value::SignedInt(1), None),
        ("x-message-group-look-ahead", Value::SignedInt(0), Some("{value_zero,0}")),
        ("x-message-group-look-ahead", Value::SignedInt(-1), Some("{value_negative,-1}")),
        ("x-message-group-look-ahead", Value::Bool(true), Some("\"expected integer, got bool\"")),
        ("x-delivery-limit", Value::SignedInt(-1), None),
        ("x-queue-master-locator", word("min-masters"), None),
        ("x-made-up", Value::Double(f64::INFINITY), None),
    ] {
        assert_eq!(reason(argument, value).as_deref(), expected, "{argument} {value:?}");
    }
}

#[test]
fn there_are_two_queue_types() {
    for (value, expected) in [
        (Value::LongStr(b"classic"), None),
        (Value::LongStr(b"quorum"), None),
        (Value::LongStr(b"stream"), Some("\"unsupported queue type 'stream'\"")),
        (Value::LongStr(b"Classic"), Some("\"unsupported queue type 'Classic'\"")),
        (Value::LongStr(b""), Some("\"unsupported queue type ''\"")),
        (Value::SignedInt(5), Some("{unacceptable_type,signedint}")),
    ] {
        let arguments = TableBuilder::new().value(QUEUE_TYPE, value).finish();
        let expected =
            expected.map(|reason| format!("invalid arg 'x-queue-type' for queue 'q' in vhost '/': {reason}"));
        assert_eq!(text(&durable(&arguments)), expected, "{value:?}");
    }
}

#[test]
fn a_quorum_queue_has_a_name_and_stays_for_all() {
    let arguments = TableBuilder::new().string(QUEUE_TYPE, "quorum").finish();
    let named = durable(&arguments);
    for (declare, expected) in [
        (named, None),
        (
            Declare { queue: "", ..named },
            Some("Cannot declare a server-named queue for type rabbit_quorum_queue"),
        ),
        (
            Declare { durable: false, ..named },
            Some("invalid property 'non-durable' for queue 'q' in vhost '/'"),
        ),
        (
            Declare { exclusive: true, ..named },
            Some("invalid property 'exclusive-owner' for queue 'q' in vhost '/'"),
        ),
        (
            Declare { auto_delete: true, durable: false, exclusive: true, ..named },
            Some("invalid property 'auto-delete' for queue 'q' in vhost '/'"),
        ),
    ] {
        assert_eq!(text(&declare).as_deref(), expected);
    }
}

#[test]
fn what_only_streams_have_is_refused_on_others() {
    for (queue_type, word) in [("classic", "rabbit_classic_queue"), ("quorum", "rabbit_quorum_queue")] {
        let arguments = TableBuilder::new().string(QUEUE_TYPE, queue_type).string("x-max-age", "5D").finish();
        let expected = format!("invalid arg 'x-max-age' for queue 'q' in vhost '/' of queue type {word}");
        assert_eq!(text(&durable(&arguments)), Some(expected));
    }
}

#[test]
fn the_exchange_of_dead_letters_is_looked_at_first_then_the_arguments_in_their_order() {
    let both = TableBuilder::new().int("x-max-length", -1).int("x-expires", -1);
    let expected = "invalid arg 'x-expires' for queue 'q' in vhost '/': {value_negative,-1}";
    assert_eq!(text(&durable(&both.clone().finish())).as_deref(), Some(expected));
    let expected = "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'";
    let all = both.int(DEAD_LETTER_EXCHANGE, 5).finish();
    assert_eq!(text(&durable(&all)).as_deref(), Some(expected));
    let key = TableBuilder::new().string("x-dead-letter-routing-key", "k").string(DEAD_LETTER_EXCHANGE, "");
    assert_eq!(text(&durable(&key.finish())), None);
}

#[test]
fn a_declaration_is_read_into_options() {
    for (value, expected) in [(true, true), (false, false)] {
        let arguments = TableBuilder::new().bool(SINGLE_ACTIVE_CONSUMER, value).int("x-made-up", 1).finish();
        let declare = Declare { exclusive: true, auto_delete: true, ..durable(&arguments) };
        let options = QueueOptions::declared(&declare).unwrap();
        let durable = false;
        let read = QueueOptions {
            max_priority: 0,
            message_groups: None,
            deduplication: None,
            durable,
            exclusive: true,
            auto_delete: true,
            single_active_consumer: expected,
            arguments: arguments.clone(),
        };
        assert_eq!(options, read);
    }
}

#[test]
fn declarations_are_compared_by_value_in_what_is_known() {
    let declared = |arguments: TableBuf| QueueOptions::declared(&durable(&arguments)).unwrap();
    let one = |name: &str, value| declared(TableBuilder::new().value(name, value).finish());
    for (current, received, expected) in [
        (one("x-expires", Value::Byte(5)), one("x-expires", Value::Long(5)), None),
        (one("x-made-up", Value::Byte(5)), one("x-made-up", Value::Bool(true)), None),
        (
            one("x-delivery-limit", Value::Double(f64::NAN)),
            one("x-delivery-limit", Value::Double(f64::NAN)),
            None,
        ),
        (
            one("x-delivery-limit", Value::Decimal { scale: 255, value: 1 }),
            one("x-delivery-limit", Value::Decimal { scale: 254, value: 1 }),
            Some("x-delivery-limit"),
        ),
        (
            one("x-single-active-consumer", Value::Bool(true)),
            one("x-single-active-consumer", Value::Bool(false)),
            Some("x-single-active-consumer"),
        ),
        (one("x-max-priority", Value::Byte(5)), one("x-other", Value::Byte(5)), Some("x-max-priority")),
        (one("x-queue-type", Value::LongStr(b"classic")), declared(TableBuf::default()), None),
        (one("x-queue-type", Value::LongStr(b"quorum")), declared(TableBuf::default()), Some("x-queue-type")),
    ] {
        let argument = current.difference(&received).map(|difference| difference.argument());
        assert_eq!(argument, expected, "{received:?}");
    }
}
