//! A disk without space: a small file system of the test's own, in a mount namespace of its own.
//!
//! Needs the right to make one: root, or user namespaces. Without either the test fails and says so.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lives::Script;
use crate::support::frame::{Frame, HEARTBEAT};
use crate::support::raw::Received;
use crate::support::{Broker, Properties, Raw, Starting, Table, TempDir, method};

const SIZE_MIB: u64 = 512;
const BALLAST: usize = 160 << 20;
const BODY: usize = 50_000;

/// A file system in memory, in a namespace that lives as long as this.
struct SmallDisk {
    holder: Child,
    /// Where it is mounted, in that namespace.
    mount: TempDir,
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl SmallDisk {
    fn new() -> Self {
        let mount = TempDir::new();
        let script = format!(
            "mount -t tmpfs -o size={SIZE_MIB}m none '{}' && echo mounted && exec cat",
            mount.path().display()
        );
        let mut command = Command::new("unshare");
        command.args(if is_root() { &["--mount"][..] } else { &["--mount", "--user", "--map-root-user"] });
        command.args(["sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().expect("unshare (util-linux) starts");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(
            line, "mounted\n",
            "neither root nor user namespaces: no file system can be made for this test"
        );
        Self { holder, mount }
    }

    /// The same folder, seen from outside of the namespace.
    fn outside(&self) -> PathBuf {
        let inside = self.mount.path().strip_prefix("/").unwrap();
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside)
    }

    fn start(&self, arguments: &[&str]) -> Broker {
        self.spawn(arguments).ready().unwrap_or_else(|ended| panic!("{ended:#?}"))
    }

    fn spawn(&self, arguments: &[&str]) -> Starting {
        let target = format!("--target={}", self.holder.id());
        let mut by = vec!["nsenter", &target, "--mount"];
        if !is_root() {
            by.extend(["--user", "--preserve-credentials"]);
        }
        // The alarm is another matter: whether it is looked for before the space ends is chance.
        let arguments = [&["--disk-free-limit", "0"], arguments].concat();
        Broker::spawn_by(&by, &self.mount.path().join("data"), &arguments)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A publisher that knows what was confirmed.
struct Publisher {
    raw: Raw,
    sent: u64,
    confirmed: u64,
    is_blocked: bool,
}

impl Publisher {
    fn new(broker: &Broker) -> Self {
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        raw.durable_queue("q");
        raw.call(method::confirm_select());
        Self { raw, sent: 0, confirmed: 0, is_blocked: false }
    }

    fn publish(&mut self) {
        let body = body(self.sent);
        self.raw.publish(1, "", "q", &Properties::new().delivery_mode(2), &body);
        self.sent += 1;
    }

    fn publish_until_blocked(&mut self, broker: &Broker) {
        let more_than_fits = (SIZE_MIB << 20) / BODY as u64;
        while !self.is_blocked {
            assert!(self.sent < more_than_fits, "nobody is blocked: {:#?}", broker.log());
            self.publish();
            while !self.is_blocked && self.sent > self.confirmed + 20 {
                let frame = self.raw.recv();
                self.heed(&frame);
            }
        }
    }

    fn heed(&mut self, frame: &Frame) {
        match frame.method() {
            Some(method::BASIC_ACK) => {
                let mut arguments = frame.arguments();
                let (tag, is_multiple) = (arguments.longlong(), arguments.octet() & 1 == 1);
                self.confirmed = if is_multiple { tag } else { self.confirmed + 1 };
            }
            Some(method::CONNECTION_BLOCKED) => self.is_blocked = true,
            Some(method::CONNECTION_UNBLOCKED) => self.is_blocked = false,
            // Who is blocked for long is asked whether it is still there.
            None if frame.kind == HEARTBEAT => {}
            _ => panic!("unexpected: {frame:?}"),
        }
    }

    fn await_blocked(&mut self, is_blocked: bool) {
        self.heed_until("a change of being blocked", |publisher| publisher.is_blocked == is_blocked);
    }

    fn await_confirms(&mut self) {
        self.heed_until("a confirm", |publisher| publisher.confirmed >= publisher.sent);
    }

    fn heed_until(&mut self, due: &str, is_done: impl Fn(&Self) -> bool) {
        // Longer than anything that has no time of its own: the broker looks for space again every second.
        let ends = Instant::now() + Duration::from_mins(2);
        while !is_done(self) {
            let left = ends.saturating_duration_since(Instant::now());
            match self.raw.recv_within(left.max(Duration::from_millis(1))) {
                Received::Frame(frame) if !left.is_zero() => self.heed(&frame),
                other => panic!("{due} is due, but: {other:?}"),
            }
        }
    }
}

fn body(number: u64) -> Vec<u8> {
    number.to_le_bytes().into_iter().cycle().take(BODY).collect()
}

#[test]
fn without_space_publishers_are_blocked_and_with_space_they_go_on_and_nothing_confirmed_is_lost() {
    let disk = SmallDisk::new();
    let ballast = disk.outside().join("ballast");
    fs::write(&ballast, vec![1; BALLAST]).unwrap();
    let mut broker = disk.start(&[]);
    let mut publisher = Publisher::new(&broker);
    publisher.publish_until_blocked(&broker);
    broker.wait_for_line("space");
    // Whoever takes messages away goes on.
    let mut consumer = Raw::connect(&broker);
    consumer.open_channel(1);
    consumer.call(method::basic_qos(10));
    consumer.call(method::basic_consume("q", "", 0, &Table::new()));
    let first = consumer.expect_deliver(1);
    assert!(first.body == body(0));

    fs::remove_file(&ballast).unwrap();
    publisher.await_blocked(false);
    for _ in 0..100 {
        publisher.publish();
    }
    publisher.await_confirms();
    broker.kill();

    let broker = disk.start(&[]);
    let mut raw = Raw::connect(&broker);
    raw.open_channel(1);
    for number in 0..publisher.sent {
        let message = raw.get(1, "q").unwrap_or_else(|| panic!("{number} of {} is lost", publisher.sent));
        assert!(message.body == body(number), "message {number}");
    }
    assert!(raw.get(1, "q").is_none());
}

#[test]
fn a_disk_full_of_what_is_kept_can_be_started_again_and_consumed_from_over_and_over() {
    let disk = SmallDisk::new();
    fs::write(disk.outside().join("ballast"), vec![1; BALLAST]).unwrap();
    for round in 0..3 {
        let broker = disk.start(&[]);
        let mut publisher = Publisher::new(&broker);
        publisher.publish_until_blocked(&broker);
        broker.kill();
        fill(&disk.outside().join(format!("rest{round}")));
        // Once more without anything done, and in order. Others take what space is left beside the broker's.
        for start in 0..2 {
            let broker = disk.start(&[]);
            fill(&disk.outside().join(format!("rest{round}.{start}")));
            assert_eq!(broker.stop().status.code(), Some(0));
        }
        let broker = disk.start(&[]);
        let mut raw = Raw::connect(&broker);
        raw.open_channel(1);
        for number in 0..publisher.confirmed {
            let message = raw.get(1, "q").unwrap_or_else(|| {
                panic!("{number} of {} is lost: {:#?}", publisher.confirmed, broker.log())
            });
            assert!(message.body == body(number), "message {number}");
        }
        // What was sent and not confirmed may be there as well.
        while raw.get(1, "q").is_some() {}
        for start in 0..2 {
            fs::remove_file(disk.outside().join(format!("rest{round}.{start}"))).unwrap();
        }
        let mut publisher = Publisher::new(&broker);
        publisher.publish();
        publisher.await_confirms();
        assert!(raw.get(1, "q").is_some());
        assert_eq!(broker.stop().status.code(), Some(0));
    }
}

#[test]
fn a_first_start_on_a_full_disk_ends_with_73_and_the_next_one_with_space_serves() {
    let disk = SmallDisk::new();
    fs::create_dir(disk.outside().join("data")).unwrap();
    let ballast = disk.outside().join("ballast");
    fill(&ballast);
    let Err(ended) = disk.spawn(&[]).ready() else { panic!("it serves") };
    assert_eq!(ended.status.code(), Some(73), "{ended:#?}");
    let text =
        "no space is left on its disk; free some, or give it a larger disk, and start again: nothing is lost";
    assert!(ended.log.iter().any(|line| line.contains(text)), "{ended:#?}");
    fs::remove_file(ballast).unwrap();
    assert_eq!(disk.start(&[]).stop().status.code(), Some(0));
}

/// Writes a file until nothing more fits.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    while file.write(&[1; 4096]).is_ok_and(|written| written > 0) {}
}
