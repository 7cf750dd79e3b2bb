//! What the server writes to standard output.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

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

#[test]
fn the_last_line_of_the_start_is_what_tools_wait_for_and_comes_within_its_time() {
    let broker = Broker::start();
    if broker.is_external() {
        return;
    }
    let line = broker.log().into_iter().find(|line| line.contains("Server startup complete")).unwrap();
    let (_, time) = line.split_once("Server startup complete; 0 plugins started. (").unwrap();
    let milliseconds: u64 = time.strip_suffix(" ms)").unwrap().parse().unwrap();
    // Ten times what an idle machine needs: others may be using this one.
    assert!(milliseconds < 500, "{line}");
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
