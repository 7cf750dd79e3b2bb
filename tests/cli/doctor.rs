//! What is found to be well, and what is not.

use std::net::TcpListener;

use serde_json::Value;

use crate::shell::Shell;

/// What a run finds: each check with how it went.
#[track_caller]
fn found(shell: &Shell, command: &str) -> (i32, Vec<(String, String)>) {
    let said = shell.run(&format!("{command} -o json"));
    let rows: Value = serde_json::from_str(&said.output).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = rows.as_array().unwrap().iter().map(|row| {
        let is_advised = !text(row, "advice").is_empty();
        assert_eq!(is_advised, text(row, "result") != "ok", "what is not well has an advice: {row}");
        (text(row, "check"), text(row, "result"))
    });
    (said.code, rows.collect())
}

#[test]
fn a_running_broker_and_its_directory_are_well() {
    let shell = Shell::new();
    let (_, rows) = found(&shell, "leveret doctor");
    for check in ["configuration", "data directory", "broker", "alarms"] {
        assert!(rows.contains(&(check.to_owned(), "ok".to_owned())), "{check}: {rows:?}");
    }
    assert!(!rows.iter().any(|(check, _)| check.starts_with("port")), "they are the broker's: {rows:?}");
}

#[test]
fn what_would_keep_a_broker_from_starting_is_found_before_it_starts() {
    let mut shell = Shell::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    shell.set("TAKEN", &taken.local_addr().unwrap().to_string());
    shell.file("data", b"no directory");
    std::fs::create_dir(shell.home().join("foreign")).unwrap();
    shell.file("foreign/letter", b"somebody else's");
    shell.file("wrong.toml", b"nonsense = 1\n");
    let ports =
        "LEVERET_LISTENERS_TCP=127.0.0.1:0 LEVERET_MANAGEMENT_LISTEN=none LEVERET_METRICS_LISTEN=none";
    for (settings, flags, check, result) in [
        (ports, "--data-dir new", "data directory", "ok"),
        (ports, "--data-dir new", "port for AMQP", "ok"),
        (ports, "--data-dir data", "data directory", "failed"),
        (ports, "--data-dir foreign", "data directory", "failed"),
        (ports, "--data-dir new --config wrong.toml", "configuration", "failed"),
        ("LEVERET_LISTENERS_TCP=$TAKEN", "--data-dir new", "port for AMQP", "failed"),
        ("LEVERET_MANAGEMENT_LISTEN=$TAKEN", "--data-dir new", "port for HTTP", "failed"),
        ("LEVERET_IN_MEMORY=true", "--data-dir new", "data directory", "warning"),
    ] {
        let (code, rows) = found(&shell, &format!("{settings} leveret doctor {flags}"));
        assert!(rows.contains(&(check.to_owned(), result.to_owned())), "{settings} {flags}: {rows:?}");
        assert!(result != "failed" || code == 78, "{settings} {flags}: {code}");
    }
    assert!(!shell.home().join("new").exists(), "nothing is made");
}
