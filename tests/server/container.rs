//! The names that a container is started by, and what scripts in it rely on.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::support::{Broker, TempDir};
use crate::{stderr, stdout};

/// The program under another name.
fn named(folder: &TempDir, name: &str) -> PathBuf {
    let link = folder.path().join(name);
    symlink(env!("CARGO_BIN_EXE_leveret"), &link).unwrap();
    link
}

fn run(program: &PathBuf, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap()
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
