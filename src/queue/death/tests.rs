use leveret_protocol::properties::{Properties, PropertiesBuilder};
use proptest::prelude::*;

use super::*;

const NOW: Time = Time::from_millis(1_700_000_000_999);

fn texts(keys: &[&str]) -> ArrayBuf {
    keys.iter().fold(ArrayBuilder::new(), ArrayBuilder::string).finish()
}

fn message(exchange: &str, key: &str, properties: &PropertiesBuilder<'_>) -> Message {
    Message::compose(exchange, key, &properties.finish(), b"body").unwrap()
}

/// As it is routed on: dead in `queue`, to the exchange `dlx`.
fn die(message: &Message, queue: &str, reason: Reason) -> Message {
    dead_letter(message, queue, reason, "dlx", None, NOW).unwrap()
}

fn with_headers(headers: TableBuilder) -> Message {
    let headers = headers.finish();
    message(
        "ex",
        "key",
        &PropertiesBuilder { headers: Some(headers.as_table()), ..PropertiesBuilder::default() },
    )
}

/// The six headers beside `x-death`, in their order.
fn first_and_last(table: TableBuilder, first: [&str; 3], last: [&str; 3]) -> TableBuilder {
    let names = FIRST_DEATH.into_iter().chain(LAST_DEATH);
    names.zip(first.into_iter().chain(last)).fold(table, |table, (name, text)| table.string(name, text))
}

fn entry(count: i64, reason: &str, queue: &str, exchange: &str, keys: &[&str]) -> TableBuilder {
    let keys = texts(keys);
    TableBuilder::new()
        .long("count", count)
        .string("reason", reason)
        .string("queue", queue)
        .timestamp("time", 1_700_000_000)
        .string("exchange", exchange)
        .array("routing-keys", keys.as_array())
}

fn history_of(entries: impl IntoIterator<Item = TableBuilder>) -> ArrayBuf {
    let entries = entries.into_iter().map(TableBuilder::finish);
    entries.fold(ArrayBuilder::new(), |array, entry| array.table(entry.as_table())).finish()
}

/// Queue, reason and count of each entry of `x-death`.
fn remembered(message: &Message) -> Vec<(String, String, i64)> {
    let text = |death: Table<'_>, field| death.get(field).and_then(Value::as_str).unwrap().to_owned();
    deaths(message)
        .map(|death| {
            (text(death, "queue"), text(death, "reason"), death.get("count").unwrap().as_integer().unwrap())
        })
        .collect()
}

#[test]
fn a_first_death_is_written_as_rabbitmq_writes_it() {
    let cc = texts(&["copy", "other"]);
    let headers = TableBuilder::new().int("z", 1).array("CC", cc.as_array()).int("a", 2).finish();
    for (reason, text) in [
        (Reason::Expired, "expired"),
        (Reason::Rejected, "rejected"),
        (Reason::MaxLength, "maxlen"),
        (Reason::DeliveryLimit, "delivery_limit"),
    ] {
        let sent = message(
            "ex",
            "key",
            &PropertiesBuilder {
                headers: Some(headers.as_table()),
                expiration: Some("007"),
                message_id: Some("id"),
                delivery_mode: Some(2),
                ..PropertiesBuilder::default()
            },
        );
        let dead = die(&sent, "q", reason);

        let keys = texts(&["key", "copy", "other"]);
        let entry = TableBuilder::new()
            .string("original-expiration", "7")
            .long("count", 1)
            .string("reason", text)
            .string("queue", "q")
            .timestamp("time", 1_700_000_000)
            .string("exchange", "ex")
            .array("routing-keys", keys.as_array());
        let expected = TableBuilder::new().array("CC", cc.as_array()).int("a", 2);
        let expected = expected.array(X_DEATH, history_of([entry]).as_array());
        let expected = first_and_last(expected, ["ex", "q", text], ["ex", "q", text]).int("z", 1).finish();
        let properties = PropertiesBuilder {
            headers: Some(expected.as_table()),
            message_id: Some("id"),
            delivery_mode: Some(2),
            ..PropertiesBuilder::default()
        };
        assert_eq!(dead.properties(), Properties::parse(&properties.finish()).unwrap());
        assert_eq!((dead.exchange(), dead.routing_key(), dead.body()), ("dlx", "key", &b"body"[..]));
        assert_eq!((dead.arrived(), dead.deadline(), dead.is_persistent()), (NOW, Time::NEVER, true));
    }
}

#[test]
fn an_expiration_is_remembered_as_a_number() {
    for (expiration, expected) in
        [("0", "0"), ("20", "20"), ("007", "7"), ("+5", "5"), ("-0", "0"), ("315360000000", "315360000000")]
    {
        let properties = PropertiesBuilder { expiration: Some(expiration), ..PropertiesBuilder::default() };
        let dead = die(&message("", "q", &properties), "q", Reason::Expired);
        let entry = deaths(&dead).next().unwrap();
        assert_eq!(entry.iter().next(), Some(("original-expiration", Value::LongStr(expected.as_bytes()))));
        assert_eq!(dead.properties().expiration(), None);
    }
    let dead = die(&message("", "q", &PropertiesBuilder::default()), "q", Reason::Expired);
    assert_eq!(deaths(&dead).next().unwrap().get("original-expiration"), None);
}

#[test]
fn later_deaths_stand_before_earlier_ones_and_the_same_is_counted() {
    let mut message = with_headers(TableBuilder::new());
    for (queue, reason, expected) in [
        ("a", Reason::Rejected, &[("a", "rejected", 1)][..]),
        ("b", Reason::Expired, &[("b", "expired", 1), ("a", "rejected", 1)]),
        ("a", Reason::Expired, &[("a", "expired", 1), ("b", "expired", 1), ("a", "rejected", 1)]),
        ("a", Reason::Rejected, &[("a", "rejected", 2), ("a", "expired", 1), ("b", "expired", 1)]),
        ("a", Reason::Rejected, &[("a", "rejected", 3), ("a", "expired", 1), ("b", "expired", 1)]),
    ] {
        message = die(&message, queue, reason);
        let remembered = remembered(&message);
        let remembered: Vec<_> = remembered.iter().map(|(q, r, count)| (&q[..], &r[..], *count)).collect();
        assert_eq!(remembered, expected);
    }
}

#[test]
fn a_repeated_death_keeps_the_time_and_the_address_of_the_first() {
    let first =
        dead_letter(&with_headers(TableBuilder::new()), "q", Reason::Rejected, "back", Some("other"), NOW);
    let later = NOW.plus(std::time::Duration::from_hours(1));
    let again = dead_letter(&first.unwrap(), "q", Reason::Rejected, "back", None, later).unwrap();
    let expected = TableBuilder::new()
        .array(X_DEATH, history_of([entry(2, "rejected", "q", "ex", &["key"])]).as_array());
    let expected = first_and_last(expected, ["ex", "q", "rejected"], ["back", "q", "rejected"]).finish();
    assert_eq!(again.properties().headers(), Some(expected.as_table()));
    assert_eq!((again.exchange(), again.routing_key(), again.arrived()), ("back", "other", later));
}

#[test]
fn what_a_client_says_of_deaths_is_not_believed() {
    let forged = history_of([entry(9, "expired", "q", "ex", &["key"])]);
    let mut headers = TableBuilder::new().array(X_DEATH, forged.as_array()).bool(X_DEATH, true);
    for name in FIRST_DEATH.into_iter().chain(LAST_DEATH) {
        headers = headers.string(name, "forged");
    }
    let sent = with_headers(headers.string("x-first-death-other", "mine"));
    assert!(!would_cycle(&sent, "q"));
    let dead = die(&sent, "q", Reason::Expired);
    let expected =
        TableBuilder::new().array(X_DEATH, history_of([entry(1, "expired", "q", "ex", &["key"])]).as_array());
    let expected = first_and_last(expected, ["ex", "q", "expired"], ["ex", "q", "expired"]);
    // Sorted: "other" comes between "exchange" and "queue".
    let expected = expected.string("x-first-death-other", "mine").finish_sorted();
    assert_eq!(dead.properties().headers(), Some(expected.as_table()));

    // A dead letter that a consumer publishes anew is a client's message like any other.
    let republished = Message::compose("ex", "key", dead.properties_bytes(), dead.body()).unwrap();
    assert!(!would_cycle(&republished, "q") && would_cycle(&dead, "q"));
    assert_eq!(remembered(&die(&republished, "p", Reason::Rejected)), [("p".into(), "rejected".into(), 1)]);
}

#[test]
fn a_dead_letter_keeps_its_keys_until_a_routing_key_replaces_them() {
    let keys = texts(&["copy", "other"]);
    let sent = with_headers(TableBuilder::new().array("CC", keys.as_array()));
    let copies = |message: &Message| cc(message).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(copies(&sent), ["copy", "other"]);
    let dead = die(&sent, "q", Reason::Expired);
    assert_eq!((dead.routing_key(), copies(&dead)), ("key", vec!["copy".to_owned(), "other".to_owned()]));

    let mut replaced = dead_letter(&dead, "q", Reason::Expired, "", Some("target"), NOW).unwrap();
    for queue in ["q", "p"] {
        assert_eq!((replaced.exchange(), replaced.routing_key(), copies(&replaced)), ("", "target", vec![]));
        let header = replaced.properties().headers().unwrap().get("CC").and_then(Value::as_array);
        assert_eq!(header, Some(keys.as_array()), "the header stays");
        replaced = dead_letter(&replaced, queue, Reason::Rejected, "", None, NOW).unwrap();
    }
    let newest = deaths(&replaced).next().unwrap();
    assert_eq!(newest.get("routing-keys").and_then(Value::as_array), Some(texts(&["target"]).as_array()));
}

#[test]
fn a_name_that_does_not_fit_makes_no_dead_letter() {
    let (fits, long) = ("x".repeat(255), "x".repeat(256));
    let sent = with_headers(TableBuilder::new());
    for (to, key, expected) in
        [(&*fits, &*fits, true), (&long, "", false), ("", &long, false), ("", "", true)]
    {
        assert_eq!(dead_letter(&sent, "q", Reason::Expired, to, Some(key), NOW).is_some(), expected);
    }
}

#[test]
fn only_a_circle_without_a_rejection_is_one() {
    use Reason::{DeliveryLimit, Expired, MaxLength, Rejected};
    for (deaths, target, expected) in [
        (&[("a", Expired)][..], "a", true),
        (&[("a", Expired)], "b", false),
        (&[("a", Rejected)], "a", false),
        (&[("a", Expired), ("b", MaxLength), ("c", DeliveryLimit)], "a", true),
        (&[("a", Expired), ("b", Rejected), ("c", Expired)], "a", false),
        (&[("a", Expired), ("b", Rejected), ("c", Expired)], "b", false),
        (&[("a", Expired), ("b", Rejected), ("c", Expired)], "c", true),
        (&[("b", Rejected), ("a", Expired), ("c", Expired)], "a", true),
        // The rejection in b was before the latest death in a.
        (&[("a", Expired), ("b", Rejected), ("a", Expired)], "a", true),
        (&[("a", Expired), ("a", Rejected)], "a", false),
        (&[], "a", false),
    ] {
        let sent = with_headers(TableBuilder::new());
        let dead = deaths.iter().fold(sent, |message, (queue, reason)| die(&message, queue, *reason));
        assert_eq!(would_cycle(&dead, target), expected, "{deaths:?} to {target}");
    }
}

#[test]
fn a_chain_of_automatic_deaths_ends_and_one_with_rejections_need_not() {
    for (reason, ends) in [(Reason::Expired, true), (Reason::Rejected, false)] {
        let mut message = with_headers(TableBuilder::new());
        let mut deaths = 0;
        while deaths < 2 * DEATHS_MAX && !would_cycle(&message, &format!("q{deaths}")) {
            message = die(&message, &format!("q{deaths}"), reason);
            deaths += 1;
        }
        assert_eq!(deaths, if ends { DEATHS_MAX } else { 2 * DEATHS_MAX }, "{reason:?}");
        assert_eq!(remembered(&message).len(), DEATHS_MAX);
        assert_eq!(remembered(&message)[0].0, format!("q{}", deaths - 1), "the newest are kept");
    }
}

#[test]
fn a_thousand_keys_do_not_multiply_with_each_death() {
    for key_len in [0, 1, 255] {
        let key = "k".repeat(key_len);
        let keys = texts(&vec![&key[..]; 1024]);
        let sent = with_headers(TableBuilder::new().array("CC", keys.as_array()));
        let mut dead = sent.clone();
        for queue in 0..2 * DEATHS_MAX {
            dead = die(&dead, &format!("{queue:0>255}"), Reason::Rejected);
        }
        let added = dead.properties_bytes().len() - sent.properties_bytes().len();
        assert!(
            added < DEATHS_MAX * 700 + KEYS_BYTES_MAX + 6 * KEYS_MAX,
            "{added} bytes for keys of {key_len}"
        );
        for death in deaths(&dead) {
            let keys = death.get("routing-keys").and_then(Value::as_array).unwrap();
            assert_eq!(keys.iter().next(), Some(Value::LongStr(b"key")), "the first key is always there");
        }
        assert_eq!(cc(&dead).count(), 1024);
        assert_eq!(remembered(&dead).len(), DEATHS_MAX);
    }
}

#[test]
fn headers_at_their_limit_are_read_after_a_death_as_before() {
    let headers = (0..leveret_protocol::limits::TABLE_ENTRIES_MAX)
        .fold(TableBuilder::new(), |table, entry| table.bool(&entry.to_string(), true));
    let sent = with_headers(headers);
    assert!(Properties::parse(sent.properties_bytes()).is_ok());
    let dead = die(&die(&sent, "a", Reason::Expired), "b", Reason::Expired);
    assert_eq!(dead.properties().headers().unwrap().get("4095"), Some(Value::Bool(true)));
    assert!(would_cycle(&dead, "a"));
}

/// Entries of any type and nesting, as their bytes on the wire.
fn values() -> impl Strategy<Value = ArrayBuf> {
    let leaf = prop_oneof![
        Just(ArrayBuilder::new().value(Value::Void).finish()),
        any::<i64>().prop_map(|n| ArrayBuilder::new().value(Value::Long(n)).finish()),
        any::<u64>().prop_map(|n| ArrayBuilder::new().value(Value::Timestamp(n)).finish()),
        any::<f64>().prop_map(|n| ArrayBuilder::new().value(Value::Double(n)).finish()),
        prop::collection::vec(any::<u8>(), 0..20)
            .prop_map(|octets| ArrayBuilder::new().string(octets).finish()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop::collection::vec((name(), inner), 0..4).prop_map(|entries| {
            let table = entries.iter().fold(TableBuilder::new(), |table, (name, value)| {
                table.value(name, value.as_array().iter().next().unwrap())
            });
            ArrayBuilder::new().table(table.finish().as_table()).finish()
        })
    })
}

/// Names of headers, now and then one that matters here.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z~]{0,6}",
        1 => prop::sample::select(vec![X_DEATH, "CC", "queue", "count", "x-first-death-queue", "x-last-death-reason"])
            .prop_map(str::to_owned),
    ]
}

#[derive(Debug, Clone)]
struct Sent {
    headers: Option<Vec<(String, ArrayBuf)>>,
    texts: Vec<Option<String>>,
    octets: (Option<u8>, Option<u8>, Option<u64>),
    expiration: Option<u32>,
    body: Vec<u8>,
}

fn sent() -> impl Strategy<Value = Sent> {
    (
        prop::option::of(prop::collection::vec((name(), values()), 0..8)),
        prop::collection::vec(prop::option::of("[a-zä]{0,9}"), 9),
        any::<(Option<u8>, Option<u8>, Option<u64>)>(),
        any::<Option<u32>>(),
        prop::collection::vec(any::<u8>(), 0..40),
    )
        .prop_map(|(headers, texts, octets, expiration, body)| Sent {
            headers,
            texts,
            octets,
            expiration,
            body,
        })
}

impl Sent {
    fn message(&self) -> Message {
        let headers = self.headers.as_ref().map(|entries| {
            let add = |table: TableBuilder, (name, value): &(String, ArrayBuf)| {
                table.value(name, value.as_array().iter().next().unwrap())
            };
            entries.iter().fold(TableBuilder::new(), add).finish()
        });
        let expiration = self.expiration.map(|milliseconds| milliseconds.to_string());
        let text = |at: usize| self.texts[at].as_deref();
        let properties = PropertiesBuilder {
            content_type: text(0),
            content_encoding: text(1),
            headers: headers.as_ref().map(TableBuf::as_table),
            delivery_mode: self.octets.0,
            priority: self.octets.1,
            correlation_id: text(2),
            reply_to: text(3),
            expiration: expiration.as_deref(),
            message_id: text(4),
            timestamp: self.octets.2,
            type_: text(5),
            user_id: text(6),
            app_id: text(7),
            cluster_id: text(8),
        };
        Message::compose("ex", "key", &properties.finish(), &self.body).unwrap()
    }
}

fn is_of_deaths(name: &str) -> bool {
    name == X_DEATH || FIRST_DEATH.contains(&name) || LAST_DEATH.contains(&name)
}

proptest! {
    #[test]
    fn a_death_changes_nothing_but_the_headers_of_deaths_and_the_expiration(
        sent in sent(),
        deaths in prop::collection::vec(("[ab]", prop::option::of("[a-z]{0,5}")), 1..5),
    ) {
        let message = sent.message();
        let mut dead = message.clone();
        for (queue, key) in &deaths {
            dead = dead_letter(&dead, queue, Reason::MaxLength, "dlx", key.as_deref(), NOW).unwrap();
        }
        prop_assert_eq!(dead.body(), message.body());
        prop_assert_eq!(dead.is_persistent(), message.is_persistent());
        prop_assert!(Properties::parse(dead.properties_bytes()).is_ok());
        let (before, after) = (message.properties().to_builder(), dead.properties().to_builder());
        let same = PropertiesBuilder { headers: after.headers, expiration: None, ..before };
        prop_assert_eq!(after, same);

        let others = |headers: Option<Table<'_>>| {
            let kept = TableBuilder::new().entries_where(headers.unwrap_or_default(), |name| !is_of_deaths(name));
            kept.finish_sorted()
        };
        prop_assert_eq!(others(after.headers), others(before.headers));
        let names: Vec<_> = after.headers.unwrap().iter().map(|(name, _)| name).collect();
        prop_assert!(names.is_sorted());
        for name in FIRST_DEATH.into_iter().chain(LAST_DEATH).chain([X_DEATH]) {
            prop_assert_eq!(names.iter().filter(|other| **other == name).count(), 1, "{}", name);
        }
        let counted: i64 = remembered(&dead).iter().map(|(_, _, count)| *count).sum();
        prop_assert_eq!(usize::try_from(counted).unwrap(), deaths.len());
    }

    #[test]
    fn no_header_of_a_client_makes_a_circle(sent in sent(), target in name()) {
        prop_assert!(!would_cycle(&sent.message(), &target));
    }
}
