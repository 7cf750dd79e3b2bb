//! What queues and exchanges know of the messages that they had, over the ends of brokers.

use crate::lives::{Death, Lives, Script as _};
use crate::support::{Properties, Raw, Table, method, raw};

/// Publishes persistent messages that are known by their bodies, and waits for the confirms.
fn publish(raw: &mut Raw, exchange: &str, key: &str, bodies: &[&str]) {
    for body in bodies {
        raw.publish(1, exchange, key, &known_by(body), body.as_bytes());
        raw.expect(1, method::BASIC_ACK);
    }
}

fn known_by(key: &str) -> Properties {
    Properties::new().headers(&Table::new().text("x-deduplication-header", key)).delivery_mode(2)
}

fn once() -> Table {
    Table::new().boolean("x-message-deduplication", true)
}

fn declare_exchange(raw: &mut Raw, name: &str, arguments: &Table) {
    raw.call(method::exchange_declare(name, "x-message-deduplication", method::DURABLE, arguments));
    raw.call(method::queue_bind("all", name, "", &Table::new()));
}

fn confirming(lives: &Lives) -> Raw {
    let mut raw = lives.connect();
    raw.call(method::confirm_select());
    raw
}

#[test]
fn a_queue_knows_what_it_had_after_every_end_of_a_broker() {
    for death in [Death::Stop, Death::Kill] {
        let mut lives = Lives::new(&[]);
        let mut raw = confirming(&lives);
        raw.call(method::queue_declare("waiting", method::DURABLE, &once()));
        raw.call(method::queue_declare(
            "window",
            method::DURABLE,
            &once().boolean("x-deduplication-window", true),
        ));
        for queue in ["waiting", "window"] {
            publish(&mut raw, "", queue, &["acknowledged", "unacked", "ready"]);
            let first = raw.get_unsettled(queue).unwrap();
            assert_eq!(raw.get_unsettled(queue).unwrap().body, b"unacked");
            raw.send(1, method::basic_ack(first.delivery_tag, false));
        }
        // What was acknowledged before is written before this is confirmed.
        publish(&mut raw, "", "waiting", &["last"]);
        // Each start leaves a file of the journal behind, and the oldest one goes: what is known is written again.
        for life in 0..4 {
            lives.again(death);
            raw = confirming(&lives);
            let told = format!("{death:?} {life}");
            publish(&mut raw, "", "waiting", &["unacked", "ready", "last"]);
            assert_eq!(raw.message_count(1, "waiting"), 3, "{told}");
            publish(&mut raw, "", "window", &["acknowledged", "unacked", "ready"]);
            assert_eq!(raw.message_count(1, "window"), 2, "{told}");
        }
        publish(&mut raw, "", "waiting", &["acknowledged"]);
        assert_eq!(raw.take_bodies("waiting"), ["unacked", "ready", "last", "acknowledged"], "{death:?}");
        publish(&mut raw, "", "waiting", &["unacked"]);
        assert_eq!(raw.take_bodies("window"), ["unacked", "ready"], "{death:?}");
        publish(&mut raw, "", "window", &["unacked"]);
        raw.written();
        lives.again(death);
        raw = confirming(&lives);
        publish(&mut raw, "", "waiting", &["unacked", "ready"]);
        publish(&mut raw, "", "window", &["acknowledged", "unacked", "ready", "new"]);
        assert_eq!(raw.take_bodies("waiting"), ["unacked", "ready"], "{death:?}");
        assert_eq!(raw.take_bodies("window"), ["new"], "{death:?}");
    }
}

#[test]
fn a_window_goes_on_while_there_is_no_broker() {
    for death in [Death::Stop, Death::Kill] {
        let mut lives = Lives::new(&[]);
        let mut raw = confirming(&lives);
        raw.call(method::queue_declare("q", method::DURABLE, &once().int("x-cache-ttl", 4000)));
        publish(&mut raw, "", "q", &["a"]);
        let start = std::time::Instant::now();
        lives.end(death);
        while start.elapsed() < std::time::Duration::from_millis(4100) {
            std::thread::yield_now();
        }
        lives.begin();
        raw = confirming(&lives);
        // At once: the disk may take as long for each as the window lasts.
        let properties = known_by("a").encoded();
        let publish = raw::content(1, method::basic_publish("", "q", 0), &properties, b"a", 131_072);
        raw.send_bytes(&publish.repeat(2));
        while raw.expect(1, method::BASIC_ACK).arguments().longlong() < 2 {}
        assert_eq!(raw.take_bodies("q"), ["a", "a"], "{death:?}");
    }
}

#[test]
fn an_exchange_knows_what_it_had_unless_it_was_to_be_in_memory_or_is_another_one() {
    let size = || Table::new().int("x-cache-size", 3);
    for death in [Death::Stop, Death::Kill] {
        let mut lives = Lives::new(&[]);
        let mut raw = confirming(&lives);
        raw.durable_queue("all");
        declare_exchange(&mut raw, "disk", &size());
        declare_exchange(&mut raw, "memory", &size().text("x-cache-persistence", "memory"));
        declare_exchange(&mut raw, "deleted", &size());
        for exchange in ["disk", "memory", "deleted"] {
            publish(&mut raw, exchange, "", &["forgotten", "a", "b", "c", "c"]);
        }
        raw.call(method::exchange_delete("deleted"));
        declare_exchange(&mut raw, "deleted", &size());
        assert_eq!(raw.take_bodies("all").len(), 12, "{death:?}");
        raw.written();
        for life in 0..4 {
            lives.again(death);
            raw = confirming(&lives);
            publish(&mut raw, "disk", "", &["a", "b", "c"]);
            assert_eq!(raw.take_bodies("all"), [""; 0], "{death:?} {life}");
        }
        for exchange in ["memory", "deleted"] {
            publish(&mut raw, exchange, "", &["a", "a"]);
        }
        publish(&mut raw, "disk", "", &["forgotten"]);
        assert_eq!(raw.take_bodies("all"), ["a", "a", "forgotten"], "{death:?}");
    }
}

#[test]
fn a_refused_or_transient_original_leaves_nothing_behind() {
    for death in [Death::Stop, Death::Kill] {
        let mut lives = Lives::new(&[]);
        let mut raw = confirming(&lives);
        let full = Table::new().int("x-max-length", 1).text("x-overflow", "reject-publish");
        raw.call(method::queue_declare("all", method::DURABLE, &full));
        declare_exchange(&mut raw, "once", &Table::new().int("x-cache-size", 3));
        publish(&mut raw, "once", "", &["fills it"]);
        let headers = Table::new().text("x-deduplication-header", "too many");
        let properties = Properties::new().headers(&headers).delivery_mode(2);
        raw.publish(1, "once", "", &properties, b"too many");
        raw.expect(1, (60, 120));
        lives.again(death);
        raw = confirming(&lives);
        assert_eq!(raw.take_bodies("all"), ["fills it"], "{death:?}");
        raw.written();
        let headers = Table::new().text("x-deduplication-header", "transient");
        raw.publish(1, "once", "", &Properties::new().headers(&headers), b"transient");
        raw.expect(1, method::BASIC_ACK);
        lives.again(death);
        raw = confirming(&lives);
        for body in ["too many", "transient"] {
            publish(&mut raw, "once", "", &[body, body, "fills it"]);
            assert_eq!(raw.take_bodies("all"), [body], "{death:?}");
        }
    }
}
