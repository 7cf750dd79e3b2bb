//! The broker under a service manager: what it tells, and the sockets that it is passed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use rustix::process::Signal;

use crate::support::raw::DEADLINE;
use crate::support::{Broker, TempDir};

/// All that the manager is told from now on. It is read at once: the socket holds no more than ten, and what does not fit is lost.
fn follow(manager: UnixDatagram) -> Receiver<String> {
    let (sender, told) = sync_channel(1000);
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(length) = manager.recv(&mut buffer) {
            let text = str::from_utf8(&buffer[..length]).unwrap().to_owned();
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    told
}

/// The next that the manager is told; `WATCHDOG=1` may come at any time and is passed over unless it is waited for.
fn next(told: &Receiver<String>, beginning: &str) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let text = told.recv_timeout(deadline.saturating_duration_since(Instant::now())).expect(beginning);
        if text.starts_with(beginning) {
            return text;
        }
        assert_eq!(text, "WATCHDOG=1", "instead of {beginning}");
    }
}

#[test]
fn a_manager_is_told_when_it_is_ready_alive_reloading_and_stopping() {
    let temporary = TempDir::new();
    let path = temporary.path().join("notify");
    let told = follow(UnixDatagram::bind(&path).unwrap());
    let socket = format!("NOTIFY_SOCKET={}", path.display());
    let by = ["env", &socket, "WATCHDOG_USEC=400000"];
    let broker = Broker::spawn_by::<&str>(&by, &temporary.path().join("data"), &[]).ready().unwrap();
    assert_eq!(next(&told, "READY"), "READY=1\nSTATUS=serving");
    assert_eq!(next(&told, "WATCHDOG"), "WATCHDOG=1");
    broker.signal(Signal::HUP);
    let reloading = next(&told, "RELOADING=1\nMONOTONIC_USEC=");
    let (_, microseconds) = reloading.rsplit_once('=').unwrap();
    assert!(microseconds.parse::<u64>().unwrap() > 0);
    next(&told, "READY=1");
    let ended = broker.stop();
    assert_eq!(ended.status.code(), Some(0));
    assert!(next(&told, "STOPPING").starts_with("STOPPING=1\n"));
}

#[test]
fn lines_for_the_journal_begin_with_their_severity() {
    let temporary = TempDir::new();
    let journal = std::fs::File::create(temporary.path().join("journal")).unwrap();
    let status = rustix::fs::fstat(&journal).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_leveret"))
        .args(["--in-memory", "--listen=127.0.0.1:0", "--ports-file=/proc/no/such/file", "--data-dir"])
        .arg(temporary.path().join("data"))
        .env("LEVERET_CONFIG", "/dev/null")
        .env("JOURNAL_STREAM", format!("{}:{}", status.st_dev, status.st_ino))
        .stdin(Stdio::null())
        .stdout(Stdio::from(journal))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(73));
    let written = std::fs::read_to_string(temporary.path().join("journal")).unwrap();
    assert!(written.lines().any(|line| line.starts_with("<4>20") && line.contains("[warning]")), "{written}");
    assert!(written.lines().all(|line| line.starts_with('<')), "{written}");
}

/// Puts the socket that is its standard input where a service manager puts it.
const PASS: &str = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\"";

/// What a broker has written until it was there, which is killed then.
fn log_of_the_start(mut broker: Child) -> Vec<String> {
    let mut log = Vec::new();
    for line in BufReader::new(broker.stdout.take().unwrap()).lines().map(Result::unwrap) {
        let is_last = line.contains("Server startup complete");
        log.push(line);
        if is_last {
            break;
        }
    }
    broker.kill().unwrap();
    broker.wait().unwrap();
    log
}

#[test]
fn a_socket_that_was_passed_is_listened_at_in_place_of_the_configured_addresses() {
    let temporary = TempDir::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let data = temporary.path().join("data");
    let broker = Command::new("sh")
        .args(["-c", PASS, "sh", env!("CARGO_BIN_EXE_leveret"), "--listen=127.0.0.1:1", "--data-dir"])
        .arg(&data)
        .env("LEVERET_CONFIG", "/dev/null")
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It waits in the socket until there is somebody who accepts it.
    let mut client = std::net::TcpStream::connect(address).unwrap();
    client.write_all(b"nonsense").unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    let log = log_of_the_start(broker);
    assert_eq!(answer, b"AMQP\0\0\x09\x01", "{log:#?}");
    assert!(log.iter().any(|line| line.contains("listening at the sockets that were passed")), "{log:#?}");
    let listeners: Vec<_> = log.iter().filter(|line| line.contains("started TCP listener on")).collect();
    assert!(listeners.len() == 1 && listeners[0].ends_with(&address.to_string()), "{log:#?}");
}

#[test]
fn a_socket_that_was_passed_for_http_by_its_name_is_not_one_of_amqp() {
    let temporary = TempDir::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let broker = Command::new("sh")
        .args(["-c", PASS, "sh", env!("CARGO_BIN_EXE_leveret"), "--listen=127.0.0.1:0", "--data-dir"])
        .arg(temporary.path().join("data"))
        .args(["--metrics-listen", "none", "--management-listen", "127.0.0.1:1"])
        .env("LEVERET_CONFIG", "/dev/null")
        .env("LISTEN_FDNAMES", "management")
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut client = std::net::TcpStream::connect(address).unwrap();
    client.write_all(b"GET /api/version HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    let log = log_of_the_start(broker);
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{log:#?}");
    let told = format!("HTTP (non-TLS) listener started on {address}");
    assert!(log.iter().any(|line| line.ends_with(&told)), "{log:#?}");
    assert!(log.iter().any(|line| line.contains("started TCP listener on 127.0.0.1:")), "{log:#?}");
}

#[test]
fn something_else_that_was_passed_ends_with_69() {
    let temporary = TempDir::new();
    let output = Command::new("sh")
        .args(["-c", PASS, "sh", env!("CARGO_BIN_EXE_leveret"), "--in-memory", "--data-dir"])
        .arg(temporary.path().join("data"))
        .env("LEVERET_CONFIG", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(69));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the passed socket 3 does not listen for TCP"), "{said}");
}

#[test]
fn the_packaged_unit_runs_what_there_is() {
    let unit = include_str!("../../packaging/leveret.service");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/leveret ")).unwrap();
    let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
    assert!(crate::leveret(&arguments).status.success(), "{command}");
}
