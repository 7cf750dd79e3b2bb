//! Messages that an operator has moved, and a broker that is killed meanwhile.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::backlog::publish;
use crate::lives::{Death, Lives, Script};
use crate::random::{Random, seed};
use crate::support::{Raw, Table, method};

const DEADLINE: Duration = Duration::from_mins(2);
const MESSAGES: usize = 4_000;
/// Every so many messages one is larger than a block takes.
const LARGE_EVERY: usize = 50;

/// Asks the broker at its socket. Nothing when it is killed meanwhile.
fn ask(lives: &Lives, method: &str, path: &str, body: &Value) -> Option<Value> {
    let mut stream = UnixStream::connect(lives.data().join("leveret.sock")).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).unwrap();
    assert!(status.starts_with('2'), "{method} {path}: {answer}");
    serde_json::from_str(body).ok()
}

/// How often each body is in a queue, which is looked through and keeps all.
fn bodies(lives: &Lives, queue: &str) -> BTreeMap<String, usize> {
    let (mut found, mut after) = (BTreeMap::new(), String::new());
    loop {
        let path = format!("/api/leveret/queues/%2F/{queue}/messages?limit=1000&truncate=8{after}");
        let page = ask(lives, "GET", &path, &Value::Null).unwrap();
        assert_eq!(page["unreadable"], 0);
        for message in page["messages"].as_array().unwrap() {
            let text = message["payload"].as_str().unwrap();
            *found.entry(text.split(' ').next().unwrap().to_owned()).or_default() += 1;
        }
        let Some(next) = page["next"].as_str() else { return found };
        after = format!("&after={next}");
    }
}

/// Each message is in one of the queues, once. Gives how many are in the first.
fn check(lives: &Lives, queues: [&str; 2]) -> usize {
    let [first, second] = queues.map(|queue| bodies(lives, queue));
    let mut all = first.clone();
    for (body, count) in second {
        *all.entry(body).or_default() += count;
    }
    let lost: Vec<String> =
        (0..MESSAGES).map(|number| number.to_string()).filter(|body| !all.contains_key(body)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let doubled: Vec<_> = all.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "doubled: {doubled:?}");
    first.len()
}

/// Has messages go from one queue to another, kills the broker while they do, and again, until all have gone.
fn killed(from: &str, to: &str, path: &str, order: &Value, prepare: impl FnOnce(&mut Raw)) {
    let mut random = Random::new(seed("LEVERET_CRASH_SEED"));
    let mut lives = Lives::new(&["--backlog-memory", "1MiB"]);
    let mut raw = lives.connect();
    prepare(&mut raw);
    drop(raw);
    assert_eq!(check(&lives, [from, to]), MESSAGES);
    let (mut kills, mut left) = (0, MESSAGES);
    while left > 0 {
        let mut order = order.clone();
        if kills == 0 {
            // So slowly that the first one is killed in the midst of it, however late we are.
            order["rate"] = json!(MESSAGES / 10);
        }
        let answer = ask(&lives, "POST", path, &order).unwrap();
        let place = format!("/api/leveret/jobs/{}", answer["id"].as_str().unwrap());
        let until = random.below(MESSAGES as u64 / 4);
        let begun = Instant::now();
        loop {
            let job = ask(&lives, "GET", &place, &Value::Null).unwrap();
            assert_eq!(job["error"], Value::Null, "{job}");
            assert!(begun.elapsed() < DEADLINE, "{job}");
            if job["done"].as_u64() >= Some(until) || !job["finished"].is_null() {
                break;
            }
        }
        lives.again(Death::Kill);
        kills += 1;
        let now = check(&lives, [from, to]);
        assert!(now <= left, "what went came back");
        left = now;
    }
    assert!(kills > 1, "it was never killed in the midst");
    // Also those that go on without a crash.
    lives.again(Death::Stop);
    assert_eq!(check(&lives, [from, to]), 0);
    assert_eq!(lives.connect().take_bodies(from), [""; 0]);
}

fn numbered() -> impl Iterator<Item = Vec<u8>> {
    (0..MESSAGES).map(|number| {
        let size = if number % LARGE_EVERY == 0 { 20_000 } else { 400 };
        format!("{number} {}", "x".repeat(size)).into_bytes()
    })
}

#[test]
fn a_move_that_is_killed_loses_and_doubles_nothing() {
    let order = json!({ "to": { "queue": "to" } });
    killed("q", "to", "/api/leveret/queues/%2F/q/move", &order, |raw| {
        raw.durable_queue("q");
        raw.durable_queue("to");
        publish(raw, "", "q", 2, numbered());
    });
}

#[test]
fn a_redrive_that_is_killed_loses_and_doubles_nothing() {
    killed("dead", "work", "/api/leveret/queues/%2F/dead/redrive", &json!({}), |raw| {
        raw.durable_queue("dead");
        let dead = Table::new().text("x-dead-letter-exchange", "").text("x-dead-letter-routing-key", "dead");
        raw.call(method::queue_declare("work", method::DURABLE, &dead));
        publish(raw, "", "work", 2, numbered());
        for _ in 0..MESSAGES {
            let message = raw.get_unsettled("work").expect("a message");
            raw.send(1, method::basic_reject(message.delivery_tag, false));
        }
        // Until all are there.
        raw.call(method::basic_qos(1));
    });
}
