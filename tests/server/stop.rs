//! The end of the process.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::raw::{DEADLINE, Received};
use crate::support::{Broker, Ended, Properties, Raw, Table, TempDir, method};

#[test]
fn an_idle_server_ends_with_0_at_the_first_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let broker = Broker::start();
        if broker.is_external() {
            return;
        }
        broker.signal(signal);
        assert_eq!(broker.wait().code(), Some(0), "{signal:?}");
    }
}

#[test]
fn signals_that_come_together_are_one() {
    let broker = Broker::start();
    if broker.is_external() {
        return;
    }
    // It would be waited for: whoever is asked to close the connection does not answer.
    let _client = crate::support::Raw::connect(&broker);
    // However long we are not given the processor in between.
    for signal in [Signal::STOP, Signal::TERM, Signal::TERM, Signal::INT, Signal::CONT] {
        broker.signal(signal);
    }
    let ended = broker.ended();
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
    assert!(somebody_was_waited_for(&ended), "{:#?}", ended.log);
}

/// A broker says so when its time for connections is over and some are still there.
fn somebody_was_waited_for(ended: &Ended) -> bool {
    ended.log.iter().any(|line| line.contains("connections that did not end in time"))
}

#[test]
fn a_second_signal_some_time_after_the_first_ends_it_at_once() {
    let mut broker = Broker::start();
    if broker.is_external() {
        return;
    }
    let _client = crate::support::Raw::connect(&broker);
    while !broker.has_ended() {
        broker.signal(Signal::TERM);
    }
    let ended = broker.ended();
    assert_eq!(ended.status.code(), Some(1), "{:#?}", ended.log);
    assert!(!somebody_was_waited_for(&ended), "{:#?}", ended.log);
}

#[test]
fn connections_that_have_said_nothing_do_not_hold_up_the_end() {
    let broker = Broker::start();
    if broker.is_external() {
        return;
    }
    let _silent: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(broker.addr()).unwrap()).collect();
    let ended = broker.stop();
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
    assert!(!somebody_was_waited_for(&ended), "{:#?}", ended.log);
}

#[test]
fn an_idle_server_is_small() {
    let broker = Broker::start();
    if broker.is_external() {
        return;
    }
    // Without the pages of the program itself, which are many where it is not optimised.
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.pid())).unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let kibibytes: u64 = own.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kibibytes < 16 * 1024, "{kibibytes} KiB");
}

/// A publisher that goes on until its connection ends, and says how much it has sent.
fn publish_on(mut raw: Raw) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut sent = 0;
        loop {
            for _ in 0..100 {
                raw.publish(1, "", "q", &Properties::new().delivery_mode(2), &[7; 1000]);
            }
            sent += 100;
            match raw.recv_within(Duration::from_millis(1)) {
                Received::Frame(frame) if frame.close().is_some() => {
                    raw.send(0, crate::support::Payload::method(method::CONNECTION_CLOSE_OK));
                    return sent;
                }
                Received::End(_) => return sent,
                Received::Frame(_) | Received::Silence => {}
            }
        }
    })
}

#[test]
fn f10_a_server_under_load_that_is_told_to_stop_says_so_to_everybody_and_ends_in_order() {
    let data = TempDir::new();
    let broker = Broker::start_on::<&str>(data.path(), &[]);
    let mut first = Raw::connect(&broker);
    first.open_channel(1);
    first.declare(1, "q", method::DURABLE, &Table::new());
    let publishers: Vec<_> = (0..4)
        .map(|_| {
            let mut raw = Raw::connect(&broker);
            raw.open_channel(1);
            publish_on(raw)
        })
        .collect();
    // It has something to do.
    while first.message_count(1, "q") < 1000 {}
    broker.signal(Signal::TERM);
    first.expect(0, method::CONNECTION_CLOSE);
    first.send(0, crate::support::Payload::method(method::CONNECTION_CLOSE_OK));
    drop(first);
    let ended = broker.ended();
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
    let sent: usize = publishers.into_iter().map(|publisher| publisher.join().unwrap()).sum();
    let broker = Broker::start_on::<&str>(data.path(), &[]);
    let mut raw = Raw::connect(&broker);
    raw.open_channel(1);
    let kept = raw.message_count(1, "q") as usize;
    assert!((1000..=sent).contains(&kept), "{kept} of {sent}");
    drop(raw);
    assert_eq!(broker.stop().status.code(), Some(0));
}

#[test]
fn f10_a_server_that_stood_still_drops_the_silent_and_keeps_what_has_time_left() {
    let mut broker = Broker::start();
    if broker.is_external() {
        return;
    }
    let mut steady = Raw::connect(&broker);
    steady.open_channel(1);
    let lasting = steady.declare(1, "lasting", 0, &Table::new().int("x-message-ttl", 600_000));
    let brief = steady.declare(1, "brief", 0, &Table::new().int("x-message-ttl", 1000));
    for queue in [&lasting, &brief] {
        steady.publish(1, "", queue, &Properties::new(), b"x");
    }
    assert_eq!(steady.message_count(1, &lasting), 1);
    let silent = Raw::connect_tuned(&broker, 10, 131_072, 1);
    broker.signal(Signal::STOP);
    // For as long as two heartbeats and a message of a second have.
    assert_eq!(steady.recv_within(Duration::from_secs(3)), Received::Silence);
    broker.signal(Signal::CONT);
    broker.wait_for_line("missed heartbeats from client");
    drop(silent);
    let deadline = Instant::now() + DEADLINE;
    while steady.message_count(1, &brief) > 0 {
        assert!(Instant::now() < deadline, "its time is over");
    }
    assert_eq!(steady.message_count(1, &lasting), 1, "nothing expires early");
}
