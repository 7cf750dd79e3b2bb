//! Configuration files, the environment, `leveret config`, and SIGHUP.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::process::Signal;

use crate::support::raw::client_properties;
use crate::support::{Broker, Raw, TempDir, method};
use crate::{leveret, stderr, stdout};

struct Case {
    folder: TempDir,
}

impl Case {
    fn new(files: &[(&str, &str)]) -> Self {
        let case = Self { folder: TempDir::new() };
        for (name, text) in files {
            case.write(name, text);
        }
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("FOLDER", self.folder.path().to_str().unwrap())).unwrap();
    }

    /// `leveret` with these arguments, in which the folder's path stands for FOLDER.
    fn leveret(&self, arguments: &[&str]) -> Output {
        let folder = self.folder.path().to_str().unwrap();
        let arguments: Vec<String> = arguments.iter().map(|text| text.replace("FOLDER", folder)).collect();
        leveret(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// A broker that reads this file, with these variables.
    fn broker(&self, file: &str, variables: &[&str]) -> Broker {
        let arguments: [OsString; 4] =
            ["--config".into(), self.path(file).into(), "--workers".into(), "1".into()];
        let mut by = vec!["env"];
        by.extend(variables);
        let starting = Broker::spawn_by(&by, &self.path("data"), &arguments);
        starting.ready().unwrap_or_else(|ended| panic!("{ended:#?}"))
    }
}

fn heartbeat(broker: &Broker) -> u16 {
    Raw::tuning(broker).expect_tune().2
}

#[test]
fn b86_a_mistake_stops_the_start_with_78_and_says_file_line_key_and_the_nearest_right_one() {
    let case = Case::new(&[
        ("unknown.toml", "\nheartbaet = 10\n"),
        ("unit.toml", "[tcp]\nsend_buffer = \"many\"\n"),
        ("range.toml", "frame_max = 100\n"),
        ("twice.toml", "heartbeat = 1\nheartbeat = 2\n"),
        ("wrong.conf", "# c\nheartbeat = often\n"),
        ("terms.config", "[]."),
    ]);
    for (file, text) in [
        ("unknown.toml", "unknown.toml:2: \"heartbaet\": there is no such key; did you mean \"heartbeat\"?"),
        ("unit.toml", "unit.toml:2: \"tcp.send_buffer\": expected a size in bytes"),
        ("range.toml", "range.toml:1: \"frame_max\": 100 bytes are not between 4096 and"),
        ("twice.toml", "twice.toml:2: duplicate key"),
        ("wrong.conf", "wrong.conf:2: \"heartbeat\": expected a duration"),
        ("terms.config", "terms.config: files of Erlang terms cannot be read"),
        ("nowhere.toml", "nowhere.toml: cannot be read: No such file"),
    ] {
        let file = format!("FOLDER/{file}");
        for command in
            [&["--config", &file, "--listen", "127.0.0.1:0"][..], &["config", "check", "-c", &file]]
        {
            let output = case.leveret(command);
            assert_eq!(output.status.code(), Some(78), "{command:?}");
            let said = stderr(&output);
            assert!(said.starts_with("leveret: ") && said.contains(text), "{command:?}: {said}");
        }
    }
    assert!(!Path::new("leveret-data").exists(), "nothing was begun");
}

#[test]
fn flags_go_before_the_environment_before_the_file() {
    let case = Case::new(&[("l.toml", "heartbeat = 11\nchannel_max = 11\nframe_max = 11_111\n")]);
    let arguments =
        ["--config".into(), case.path("l.toml").into_os_string(), "--frame-max".into(), "33333".into()];
    let by = ["env", "LEVERET_CHANNEL_MAX=22", "LEVERET_FRAME_MAX=22222"];
    let broker = Broker::spawn_by(&by, &case.path("data"), &arguments).ready().unwrap();
    assert_eq!(Raw::tuning(&broker).expect_tune(), (22, 33_333, 11));
}

#[test]
fn a_configuration_of_rabbitmq_is_served_and_what_has_no_meaning_is_told_once() {
    let case = Case::new(&[
        ("rabbitmq.conf", "heartbeat = 12 # seconds\nmqtt.exchange = x\nnum_acceptors.tcp = 10\n"),
        ("conf.d/10.conf", "channel_max = 13\nmqtt.exchange = y\n"),
        ("advanced.config", "[]."),
    ]);
    let mut broker = case.broker("rabbitmq.conf", &[]);
    assert_eq!(Raw::tuning(&broker).expect_tune(), (13, 131_072, 12));
    broker.wait_for_line("advanced.config: Erlang terms are not read");
    broker.wait_for_line("no meaning here: mqtt.exchange, num_acceptors.tcp");
    let told = broker.log().iter().filter(|line| line.contains("mqtt")).count();
    assert_eq!(told, 1);
}

#[test]
fn addresses_are_written_to_the_ports_file_once_they_accept() {
    let case =
        Case::new(&[("l.toml", "ports_file = \"FOLDER/ports\"\n[listeners]\ntcp = [\"127.0.0.1:0\"]\n")]);
    let arguments = ["--config".into(), case.path("l.toml").into_os_string(), "--listen=[::1]:0".into()];
    let broker = Broker::start_on(&case.path("data"), &arguments);
    let ports = fs::read_to_string(case.path("ports")).unwrap();
    let lines: Vec<&str> = ports.lines().collect();
    assert_eq!(lines.len(), 3, "{ports}");
    assert_eq!(lines[0], format!("amqp {}", broker.addr()));
    let second = lines[1].strip_prefix("amqp [::1]:").unwrap();
    let socket = case.path("data/leveret.sock").canonicalize().unwrap();
    assert_eq!(lines[2], format!("http+unix {}", socket.display()));
    std::net::TcpStream::connect(("::1", second.parse().unwrap())).unwrap();
    let nowhere = case.leveret(&["--ports-file=FOLDER/no/where", "--listen=127.0.0.1:0", "--in-memory"]);
    assert_eq!(nowhere.status.code(), Some(73));
    assert!(stderr(&nowhere).contains("of ports_file cannot be written"), "{}", stderr(&nowhere));
}

#[test]
fn sighup_changes_what_can_be_changed_and_tells_what_cannot() {
    let case = Case::new(&[("l.toml", "heartbeat = 11\n")]);
    let mut broker = case.broker("l.toml", &["LEVERET_CHANNEL_MAX=9"]);
    assert_eq!(heartbeat(&broker), 11);
    case.write(
        "l.toml",
        "heartbeat = 12\nworkers = 3\ncluster_name = \"other\"\nchannel_max = 5\nlog.level = \"debug\"",
    );
    broker.signal(Signal::HUP);
    broker.wait_for_line(
        "configuration read again; changed: heartbeat (from 11 to 12), log.level (from info to debug)",
    );
    broker.wait_for_line("without effect until a restart: cluster_name (from leveret to other)");
    assert_eq!(
        Raw::tuning(&broker).expect_tune(),
        (9, 131_072, 12),
        "the environment still goes before the file"
    );
}

#[test]
fn sighup_with_a_mistake_in_a_file_changes_nothing() {
    let case = Case::new(&[("l.toml", "heartbeat = 11\n")]);
    let mut broker = case.broker("l.toml", &[]);
    case.write("l.toml", "heartbeat = 12\nchannel_max = 0\n");
    broker.signal(Signal::HUP);
    broker.wait_for_line("l.toml:2: \"channel_max\": 0 is not between 1 and 65535");
    broker.wait_for_line("everything stays as it was");
    assert_eq!(heartbeat(&broker), 11);
    case.write("l.toml", "heartbeat = 13\n[log.file]\npath = \"/proc/no/such/file\"\n");
    broker.signal(Signal::HUP);
    broker.wait_for_line("the log file /proc/no/such/file cannot be opened");
    assert_eq!(heartbeat(&broker), 11);
}

#[test]
fn the_log_goes_to_a_file_which_is_opened_anew_on_sighup() {
    let case = Case::new(&[(
        "l.toml",
        "[log]\ndir = \"FOLDER/logs\"\n[log.console]\nlevel = \"info\"\n[log.file]\npath = \"l.log\"\nformat = \"json\"\n",
    )]);
    let mut broker = case.broker("l.toml", &[]);
    let file = case.path("logs/l.log");
    let moved = case.path("logs/moved");
    fs::rename(&file, &moved).unwrap();
    broker.signal(Signal::HUP);
    broker.wait_for_line("nothing has changed");
    broker.stop();
    let (before, after) = (fs::read_to_string(moved).unwrap(), fs::read_to_string(file).unwrap());
    assert!(before.contains("\"msg\":\"Server startup complete"), "{before}");
    assert!(after.contains("\"msg\":\"shutdown complete\""), "{after}");
    assert!(!before.contains("shutdown complete") && !after.contains("Server startup"), "{before} {after}");
}

#[test]
fn levels_go_by_category_and_by_output() {
    let case = Case::new(&[(
        "l.toml",
        "[log.connection]\nlevel = \"none\"\n[log.file]\npath = \"FOLDER/l.log\"\nlevel = \"warning\"\n",
    )]);
    let broker = case.broker("l.toml", &["RABBITMQ_DIST_PORT=1"]);
    drop(Raw::connect(&broker));
    let ended = broker.stop();
    assert!(ended.log.iter().any(|line| line.contains("shutdown complete")), "{:#?}", ended.log);
    assert!(!ended.log.iter().any(|line| line.contains("authenticated")), "{:#?}", ended.log);
    let file = fs::read_to_string(case.path("l.log")).unwrap();
    assert!(file.contains("variables of RabbitMQ that have no meaning here: RABBITMQ_DIST_PORT"), "{file}");
    assert!(file.lines().all(|line| line.contains("[warning]")), "{file}");
}

#[test]
fn config_show_tells_where_each_value_comes_from() {
    let case = Case::new(&[("l.toml", "[log]\nlevel = \"error\"\n")]);
    let output = case.leveret(&[
        "config",
        "show",
        "-c",
        "FOLDER/l.toml",
        "--heartbeat",
        "5",
        "log.level",
        "heartbeat",
    ]);
    let file = case.path("l.toml");
    let expected =
        format!("heartbeat = 5        # --heartbeat\nlog.level = \"error\"  # {}:2\n", file.display());
    assert_eq!(stdout(&output), expected);
    let output =
        case.leveret(&["config", "show", "-c", "FOLDER/l.toml", "--format=json", "listeners", "log.level"]);
    let shown: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let expected = serde_json::json!({
        "listeners.tcp": { "value": ["5672"], "hidden": false, "origin": "default" },
        "listeners.tls": { "value": [], "hidden": false, "origin": "default" },
        "log.level": { "value": "error", "hidden": false, "origin": format!("{}:2", file.display()) },
    });
    assert_eq!(shown, expected);
    let unknown = case.leveret(&["config", "show", "no.such.key"]);
    assert_eq!(unknown.status.code(), Some(64));
}

#[test]
fn config_check_says_for_programs_what_is_wrong() {
    let case = Case::new(&[("l.toml", "a = 1\n"), ("good.toml", "heartbeat = 1\n")]);
    let output = case.leveret(&["config", "check", "--format", "json", "-c", "FOLDER/l.toml"]);
    assert_eq!(output.status.code(), Some(78));
    let checked: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let file = case.path("l.toml").display().to_string();
    let expected = serde_json::json!({ "ok": false, "mistakes": [{
        "origin": format!("{file}:1"), "file": file, "line": 1, "key": "a", "reason": "there is no such key",
        "nearest": null,
    }]});
    assert_eq!(checked, expected);
    let output = case.leveret(&["config", "check", "-c", "FOLDER/good.toml"]);
    assert!(output.status.success() && stdout(&output).contains("can be served"), "{output:?}");
}

#[test]
fn config_convert_writes_what_serves_the_same() {
    let case = Case::new(&[
        ("a.conf", "heartbeat = 7\nlisteners.tcp.1 = ::1:5673\n"),
        ("b.conf", "heartbeat = 8\nx.y = z"),
    ]);
    let output = case.leveret(&["config", "convert", "FOLDER/a.conf", "FOLDER/b.conf"]);
    case.write("l.toml", &stdout(&output));
    let shown =
        case.leveret(&["config", "show", "-c", "FOLDER/l.toml", "--format=json", "heartbeat", "listeners"]);
    let shown: serde_json::Value = serde_json::from_str(&stdout(&shown)).unwrap();
    assert_eq!(shown["heartbeat"]["value"], 8);
    assert_eq!(shown["listeners.tcp"]["value"][0], "[::1]:5673");
    assert!(stdout(&output).contains("#   x.y\n"));
}

#[test]
fn the_example_is_a_configuration_that_changes_nothing() {
    let case = Case::new(&[]);
    let example = stdout(&case.leveret(&["config", "example"]));
    case.write("l.toml", &example);
    let shown = |file: &str| stdout(&case.leveret(&["config", "show", "-c", file]));
    assert_eq!(shown("FOLDER/l.toml"), shown("/dev/null"));
}

/// Whether that user may open that virtual host.
fn enters(broker: &Broker, response: &str, vhost: &str) -> bool {
    let mut raw = Raw::started(broker);
    raw.send(0, method::connection_start_ok(&client_properties(), "PLAIN", response.as_bytes()));
    if raw.recv().method() != Some(method::CONNECTION_TUNE) {
        return false;
    }
    raw.send(0, method::connection_tune_ok(7, 4096, 0));
    raw.send(0, method::connection_open(vhost));
    raw.recv().method() == Some(method::CONNECTION_OPEN_OK)
}

#[test]
fn the_first_user_and_virtual_host_are_those_that_are_configured() {
    let case =
        Case::new(&[("pass", "a b#c\n"), ("l.toml", "default_user = \"file\"\nloopback_users = []\n")]);
    let pass = format!("RABBITMQ_DEFAULT_PASS_FILE={}", case.path("pass").display());
    let variables = ["RABBITMQ_DEFAULT_USER=env", "LEVERET_DEFAULT_VHOST=v", &pass];
    let broker = case.broker("l.toml", &variables);
    assert!(enters(&broker, "\0env\0a b#c", "v"));
    assert!(!enters(&broker, "\0env\0guest", "v"));
    assert!(!enters(&broker, "\0env\0a b#c", "/"));
    assert!(!enters(&broker, "\0guest\0guest", "v"));
    let ended = broker.stop();
    assert!(!ended.log.iter().any(|line| line.contains("a b#c")), "{:#?}", ended.log);
    let shown = case.leveret(&[
        "config",
        "show",
        "-c",
        "FOLDER/l.toml",
        "default_user",
        "default_pass",
        "loopback_users",
    ]);
    let file = case.path("l.toml").display().to_string();
    let expected = format!(
        "default_user = \"file\"        # {file}:1\n# default_pass is not shown  # default\nloopback_users = []          # {file}:2\n"
    );
    assert_eq!(stdout(&shown), expected);
}
