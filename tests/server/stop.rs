//! The end of the process.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::Broker;

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
    for signal in [Signal::TERM, Signal::TERM, Signal::INT] {
        broker.signal(signal);
    }
    let ended = broker.ended();
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
}

#[test]
fn a_second_signal_some_time_after_the_first_ends_it_at_once() {
    let mut broker = Broker::start();
    if broker.is_external() {
        return;
    }
    let _client = crate::support::Raw::connect(&broker);
    let told = Instant::now();
    while !broker.has_ended() {
        broker.signal(Signal::TERM);
    }
    assert_eq!(broker.wait().code(), Some(1));
    assert!(told.elapsed() < Duration::from_secs(4), "nobody is waited for: {:?}", told.elapsed());
}

#[test]
fn connections_that_have_said_nothing_do_not_hold_up_the_end() {
    let broker = Broker::start();
    if broker.is_external() {
        return;
    }
    let _silent: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(broker.addr()).unwrap()).collect();
    let told = Instant::now();
    broker.signal(Signal::TERM);
    assert_eq!(broker.wait().code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(4), "nobody is waited for: {:?}", told.elapsed());
}

#[test]
fn an_idle_server_is_small() {
    let broker = Broker::start();
    if broker.is_external() {
        return;
    }
    let mebibytes = broker.resident_bytes() >> 20;
    assert!(mebibytes < 32, "{mebibytes} MiB");
}
