//! What tools of the world ask, and what they read of the answers, played as it stands in `recorded/`.
//!
//! A file names the tool, the tags of its user and its requests, one after the other. A field is a path with dots:
//! `[]` is each item of a list that has some, `[name=orders]` the one item with that name. What is expected there is a
//! kind (never `null`), or `{"is": value}`. `$NODE` and `$USER` are filled in, `$KEY` is the end of the last `location`.

use std::time::{Duration, Instant};

use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
    ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::desk::Desk;
use crate::http::{Answer, Request};
use crate::support::TempDir;

/// A tool's user, whose password is its name.
const USER: &str = "tool";

/// A check for each file.
macro_rules! recorded {
    ($($test:ident: $file:literal;)*) => {
        $(#[test]
        fn $test() {
            play(include_str!(concat!("recorded/", $file)));
        })*
    };
}

recorded! {
    datadog_reads_what_it_needs: "datadog.json";
    flower_reads_what_it_needs: "flower.json";
    keda_reads_what_it_needs: "keda.json";
    masstransit_finds_what_it_cleans: "masstransit.json";
    nservicebus_finds_what_it_verifies: "nservicebus.json";
    telegraf_reads_what_it_needs: "telegraf.json";
    terraform_makes_reads_and_destroys_all_that_it_knows: "terraform.json";
    zabbix_reads_what_it_needs: "zabbix.json";
}

/// Traffic of every kind that is counted, on a connection that stays open.
struct Traffic {
    _connection: Connection,
    runtime: Runtime,
}

impl Traffic {
    fn at(desk: &Desk) -> Self {
        desk.done("PUT", "/api/exchanges/%2F/sales", &json!({ "type": "direct" }));
        for (queue, arguments) in [
            ("orders", json!({})),
            ("idle", json!({})),
            ("two%20words", json!({})),
            ("jobs", json!({ "x-queue-type": "quorum" })),
        ] {
            desk.done(
                "PUT",
                &format!("/api/queues/%2F/{queue}"),
                &json!({ "durable": true, "arguments": arguments }),
            );
        }
        desk.done("POST", "/api/bindings/%2F/e/sales/q/orders", &json!({ "routing_key": "orders" }));
        desk.done("POST", "/api/bindings/%2F/e/sales/q/jobs", &json!({ "routing_key": "jobs" }));
        let runtime = Runtime::new().unwrap();
        let url = format!("amqp://guest:guest@{}/%2f", desk.broker().addresses()[0]);
        let connected = Connection::connect(&url, ConnectionProperties::default());
        let connection = runtime.block_on(connected).unwrap();
        runtime.block_on(traffic(&connection));
        Self { _connection: connection, runtime }
    }
}

async fn traffic(connection: &Connection) {
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for _ in 0..20 {
        assert!(!published(&channel, "orders", false).await);
    }
    assert!(!published(&channel, "nowhere", false).await);
    assert!(published(&channel, "nowhere", true).await);
    let back = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
    for _ in 0..2 {
        let got = channel.basic_get("orders".into(), BasicGetOptions::default()).await.unwrap().unwrap();
        got.delivery.acker.nack(back).await.unwrap();
    }
    let automatic = BasicConsumeOptions { no_ack: false, ..BasicConsumeOptions::default() };
    let table = FieldTable::default();
    let mut consumer = channel.basic_consume("orders".into(), "c".into(), automatic, table).await.unwrap();
    for _ in 0..10 {
        let delivery = futures_lite::StreamExt::next(&mut consumer).await.unwrap().unwrap();
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
}

/// Whether a message came back.
async fn published(channel: &Channel, key: &str, mandatory: bool) -> bool {
    let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default().with_delivery_mode(2);
    let sent = channel.basic_publish("sales".into(), key.into(), options, b"0123456789", properties);
    match sent.await.unwrap().await.unwrap() {
        Confirmation::Ack(returned) => returned.is_some(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn play(recorded: &str) {
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    let traffic = Traffic::at(&desk);
    let tags: Vec<&str> =
        recorded["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
    desk.add_user(USER, &tags.join(","));
    desk.let_in(USER, "%2F");
    let node = desk.get("/api/overview")["node"].as_str().unwrap().to_owned();
    let mut key = String::new();
    let mut wrong = Vec::new();
    for request in recorded["requests"].as_array().unwrap() {
        let ask = request["ask"].as_str().unwrap();
        let filled = ask.replace("$NODE", &node).replace("$USER", USER).replace("$KEY", &key);
        let (method, path) = filled.split_once(' ').unwrap();
        // Counts are told when they are asked for, but some of what is counted comes with the next sample.
        let patience = if wrong.is_empty() { Duration::from_mins(1) } else { Duration::ZERO };
        let until = Instant::now() + patience;
        let (answer, mistakes) = loop {
            let answer = asked(&desk, method, path, &request["body"]);
            let mistakes = mistakes(request, &answer);
            if mistakes.is_empty() || method != "GET" || Instant::now() > until {
                break (answer, mistakes);
            }
            std::thread::park_timeout(Duration::from_millis(100));
        };
        wrong.extend(mistakes.into_iter().map(|mistake| format!("{ask}: {mistake}")));
        if let Some((_, last)) = answer.header("location").and_then(|location| location.rsplit_once('/')) {
            last.clone_into(&mut key);
        }
    }
    drop(traffic.runtime);
    assert!(wrong.is_empty(), "{}: {wrong:#?}", recorded["tool"]);
}

fn asked(desk: &Desk, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::new(method, path).login(USER, USER);
    let request = if body.is_null() { request } else { request.body(body.to_string()) };
    request.send(desk.address)
}

/// What an answer has not as its tool needs it.
fn mistakes(request: &Value, answer: &Answer) -> Vec<String> {
    if request["status"] != answer.status {
        return vec![format!("{} instead of {}: {}", answer.status, request["status"], answer.body)];
    }
    let mut wrong = Vec::new();
    if let Some(location) = request["location"].as_str() {
        let last = answer.header("location").and_then(|told| told.rsplit_once('/'));
        if last.map(|(_, last)| unescaped(last)).as_deref() != Some(location) {
            wrong.push(format!("location {:?} does not end with {location}", answer.header("location")));
        }
    }
    let Some(fields) = request["fields"].as_object() else { return wrong };
    let told = answer.json();
    for (path, expected) in fields {
        let found = at(&told, path);
        if found.is_empty() {
            wrong.push(format!("no {path}"));
        }
        let unfit = found.into_iter().find(|value| !fits(value, expected));
        wrong.extend(unfit.map(|value| format!("{path} is {value}, not {expected}")));
    }
    wrong
}

/// A segment of a path as Go's `PathUnescape` reads it.
fn unescaped(segment: &str) -> String {
    segment.replace("%2B", "+").replace("%7E", "~").replace("%25", "%")
}

/// The values that a path leads to.
fn at<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    if path.is_empty() {
        return vec![value];
    }
    if let Some((inside, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) {
        let rest = rest.trim_start_matches('.');
        let items = value.as_array().into_iter().flatten();
        return match inside.split_once('=') {
            None => items.flat_map(|item| own(item, rest)).collect(),
            Some((key, name)) => {
                items.filter(|item| item[key] == name).flat_map(|item| at(item, rest)).collect()
            }
        };
    }
    let (name, rest) = match path.find(['.', '[']) {
        Some(end) => (&path[..end], path[end..].trim_start_matches('.')),
        None => (path, ""),
    };
    value.get(name).map(|value| at(value, rest)).unwrap_or_default()
}

/// The same, or `null` where an item of a list does not have it.
fn own<'v>(item: &'v Value, path: &str) -> Vec<&'v Value> {
    let found = at(item, path);
    if found.is_empty() { vec![&Value::Null] } else { found }
}

fn fits(value: &Value, expected: &Value) -> bool {
    if let Some(exact) = expected.get("is") {
        return value == exact;
    }
    match expected.as_str().expect("a kind") {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "limit" => value.is_u64() || value == "unlimited",
        "version" => value.as_str().is_some_and(|text| {
            let parts: Vec<&str> = text.split('.').collect();
            parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok())
        }),
        kind => panic!("no kind {kind}"),
    }
}

#[test]
fn a_field_that_is_missing_null_or_of_another_kind_is_a_mistake() {
    let told = json!({ "a": { "b": 1, "n": null }, "l": [{ "name": "x", "v": 2 }, { "name": "y" }] });
    for (path, expected, fine) in [
        ("a.b", json!("integer"), true),
        ("a.b", json!("string"), false),
        ("a.n", json!("integer"), false),
        ("a.c", json!("integer"), false),
        ("l[].name", json!("string"), true),
        ("l[].v", json!("integer"), false),
        ("l[name=x].v", json!({ "is": 2 }), true),
        ("l[name=z].v", json!("integer"), false),
    ] {
        let found = at(&told, path);
        assert_eq!(!found.is_empty() && found.iter().all(|value| fits(value, &expected)), fine, "{path}");
    }
}
