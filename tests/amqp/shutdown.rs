//! Starting and stopping the process.

use std::net::TcpStream;

use rustix::process::Signal;

use crate::peer::Peer;
use crate::support::Broker;

const TEXT: &str = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";

/// The next frame says that the broker goes.
fn forced(mut peer: Peer) {
    let close = peer.await_method("connection.close");
    let seen = (close.channel, close.number("reply-code"), close.get("reply-text"));
    assert_eq!(seen, (0, 320, TEXT), "{close}");
    assert_eq!((close.number("class-id"), close.number("method-id")), (0, 0), "{close}");
    peer.send("0:connection.close-ok");
    peer.ended();
}

#[test]
fn a_broker_that_is_ready_says_where_it_listens_and_accepts() {
    let mut broker = Broker::start();
    if broker.is_external() {
        return;
    }
    broker.wait_for_line("Server startup complete");
    let line = broker.wait_for_line("started TCP listener on ");
    assert!(line.contains(&broker.addr().to_string()), "{line}");
    TcpStream::connect(broker.addr()).unwrap();
}

#[test]
fn several_listeners_are_all_announced() {
    let broker = Broker::start_with(&["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"]);
    if broker.is_external() {
        return;
    }
    let ports: Vec<_> =
        broker.log().into_iter().filter(|line| line.contains("started TCP listener on 127.0.0.1:")).collect();
    assert_eq!(ports.len(), 2, "{ports:?}");
    for line in ports {
        let (_, addr) = line.split_once("started TCP listener on ").unwrap();
        TcpStream::connect(addr.split_whitespace().next().unwrap()).unwrap();
    }
}

#[test]
fn sigterm_and_sigint_close_the_connections_with_320_and_the_process_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let broker = Broker::start();
        if broker.is_external() {
            return;
        }
        let mut busy = Peer::connect(&broker);
        busy.ok("queue.declare queue=q exclusive");
        let idle = Peer::connect(&broker);
        broker.signal(signal);
        forced(busy);
        forced(idle);
        let addr = broker.addr();
        assert_eq!(broker.wait().code(), Some(0), "{signal:?}");
        TcpStream::connect(addr).unwrap_err();
    }
}

#[test]
fn a_peer_that_does_not_answer_the_close_holds_up_nothing_for_long() {
    let broker = Broker::start();
    if broker.is_external() {
        return;
    }
    let mut silent = Peer::connect(&broker);
    broker.signal(Signal::TERM);
    silent.await_method("connection.close");
    assert_eq!(broker.wait().code(), Some(0));
}

#[test]
fn a_second_signal_stops_at_once() {
    let mut broker = Broker::start();
    if broker.is_external() {
        return;
    }
    let mut silent = Peer::connect(&broker);
    broker.signal(Signal::TERM);
    silent.await_method("connection.close");
    // One right behind the first does not count, one that comes half a second later does.
    while !broker.has_ended() {
        broker.signal(Signal::TERM);
        std::thread::yield_now();
    }
    assert_eq!(broker.wait().code(), Some(1), "as one that was cut short");
}
