//! A server that cannot be, says why and ends with a code of its own.

use std::net::TcpListener;

use crate::support::TempDir;
use crate::{leveret, stderr};

#[test]
fn a_wrong_flag_ends_with_2_and_says_what_is_expected() {
    for (arguments, text) in [
        (&["--listen", "nowhere"][..], "expected an IP address and a port"),
        (&["--heartbeat", "1500ms"], "expected whole seconds"),
        (&["--memory-limit", "2.0"], "expected a share such as 0.6"),
        (&["--max-message-size", "big"], "expected a size in bytes"),
        (&["--log-format", "xml"], "possible values: human, json"),
        (&["--durability", "never"], "possible values: fsync, os, memory"),
        (&["--backlog-memory", "some"], "expected a share such as 0.6"),
        (&["serve", "--frame-max", "5GiB"], "expected less than 4GiB"),
        (&["--no-such-flag"], "--no-such-flag"),
        (&["no-such-command"], "no-such-command"),
    ] {
        let output = leveret(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(stderr(&output).contains(text), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_setting_that_cannot_be_served_ends_with_78() {
    for (arguments, text) in [
        (["--frame-max", "4095"], "--frame-max: 4095 bytes are not between 4096 and 16777216 bytes (16MiB)"),
        (["--channel-max", "0"], "--channel-max: 0 is not between 1 and 65535"),
        (["--backlog-memory", "1000"], "--backlog-memory: 1000 bytes are too few: at least 1MiB"),
        (["--workers", "0"], "--workers: 0 is not between 1 and 1024"),
    ] {
        let output = leveret(&arguments);
        assert_eq!(output.status.code(), Some(78), "{arguments:?}");
        assert!(stderr(&output).contains(text), "{}", stderr(&output));
    }
}

#[test]
fn a_default_user_whose_password_is_too_short_ends_with_78() {
    let data = TempDir::new();
    let output = leveret(&[
        "--data-dir",
        data.path().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--management-listen",
        "none",
        "--metrics-listen",
        "none",
        "--credential-validator-validation-backend",
        "rabbit_credential_validator_min_password_length",
        "--credential-validator-min-length",
        "8",
    ]);
    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
    let why = "the default user cannot be made: minimum required password length is 8";
    assert!(stderr(&output).contains(why), "{}", stderr(&output));
}

#[test]
fn an_address_that_is_taken_ends_with_69() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = TempDir::new();
    let output = leveret(&["--listen", &address, "--data-dir", data.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(69));
    let why = format!(
        "cannot listen on {address}: Address already in use (os error 98); another program listens there"
    );
    assert!(stderr(&output).contains(&why), "{}", stderr(&output));
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn help_names_every_flag_and_gives_examples() {
    for arguments in [&["--help"][..], &["serve", "--help"]] {
        let output = leveret(arguments);
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).unwrap();
        for text in [
            "--listen",
            "--data-dir",
            "--handshake-timeout",
            "--heartbeat",
            "--frame-max",
            "--channel-max",
            "--max-message-size",
            "--max-connections",
            "--memory-limit",
            "--in-memory",
            "--durability",
            "--backlog-memory",
            "--workers",
            "--log-level",
            "--log-format",
            "--config",
            "--tcp-backlog",
            "--log-file-path",
            "Examples:",
        ] {
            assert!(help.contains(text), "{text} in {arguments:?}");
        }
    }
}
