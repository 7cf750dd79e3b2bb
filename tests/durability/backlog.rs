//! Backlogs beyond memory, and the space that messages take on the disk and give back.

use std::time::{Duration, Instant};

use crate::lives::{Death, Lives, Script, files};
use crate::support::raw::{self, Received};
use crate::support::{Message, Properties, Raw, Table, method};

/// What a broker may keep of the disk when all of its queues are empty: the files of the journal that are used round and
/// round, and the definitions.
const EMPTY_MAX: u64 = 400 << 20;
const SEGMENT: u64 = 16 << 20;
/// So long the broker may take to give space back that nobody waits for.
const PATIENCE: Duration = Duration::from_mins(2);

/// Publishes these bodies on a channel that is not in confirm mode yet, in a window, and waits until all are confirmed.
pub(crate) fn publish(
    raw: &mut Raw,
    exchange: &str,
    key: &str,
    mode: u8,
    bodies: impl Iterator<Item = Vec<u8>>,
) {
    raw.call(method::confirm_select());
    let properties = Properties::new().delivery_mode(mode).encoded();
    let (mut sent, mut known) = (0, 0);
    for body in bodies {
        raw.send_bytes(&raw::content(
            1,
            method::basic_publish(exchange, key, 0),
            &properties,
            &body,
            131_072,
        ));
        sent += 1;
        while sent > known + 500 {
            known = next_confirm(raw, known);
        }
    }
    while known < sent {
        known = next_confirm(raw, known);
    }
}

/// Takes a confirm after `known` of them, and gives how many there are now.
fn next_confirm(raw: &mut Raw, known: u64) -> u64 {
    let frame = raw.recv();
    assert_eq!(frame.method(), Some(method::BASIC_ACK), "{frame:?}");
    let mut arguments = frame.arguments();
    let (tag, is_multiple) = (arguments.longlong(), arguments.octet() & 1 == 1);
    if is_multiple { tag } else { known + 1 }
}

/// Octets that belong to this number only.
fn body(number: u32, size: usize) -> Vec<u8> {
    number.to_le_bytes().into_iter().cycle().take(size).collect()
}

/// Consumes as many messages, acknowledging now and then, and gives each to `check`.
fn consume(raw: &mut Raw, queue: &str, count: u32, mut check: impl FnMut(u32, Message)) {
    raw.call(method::basic_qos(1000));
    raw.call(method::basic_consume(queue, "c", 0, &Table::new()));
    for number in 0..count {
        let message = raw.expect_deliver(1);
        if number % 100 == 99 || number + 1 == count {
            raw.send(1, method::basic_ack(message.delivery_tag, true));
        }
        check(number, message);
    }
    raw.call(method::basic_cancel("c"));
}

/// Waits until what the files below a folder take is at most this.
fn await_disk_bytes(lives: &Lives, folder: &str, bytes_max: u64) {
    let deadline = Instant::now() + PATIENCE;
    while lives.disk_bytes(folder) > bytes_max {
        let there = || files(lives.data());
        assert!(
            Instant::now() < deadline,
            "{} bytes in {folder:?}: {:#?}",
            lives.disk_bytes(folder),
            there()
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_backlog_beyond_memory_comes_back_in_order_and_never_fills_memory() {
    const SIZE: usize = 10_000;
    const COUNT: u32 = 30_000;
    let mut lives = Lives::new(&["--backlog-memory", "16MiB"]);
    let mut raw = lives.connect();
    raw.durable_queue("q");
    let before = lives.broker().resident_bytes();
    let check_memory = |lives: &Lives, when: &str| {
        let grown = lives.broker().resident_bytes().saturating_sub(before);
        assert!(grown < 160 << 20, "{when}: {} MiB more", grown >> 20);
    };
    publish(&mut raw, "", "q", 2, (0..COUNT).map(|number| body(number, SIZE)));
    check_memory(&lives, "published");
    lives.again(Death::Kill);
    check_memory(&lives, "recovered");
    let mut raw = lives.connect();
    assert_eq!(raw.message_count(1, "q"), COUNT);
    consume(&mut raw, "q", COUNT, |number, message| {
        assert!(message.body == body(number, SIZE), "message {number}");
        assert!(message.redelivered, "message {number}");
    });
    check_memory(&lives, "consumed");
    await_disk_bytes(&lives, "", EMPTY_MAX);
    await_disk_bytes(&lives, "queue", 0);
}

#[test]
fn a_backlog_of_transient_messages_leaves_memory_too_and_comes_back_in_order() {
    const SIZE: usize = 10_000;
    const COUNT: u32 = 20_000;
    let lives = Lives::new(&["--backlog-memory", "16MiB"]);
    let mut raw = lives.connect();
    raw.durable_queue("q");
    let before = lives.broker().resident_bytes();
    // Of two kinds that are kept apart on the disk, and not in the queue.
    let persistent = Properties::new().delivery_mode(2);
    for number in 0..COUNT / 2 {
        raw.publish(1, "", "q", &Properties::new(), &body(2 * number, SIZE));
        raw.publish(1, "", "q", &persistent, &body(2 * number + 1, SIZE));
    }
    assert_eq!(raw.message_count(1, "q"), COUNT);
    let grown = lives.broker().resident_bytes().saturating_sub(before);
    assert!(grown < 160 << 20, "{} MiB more", grown >> 20);
    consume(&mut raw, "q", COUNT, |number, message| {
        assert!(message.body == body(number, SIZE), "message {number}");
        assert!(!message.redelivered, "message {number}");
    });
}

/// Waits until something stands in a segment.
fn await_segment(lives: &Lives) {
    let deadline = Instant::now() + PATIENCE;
    while lives.disk_bytes("queue") == 0 {
        assert!(Instant::now() < deadline, "no segment: {:#?}", files(lives.data()));
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn what_is_written_to_a_segment_after_another_one_ended_outlives_restarts() {
    // More than is rather written to the journal again.
    let messages = |from: u32| (from..from + 50).map(|number| body(number, 10_000));
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    raw.durable_queue("q");
    publish(&mut raw, "", "q", 2, messages(0));
    // Each start leaves a file of the journal behind; the third makes the first file be cleared.
    for _ in 0..3 {
        lives.again(Death::Stop);
    }
    await_segment(&lives);
    publish(&mut lives.connect(), "", "q", 2, messages(50));
    lives.again(Death::Stop);
    let mut raw = lives.connect();
    for number in 0..50 {
        assert!(raw.get(1, "q").unwrap().body == body(number, 10_000));
    }
    await_disk_bytes(&lives, "queue", 0);
    for _ in 0..2 {
        lives.again(Death::Stop);
    }
    await_segment(&lives);
    for restart in 0..4 {
        lives.again(Death::Stop);
        assert_eq!(lives.connect().message_count(1, "q"), 50, "after restart {restart}");
    }
    consume(&mut lives.connect(), "q", 50, |number, message| {
        assert!(message.body == body(50 + number, 10_000));
    });
}

#[test]
fn a_deleted_queue_gives_its_space_back() {
    let lives = Lives::new(&["--backlog-memory", "16MiB"]);
    let mut raw = lives.connect();
    raw.durable_queue("q");
    publish(&mut raw, "", "q", 2, (0..10_000).map(|number| body(number, 20_000)));
    await_segment(&lives);
    raw.call(method::queue_delete("q"));
    await_disk_bytes(&lives, "queue", 0);
    await_disk_bytes(&lives, "", EMPTY_MAX);
}

#[test]
fn a_message_that_stays_keeps_one_segment_at_most() {
    let lives = Lives::new(&["--backlog-memory", "16MiB"]);
    let mut raw = lives.connect();
    raw.durable_queue("q");
    publish(&mut raw, "", "q", 2, (0..10_000).map(|number| body(number, 20_000)));
    let stuck = raw.get_unsettled("q").unwrap();
    assert_eq!(stuck.body, body(0, 20_000));
    let mut other = lives.connect();
    consume(&mut other, "q", 9_999, |_, _| {});
    await_disk_bytes(&lives, "queue", SEGMENT + (1 << 20));
    // The rest of the journal goes by, and with it what holds the message now.
    other.durable_queue("passing");
    other.call(method::basic_consume("passing", "", method::CONSUME_NO_ACK, &Table::new()));
    let properties = Properties::new().delivery_mode(2);
    for number in 0..20_000 {
        raw.publish(1, "", "passing", &properties, &body(number, 20_000));
        assert_eq!(other.expect_deliver(1).body, body(number, 20_000));
    }
    await_disk_bytes(&lives, "", EMPTY_MAX + SEGMENT);
    raw.send(1, method::basic_ack(stuck.delivery_tag, false));
    await_disk_bytes(&lives, "queue", 0);
}

#[test]
fn what_passes_through_a_short_queue_takes_no_more_space_the_longer_it_goes_on() {
    let lives = Lives::new(&[]);
    let mut raw = lives.connect();
    raw.durable_queue("q");
    for round in 0..6 {
        publish(&mut lives.connect(), "", "q", 2, (0..2_500).map(|number| body(number, 40_000)));
        consume(&mut raw, "q", 2_500, |number, message| {
            assert!(message.body == body(number, 40_000), "message {number} of round {round}");
        });
    }
    await_disk_bytes(&lives, "", EMPTY_MAX);
    await_disk_bytes(&lives, "queue", 0);
}

#[test]
fn a_message_to_many_queues_is_written_once() {
    const QUEUES: u32 = 20;
    // Each queue counts all of a body that they share, and what leaves memory is written for each of them.
    let mut lives = Lives::new(&["--backlog-memory", "256MiB"]);
    let mut raw = lives.connect();
    for number in 0..QUEUES {
        raw.durable_queue(&format!("q{number}"));
        raw.call(method::queue_bind(&format!("q{number}"), "amq.fanout", "", &Table::new()));
    }
    let before = written_bytes(&lives);
    publish(&mut raw, "amq.fanout", "", 2, (0..100).map(|number| body(number, 20_000)));
    // So little that the next file of the journal is not prepared. Each message may have a batch of its own, in whole pages,
    // and what was declared is written behind; for each of the queues it would be forty million.
    let written = written_bytes(&lives) - before;
    assert!(written < 10_000_000, "{written} bytes for 2,000,000");
    lives.again(Death::Kill);
    let mut raw = lives.connect();
    for number in 0..QUEUES {
        assert_eq!(raw.message_count(1, &format!("q{number}")), 100);
        assert_eq!(raw.get(1, &format!("q{number}")).unwrap().body, body(0, 20_000));
    }
}

/// What the broker has handed to write(2) and its kin so far.
fn written_bytes(lives: &Lives) -> u64 {
    let counters = std::fs::read_to_string(format!("/proc/{}/io", lives.broker().pid())).unwrap();
    let counter = counters.lines().find_map(|line| line.strip_prefix("wchar: ")).expect("wchar");
    counter.parse().unwrap()
}

#[test]
fn what_clients_hold_of_a_backlog_ends_at_the_memory_limit_and_the_rest_follows_what_they_acknowledge() {
    const SIZE: usize = 10_000;
    const COUNT: u32 = 20_000;
    let mut lives = Lives::new(&["--backlog-memory", "16MiB", "--memory-limit", "100MiB"]);
    let mut raw = lives.connect();
    raw.durable_queue("q");
    publish(&mut lives.connect(), "", "q", 2, (0..COUNT).map(|number| body(number, SIZE)));
    raw.call(method::basic_consume("q", "c", 0, &Table::new()));
    // Nobody publishes, and nobody acknowledges.
    let is_held = || lives.broker().log().iter().any(|line| line.contains("queue 'q': its clients hold"));
    let mut got = 0;
    while got < COUNT && !is_held() {
        let Received::Frame(frame) = raw.recv_within(Duration::from_millis(50)) else { continue };
        got += u32::from(frame.method() == Some(method::BASIC_DELIVER));
    }
    // What was delivered before its answer.
    raw.send(1, method::queue_declare("q", method::PASSIVE, &Table::new()));
    loop {
        match raw.recv().method() {
            Some(method::BASIC_DELIVER) => got += 1,
            Some(method::QUEUE_DECLARE_OK) => break,
            _ => {}
        }
    }
    assert!((1_700..14_000).contains(&got), "{got} of {COUNT}");
    lives.broker_mut().wait_for_line("memory resource limit alarm set");
    raw.send(1, method::basic_ack(0, true));
    for number in got..COUNT {
        let message = raw.expect_deliver(1);
        if number % 100 == 99 || number + 1 == COUNT {
            raw.send(1, method::basic_ack(message.delivery_tag, true));
        }
    }
    lives.broker_mut().wait_for_line("memory resource limit alarm cleared");
    assert_eq!(raw.message_count(1, "q"), 0);
}

#[test]
fn the_backlogs_of_many_queues_leave_memory_though_none_of_them_is_long() {
    const QUEUES: u32 = 2_000;
    const EACH: u32 = 20;
    const SIZE: usize = 1_000;
    let mut lives = Lives::new(&["--backlog-memory", "16MiB"]);
    let mut raw = lives.connect();
    for queue in 0..QUEUES {
        raw.durable_queue(&format!("q{queue}"));
    }
    let before = lives.broker().resident_bytes();
    raw.call(method::confirm_select());
    for mode in [1, 2] {
        let properties = Properties::new().delivery_mode(mode);
        for number in 0..EACH {
            for queue in 0..QUEUES {
                raw.publish(1, "", &format!("q{queue}"), &properties, &body(number, SIZE));
            }
        }
    }
    let mut known = 0;
    while known < u64::from(2 * EACH * QUEUES) {
        known = next_confirm(&mut raw, known);
    }
    // All of it is 80 MB; when only long queues gave any up, 112 MiB stayed.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let grown = lives.broker().resident_bytes().saturating_sub(before);
        if grown <= 64 << 20 {
            break;
        }
        assert!(Instant::now() < deadline, "{} MiB more", grown >> 20);
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let number = |message: &Message| u32::from_le_bytes(*message.body.first_chunk().unwrap());
    for queue in (0..QUEUES).step_by(97) {
        for count in 0..EACH {
            assert_eq!(number(&raw.get(1, &format!("q{queue}")).unwrap()), count);
        }
    }
    lives.again(Death::Kill);
    let mut raw = lives.connect();
    for queue in (1..QUEUES).step_by(97) {
        for count in 0..EACH {
            assert_eq!(number(&raw.get(1, &format!("q{queue}")).unwrap()), count);
        }
        assert!(raw.get(1, &format!("q{queue}")).is_none());
    }
}

#[test]
fn a_publisher_that_is_faster_than_the_disk_leaves_memory_where_it_is_beside_a_consumer_that_settles_nothing()
{
    const SIZE: usize = 16_000;
    const AT_ONCE: usize = 64;
    const ROUNDS: usize = 1_000;
    const PREFETCH: usize = 100;
    // A quarter of what waits in the end. What is on its way to the disk takes about 120 MiB, whatever waits.
    const RESIDENT_MAX: u64 = 256 << 20;
    let lives = Lives::new(&["--backlog-memory", "8MiB"]);
    let (mut consumer, mut publisher) = (lives.connect(), lives.connect());
    consumer.durable_queue("q");
    consumer.call(method::basic_qos(u16::try_from(PREFETCH).unwrap()));
    consumer.call(method::basic_consume("q", "c", 0, &Table::new()));
    let properties = Properties::new().delivery_mode(2).encoded();
    let publish = method::basic_publish("", "q", 0);
    let messages = raw::content(1, publish, &properties, &body(0, SIZE), 131_072).repeat(AT_ONCE);
    for round in 0..ROUNDS {
        // As fast as it is read.
        publisher.send_bytes(&messages);
        if round == PREFETCH.div_ceil(AT_ONCE) {
            // Who does not take what it was sent is dropped, on a slow disk before the end.
            (0..PREFETCH).for_each(|_| drop(consumer.expect_deliver(1)));
        }
        let resident = lives.broker().resident_bytes();
        assert!(resident < RESIDENT_MAX, "{} MiB after {round} MB", resident >> 20);
    }
    assert_eq!(publisher.message_count(1, "q") as usize, ROUNDS * AT_ONCE - PREFETCH);
}
