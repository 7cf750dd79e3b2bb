//! What the server writes to standard output.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;

use crate::support::{Broker, TempDir};

#[test]
fn a_line_is_a_time_a_level_and_a_text() {
    let broker = Broker::start();
    if broker.is_external() {
        return;
    }
    for line in broker.log() {
        let (time, text) = line.split_at("2026-11-23 10:44:33.654012+00:00".len());
        let digits: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(digits, "0000-00-00 00:00:00.000000+00:00", "{line}");
        assert!(text.starts_with(" [info] ") || text.starts_with(" [warning] "), "{line}");
    }
}

/// How long a process has had a processor so far: time that others had it does not count.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name before them may have blanks in it.
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap()..].split(' ').collect();
    let ticks = |field: &str| field.parse::<u64>().unwrap();
    Duration::from_millis((ticks(fields[12]) + ticks(fields[13])) * 1000 / clock_ticks_per_second())
}

#[test]
fn the_last_line_of_the_start_is_what_tools_wait_for_and_tells_how_long_it_took() {
    let begun = Instant::now();
    let broker = Broker::start();
    let passed = begun.elapsed();
    if broker.is_external() {
        return;
    }
    let line = broker.log().into_iter().find(|line| line.contains("Server startup complete")).unwrap();
    let (_, time) = line.split_once("Server startup complete; 0 plugins started. (").unwrap();
    let told = Duration::from_millis(time.strip_suffix(" ms)").unwrap().parse().unwrap());
    assert!(told <= passed, "{line} {passed:?}");
    // Many times what it needs, and on a slow machine not more than that.
    let used = processor_time(broker.pid());
    assert!(used < Duration::from_secs(2), "{used:?}");
}

#[test]
fn json_lines_are_objects_with_time_level_and_text() {
    let data = TempDir::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_leveret"))
        .args([
            "--listen",
            "127.0.0.1:0",
            "--log-format",
            "json",
            "--data-dir",
            data.path().to_str().unwrap(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut written = Vec::new();
    for line in lines {
        let last = line.contains("Server startup complete");
        written.push(line);
        if last {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(written.len() >= 3, "{written:#?}");
    for line in written {
        assert!(line.starts_with("{\"time\":\"20"), "{line}");
        let level = |level: &str| line.contains(&format!("\",\"level\":\"{level}\",\"msg\":\""));
        assert!(level("info") || level("warning"), "{line}");
        assert!(line.ends_with("\"}"), "{line}");
    }
}
