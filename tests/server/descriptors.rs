//! A broker that runs out of descriptors.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::{Broker, Raw, TempDir};

/// So many files may the broker have open...
const LIMIT: &str = "ulimit -n 200; exec \"$@\"";
/// ...and so many connections does it believe to have room for.
const BELIEVED: &str = "--max-connections=4000";

#[test]
fn f8_a_lack_of_descriptors_is_waited_out_and_told_once_and_those_that_are_in_go_on() {
    let temporary = TempDir::new();
    let by = ["sh", "-c", LIMIT, "sh"];
    let starting = Broker::spawn_by(&by, &temporary.path().join("data"), &[BELIEVED, "--workers=1"]);
    let mut broker = starting.ready().unwrap();
    let mut inside = Raw::connect(&broker);
    inside.open_channel(1);
    // More than there are descriptors. Those that are not accepted wait in the system's queue.
    let crowd: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(broker.addr()).unwrap()).collect();
    broker.wait_for_line("Too many open files");
    inside.open_channel(2);
    drop(crowd);
    broker.wait_for_line("are accepted again");
    let deadline = Instant::now() + Duration::from_mins(1);
    // Those of the crowd that are still in the queue are gone when they are accepted.
    while TcpStream::connect(broker.addr()).and_then(greeted).is_err() {
        assert!(Instant::now() < deadline, "nobody is served any more");
    }
    inside.open_channel(3);
    let ended = broker.stop();
    let told = ended.log.iter().filter(|line| line.contains("cannot accept connections")).count();
    let again = ended.log.iter().filter(|line| line.contains("are accepted again")).count();
    assert!(told >= 1 && told <= again + 1, "once for each lack: {:#?}", ended.log);
    assert!(told < 20, "{:#?}", ended.log);
}

#[test]
fn as_many_files_may_be_open_as_the_hard_limit_says_whatever_the_soft_one_was() {
    let temporary = TempDir::new();
    let by = ["sh", "-c", "ulimit -S -n 100; ulimit -H -n 3000; exec \"$@\"", "sh"];
    let broker = Broker::spawn_by::<&str>(&by, &temporary.path().join("data"), &[]).ready().unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", broker.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[3..5], ["3000", "3000"], "{line}");
}

fn greeted(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"AMQP\0\0\x09\x01")?;
    stream.read_exact(&mut [0; 7])
}
