//! Valid sessions, broken in thousands of ways, against a running broker.
//!
//! Everything follows from a seed, so that a failure comes again: it names the seed of its batch. The broker has no
//! say in what it is sent; whatever it answers must be frames, never an internal error, and must come to an end.
//! `LEVERET_FUZZ_SEED` and `LEVERET_FUZZ_BATCHES` make it run elsewhere and longer.

mod mutation;
mod session;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::frame::Frame;
use crate::support::raw::{DEADLINE, PROTOCOL_HEADER};
use crate::support::{Broker, Properties, Raw};
use mutation::{Random, mutate};

const SEED: u64 = 0x1eae_2e70;
const BATCHES: u64 = 300;
const SESSIONS: u64 = 32;
/// Connections at a time.
const AT_ONCE: u64 = 4;
/// What the sessions may leave behind: queues and messages under names that no one could foresee.
const GROWTH_MAX: u64 = 96 << 20;

#[test]
fn broken_sessions_neither_stop_the_broker_nor_hang_nor_reach_others() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (seed, batches) = (number("LEVERET_FUZZ_SEED", SEED), number("LEVERET_FUZZ_BATCHES", BATCHES));
    let broker = Broker::start();
    let mut witness = Raw::connect(&broker);
    witness.open_channel(1);
    let sessions = session::all();
    let before = broker.resident_bytes();
    for batch in seed..seed + batches {
        thread::scope(|scope| {
            for lane in 0..AT_ONCE {
                let (broker, sessions) = (&broker, &sessions);
                scope.spawn(move || {
                    let mut random = Random::new(batch * AT_ONCE + lane);
                    for at in 0..SESSIONS / AT_ONCE {
                        let bytes = mutate(sessions, &mut random);
                        let codes = converse(broker, &bytes, &mut random);
                        assert!(!codes.contains(&541), "internal error: seed {batch}, {lane}.{at}");
                    }
                });
            }
        });
        let queue = witness.declare_own(1);
        witness.publish(1, "", &queue, &Properties::new(), b"still here");
        assert_eq!(witness.get(1, &queue).expect("the witness gets its message").body, b"still here");
        if !broker.is_external() {
            let log = broker.log();
            assert!(!log.iter().any(|line| line.contains("panicked")), "seed {batch}: {log:#?}");
        }
    }
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "{grown} bytes are left of {} sessions from seed {seed}", batches * SESSIONS);
}

#[test]
fn a_valid_session_is_served_however_it_is_cut() {
    let broker = Broker::start();
    for (at, script) in session::all().iter().enumerate() {
        for seed in SEED..SEED + 20 {
            let codes = converse(&broker, &script.concat(), &mut Random::new(seed));
            assert!(codes.iter().all(|code| *code == 406), "session {at}, seed {seed}: {codes:?}");
        }
    }
}

/// Sends all bytes in cuts of any length, then hears the broker out to the end of the connection. Gives the codes of
/// all closes.
fn converse(broker: &Broker, bytes: &[u8], random: &mut Random) -> Vec<u16> {
    let mut stream = TcpStream::connect(broker.addr()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    let listener = stream.try_clone().unwrap();
    let listening = thread::spawn(move || hear_out(listener));
    let mut rest = bytes;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(random.cut(rest.len()));
        // One that the broker has broken off hears so below.
        if stream.write_all(now).is_err() {
            break;
        }
        rest = later;
    }
    // Without this a broken handshake is told nothing until its deadline has passed.
    let _ = stream.shutdown(Shutdown::Write);
    listening.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn hear_out(mut stream: TcpStream) -> Vec<u16> {
    let deadline = Instant::now() + DEADLINE;
    let (mut received, mut buffer) = (Vec::new(), vec![0; 65_536]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the broker neither goes on nor ends the connection");
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::ConnectionReset) => break,
            Err(error) => {
                // A process that stood still is told so.
                let goes_on =
                    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted);
                assert!(goes_on, "{error}");
            }
        }
    }
    let mut codes = Vec::new();
    if received.starts_with(PROTOCOL_HEADER) {
        received.drain(..PROTOCOL_HEADER.len());
    }
    while let Some(frame) = Frame::take(&mut received) {
        codes.extend(frame.close().map(|(code, ..)| code));
    }
    codes
}
