//! The names that a container is started by, and what scripts in it rely on.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::raw::DEADLINE;
use crate::support::{Broker, TempDir};
use crate::{stderr, stdout};

/// The program under another name.
fn named(folder: &TempDir, name: &str) -> PathBuf {
    let link = folder.path().join(name);
    symlink(env!("CARGO_BIN_EXE_leveret"), &link).unwrap();
    link
}

fn run(program: &PathBuf, arguments: &[&str]) -> Output {
    // A folder on the way that may not be looked into would keep a command from being known as one that is not there.
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_entrypoint_runs_a_command_in_its_place_and_ends_with_its_code() {
    let folder = TempDir::new();
    let entrypoint = named(&folder, "docker-entrypoint.sh");
    let output = run(&entrypoint, &["sh", "-c", "echo $0 $1; exit 7", "a", "-b"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(7), "a -b\n".to_owned()));
    for (command, code) in [("no-such-command", 127), (folder.path().to_str().unwrap(), 126)] {
        let output = run(&entrypoint, &[command]);
        assert_eq!(output.status.code(), Some(code));
        let said = format!("leveret: docker-entrypoint.sh: {command}: ");
        assert!(stderr(&output).starts_with(&said), "{}", stderr(&output));
    }
}

#[test]
fn a_rabbitmq_server_serves_and_tells_its_number_for_as_long_as_it_runs() {
    let folder = TempDir::new();
    let server = named(&folder, "rabbitmq-server");
    let refused = run(&server, &["--no-such-flag"]);
    assert_eq!(refused.status.code(), Some(64), "{}", stderr(&refused));
    let pid_file = folder.path().join("pid");
    let variables = [
        format!("RABBITMQ_PID_FILE={}", pid_file.display()),
        "RABBITMQ_NODENAME=rabbit@elsewhere".to_owned(),
        "LEVERET_CONFIG=/dev/null".to_owned(),
    ];
    let entrypoint = named(&folder, "docker-entrypoint.sh");
    let mut by = vec![entrypoint.to_str().unwrap(), "env"];
    by.extend(variables.iter().map(String::as_str));
    let data = folder.path().join("data");
    let broker =
        Broker::spawn_by::<&str>(&by, &data, &[]).ready().unwrap_or_else(|ended| panic!("{ended:#?}"));
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), format!("{}\n", broker.pid()));
    let ctl = named(&folder, "rabbitmqctl");
    let wait = |pid_file: &str| {
        let mut command = Command::new(&ctl);
        command.env("LEVERET_DATA_DIR", &data).env("HOME", folder.path());
        command.args(["wait", "--timeout", "60", pid_file]).output().unwrap()
    };
    for pid_file in [pid_file.to_str().unwrap(), "/no/such/file"] {
        let waited = wait(pid_file);
        assert!(waited.status.success(), "{}", stderr(&waited));
    }
    let mut status = Command::new(&ctl);
    let status =
        status.env("LEVERET_DATA_DIR", &data).env("HOME", folder.path()).arg("status").output().unwrap();
    assert!(stdout(&status).contains("rabbit@elsewhere"), "{}", stdout(&status));
    broker.stop();
    assert!(!pid_file.exists());
}

/// Makes a file the list of users in a mount namespace, tells its process's id and becomes what is said.
const FIRST_PROCESS: &str = r#"mount --bind "$1" /etc/passwd && shift && read -r pid rest </proc/self/stat && echo "$pid" && exec "$@""#;

#[test]
fn a_first_process_that_is_told_to_stop_while_it_hands_its_volume_over_begins_no_server() {
    let folder = TempDir::new();
    let entrypoint = named(&folder, "docker-entrypoint.sh");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    named(&folder, "rabbitmq-server");
    // Who reads it waits until somebody has written.
    let users = folder.path().join("passwd");
    assert!(Command::new("mkfifo").arg(&users).status().unwrap().success());
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", FIRST_PROCESS, "sh"]);
    command.arg(&users).arg(&entrypoint).args(["rabbitmq-server", "--in-memory", "--listen", "127.0.0.1:0"]);
    command.args(["--management-listen", "none", "--metrics-listen", "none"]);
    command.env("PATH", path).env("LEVERET_CONFIG", "/dev/null").env("HOME", folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pid = lines.next().and_then(|line| Pid::from_raw(line.parse().ok()?));
    let Some(pid) = pid else { panic!("{}", stderr(&child.wait_with_output().unwrap())) };
    // Once there is somebody who reads it has begun.
    let begun = Instant::now();
    let mut written = loop {
        match OpenOptions::new().write(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(&users)
        {
            Ok(written) => break written,
            Err(error) => assert_eq!(error.raw_os_error(), Some(Errno::NXIO.raw_os_error())),
        }
        assert!(begun.elapsed() < DEADLINE && child.try_wait().unwrap().is_none(), "it reads no users");
        std::thread::yield_now();
    };
    kill_process(pid, Signal::TERM).unwrap();
    let line = format!("rabbitmq:x:0:0::{}:/bin/sh\n", folder.path().join("home").display());
    // It may have ended already: then nobody reads.
    let _ = written.write_all(line.as_bytes());
    drop(written);
    if let Some(line) = lines.next() {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("a server has begun: {line}");
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}
