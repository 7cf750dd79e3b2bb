//! What RabbitMQ's programs do to connections and to the broker's process.

use std::path::Path;

use crate::shell::Shell;
use crate::support::{Raw, TempDir};

#[test]
fn a_connection_is_closed_by_the_pid_that_stands_for_it_and_its_client_is_told_why() {
    let mut shell = Shell::new();
    let mut raw = Raw::connect(&shell.broker);
    raw.open_channel(1);
    let said = shell.run("rabbitmqctl -s list_connections pid");
    let pid = said.output.trim().to_owned();
    let mut other = Raw::connect(&shell.broker);
    other.open_channel(1);
    shell.set("PID", &pid);
    assert_eq!(shell.run("rabbitmqctl -q close_connection $PID 'go away'").code, 0);
    raw.expect_close(320, "CONNECTION_FORCED - go away", 0, 0);
    assert_eq!(shell.run("rabbitmqctl -q close_connection $PID 'go away'").code, 69);
    let said = shell.run("rabbitmqctl -q close_all_connections 'all of you'");
    assert_eq!(said.output, "Closed 1 connections\n");
    other.expect_close(320, "CONNECTION_FORCED - all of you", 0, 0);
}

#[test]
fn a_message_is_looked_at_and_stays_where_it_is() {
    let shell = Shell::new();
    shell.run("leveret queues declare q");
    shell.run("leveret publish '' q 'what is in it'");
    let said = shell.run("rabbitmq-queues -q peek q 1");
    assert_eq!(said.code, 0);
    assert!(said.output.contains("what is in it"), "{}", said.output);
    assert_eq!(shell.run("rabbitmqctl -s list_queues messages_ready").output, "1\n");
}

#[test]
fn reports_tell_where_the_broker_is_and_what_is_in_it() {
    let shell = Shell::new();
    shell.run("leveret queues declare q");
    let port = shell.broker.addr().port();
    let words = shell.run("rabbitmqctl status").output;
    for part in ["\nRuntime\n", "Queue count: 1\n", &format!("port: {port}, protocol: amqp,"), "(none)"] {
        assert!(words.contains(part), "{part} is not in {words}");
    }
    let status: serde_json::Value =
        serde_json::from_str(&shell.run("rabbitmqctl status --formatter json").output).unwrap();
    assert_eq!(status["pid"].as_u64(), Some(u64::from(shell.broker.pid())));
    assert_eq!(status["totals"]["queue_count"], 1);
    assert_eq!(status["alarms"], serde_json::json!([]));
    let cluster: serde_json::Value =
        serde_json::from_str(&shell.run("rabbitmqctl cluster_status --formatter json").output).unwrap();
    assert_eq!(cluster["running_nodes"].as_array().map(Vec::len), Some(1));
    let report = shell.run("rabbitmqctl report").output;
    assert!(report.contains("Cluster name: leveret") && report.contains("heartbeat = 60"), "{report}");
    let environment: serde_json::Value =
        serde_json::from_str(&shell.run("rabbitmqctl environment --formatter json").output).unwrap();
    assert_eq!(environment["heartbeat"], 60);
    assert_eq!(environment["default_pass"], "(hidden)");
    let said = shell.run("rabbitmq-diagnostics -q check_port_connectivity");
    assert!(said.output.contains(&port.to_string()), "{}", said.output);
    assert_eq!(shell.run(&format!("rabbitmq-diagnostics check_port_listener {port}")).code, 0);
    assert_eq!(shell.run("rabbitmq-diagnostics check_port_listener 1").code, 69);
}

#[test]
fn a_broker_that_is_stopped_is_reset_and_one_that_runs_is_not() {
    // Nobody else is given its port while it does not listen there.
    let shell = Shell::with(&["--listen", "127.0.9.5:0"]);
    shell.run("leveret queues declare q");
    shell.run("rabbitmqctl -q add_vhost v");
    let said = shell.run("rabbitmqctl -q reset");
    assert!(said.code != 0 && said.error.contains("rabbitmqctl stop_app"), "{said:?}");
    assert_eq!(shell.run("rabbitmqctl -s list_queues name").output, "q\n");
    for command in ["stop_app", "reset", "start_app"] {
        let said = shell.run(&format!("rabbitmqctl -q {command}"));
        assert_eq!((said.code, said.output.as_str()), (0, ""), "{command}: {said:?}");
    }
    assert_eq!(shell.run("rabbitmqctl -s list_queues name").output, "");
    assert_eq!(shell.run("rabbitmqctl -s list_vhosts").output, "/\n");
    let mut raw = Raw::connect(&shell.broker);
    raw.open_channel(1);
}

#[test]
fn a_broker_is_waited_for_by_its_process_and_stopped() {
    let shell = Shell::new();
    let pid = shell.broker.pid();
    shell.file("pid", pid.to_string().as_bytes());
    assert_eq!(shell.run("rabbitmqctl -q wait pid").code, 0);
    assert_eq!(shell.run(&format!("rabbitmqctl -q wait --pid {pid}")).code, 0);
    assert_eq!(shell.run("rabbitmqctl -q stop").code, 0);
    let process = format!("/proc/{pid}");
    let said = shell.run(&format!("rabbitmqctl -q wait --pid {pid} --timeout 0"));
    assert!(said.code == 69 || said.code == 75, "{said:?} {}", Path::new(&process).exists());
    assert_eq!(shell.run("rabbitmqctl -q ping").code, 69);
    let ended = shell.broker.ended();
    assert!(ended.status.success());
    assert!(ended.log.iter().any(|line| line.contains("an operator asked for")), "{:?}", ended.log);
}

#[test]
fn what_is_logged_can_be_seen_and_changed() {
    let folder = TempDir::new();
    let path = folder.path().join("broker.log").display().to_string();
    let shell = Shell::with(&["--log-file-path", &path]);
    let said = shell.run("rabbitmq-diagnostics -q log_location");
    assert_eq!(said.output.trim_end(), path);
    assert_eq!(shell.run("rabbitmqctl -q set_log_level debug").code, 0);
    let said = shell.run("rabbitmq-diagnostics -q log_tail -N 1000");
    assert!(said.output.contains("set to 'debug'"), "{said:?}");
    std::fs::rename(&path, folder.path().join("moved.log")).unwrap();
    assert_eq!(shell.run("rabbitmqctl -q rotate_logs").code, 0);
    assert_eq!(shell.run("rabbitmqctl -q set_log_level info").code, 0);
    let said = shell.run("rabbitmq-diagnostics -q log_tail");
    assert!(!said.output.contains("set to 'debug'") && said.output.contains("set to 'info'"), "{said:?}");
}

#[test]
fn a_password_that_is_not_taken_is_told_as_rabbitmq_tells_it() {
    let shell = Shell::with(&[
        "--credential-validator-validation-backend",
        "rabbit_credential_validator_min_password_length",
        "--credential-validator-min-length",
        "5",
    ]);
    assert_eq!(shell.run("rabbitmqctl -q add_user taken longer").code, 0);
    for command in ["add_user new tiny", "change_password taken tiny"] {
        let said = shell.run(&format!("rabbitmqctl -q {command}"));
        assert_eq!(said.code, 69, "{command}: {said:?}");
        assert!(
            said.error.starts_with("Error:\nminimum required password length is 5"),
            "{command}: {said:?}"
        );
    }
    assert_eq!(shell.run("rabbitmqctl -q authenticate_user taken longer").code, 0);
}
