use std::ffi::OsString;

use proptest::prelude::*;

use super::*;
use crate::store::temporary::Temporary;

struct Case {
    folder: Temporary,
    sources: Sources,
}

impl Case {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Temporary::new();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let directories = [folder.path().join("leveret"), folder.path().join("rabbitmq")];
        Self { sources: Sources { directories, ..Sources::default() }, folder }
    }

    fn flag(mut self, key: &str, text: &str) -> Self {
        let key = Key::named(key).unwrap();
        let given = Given { key, texts: vec![text.to_owned()], origin: Origin::Flag(key.flag()) };
        self.sources.flags.push(given);
        self
    }

    fn environment(mut self, variables: &[(&str, &str)]) -> Self {
        let path = self.folder.path().display().to_string();
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value.replace("FOLDER", &path))));
        self.sources.environment = variables.collect();
        self
    }

    fn config(mut self, name: &str) -> Self {
        self.sources.file = Some(self.folder.path().join(name));
        self
    }

    /// Where a key's value comes from, and the value.
    fn told(&self, key: &str) -> String {
        let loaded = self.sources.load().unwrap();
        let key = Key::named(key).unwrap();
        self.short(&format!("{} {}", loaded.origin(key), key.shown(&loaded.config)))
    }

    fn mistakes(&self) -> Vec<String> {
        let mistakes = self.sources.load().unwrap_err();
        mistakes.0.iter().map(|mistake| self.short(&mistake.to_string())).collect()
    }

    fn remarks(&self) -> Vec<String> {
        self.sources.load().unwrap().remarks.iter().map(|remark| self.short(remark)).collect()
    }

    fn files(&self) -> Vec<String> {
        self.sources
            .load()
            .unwrap()
            .files
            .iter()
            .map(|path| self.short(&path.display().to_string()))
            .collect()
    }

    fn short(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn nothing_that_is_said_leaves_the_defaults() {
    let case = Case::new(&[]);
    assert_eq!(case.sources.load().unwrap().config, Config::default());
    assert_eq!(case.told("heartbeat"), "default 60");
}

#[test]
fn flags_go_before_the_environment_before_files_before_defaults() {
    let file = || Case::new(&[("leveret/leveret.toml", "heartbeat = 1\nlog.level = 'error'\n")]);
    assert_eq!(file().told("heartbeat"), "leveret/leveret.toml:1 1");
    assert_eq!(file().told("log.level"), "leveret/leveret.toml:2 error");
    let environment = || file().environment(&[("LEVERET_HEARTBEAT", "2"), ("RABBITMQ_LOG", "debug")]);
    assert_eq!(environment().told("heartbeat"), "LEVERET_HEARTBEAT 2");
    assert_eq!(environment().told("log.level"), "RABBITMQ_LOG debug");
    let both = environment().flag("heartbeat", "3").flag("log.level", "none");
    assert_eq!(both.told("heartbeat"), "--heartbeat 3");
    assert_eq!(both.told("log.level"), "--log-level none");
    let ours = file().environment(&[("LEVERET_LISTENERS_TCP", "1,2"), ("RABBITMQ_NODE_PORT", "3")]);
    assert_eq!(ours.told("listeners.tcp"), "LEVERET_LISTENERS_TCP 1, 2");
    let empty = file().environment(&[("LEVERET_HEARTBEAT", "")]);
    assert_eq!(empty.told("heartbeat"), "leveret/leveret.toml:1 1");
}

#[test]
fn files_of_conf_d_are_read_after_the_main_one_by_their_names() {
    for (folder, main, end) in [("leveret", "leveret.toml", "toml"), ("rabbitmq", "rabbitmq.conf", "conf")] {
        let names = [
            format!("{folder}/{main}"),
            format!("{folder}/conf.d/20-b.{end}"),
            format!("{folder}/conf.d/10-a.{end}"),
            format!("{folder}/conf.d/30-c.txt"),
        ];
        let texts =
            ["heartbeat = 1", "heartbeat = 2\nframe_max = 8192", "frame_max = 4096\nchannel_max = 7", "x"];
        let files: Vec<_> = names.iter().map(String::as_str).zip(texts).collect();
        let case = Case::new(&files);
        assert_eq!(case.files(), [names[0].as_str(), &names[2], &names[1]]);
        assert_eq!(case.told("heartbeat"), format!("{} 2", format_args!("{}:1", names[1])));
        assert_eq!(case.told("frame_max"), format!("{}:2 8KiB", names[1]));
        assert_eq!(case.told("channel_max"), format!("{}:2 7", names[2]));
        let alone = Case::new(&files[1..]);
        assert_eq!(alone.files().len(), 2, "conf.d may be all there is");
    }
}

#[test]
fn the_file_that_is_read_is_the_one_that_is_named_and_else_ours_and_else_rabbitmqs() {
    let files = [
        ("leveret/leveret.toml", "heartbeat = 1"),
        ("rabbitmq/rabbitmq.conf", "heartbeat = 2"),
        ("x.toml", "heartbeat = 3"),
        ("x.conf", "heartbeat = 4"),
        ("x", "heartbeat = 5"),
        ("more/a", "heartbeat = 6"),
        ("more/b.conf", "heartbeat = 7"),
    ];
    assert_eq!(Case::new(&files).told("heartbeat"), "leveret/leveret.toml:1 1");
    assert_eq!(Case::new(&files[1..]).told("heartbeat"), "rabbitmq/rabbitmq.conf:1 2");
    assert_eq!(Case::new(&files).config("x.toml").told("heartbeat"), "x.toml:1 3");
    assert_eq!(Case::new(&files).config("x.conf").told("heartbeat"), "x.conf:1 4");
    for (variables, expected) in [
        (&[("LEVERET_CONFIG", "FOLDER/x.toml")][..], "x.toml:1 3"),
        (&[("LEVERET_CONFIG", "FOLDER/x.conf"), ("RABBITMQ_CONFIG_FILE", "FOLDER/x")], "x.conf:1 4"),
        (&[("RABBITMQ_CONFIG_FILE", "FOLDER/x.conf")], "x.conf:1 4"),
        (&[("RABBITMQ_CONFIG_FILE", "FOLDER/x")], "x:1 5"),
        (
            &[("RABBITMQ_CONFIG_FILE", "FOLDER/x.conf"), ("RABBITMQ_CONFIG_FILES", "FOLDER/more")],
            "more/b.conf:1 7",
        ),
    ] {
        assert_eq!(Case::new(&files).environment(variables).told("heartbeat"), expected, "{variables:?}");
    }
    let without_end = Case::new(&[("r.conf", "heartbeat = 8")]);
    let without_end = without_end.environment(&[("RABBITMQ_CONFIG_FILE", "FOLDER/r")]);
    assert_eq!(without_end.told("heartbeat"), "r.conf:1 8");
    let pattern = Case::new(&files).environment(&[
        ("RABBITMQ_CONFIG_FILE", "FOLDER/x.conf"),
        ("RABBITMQ_CONFIG_FILES", "FOLDER/more/*.conf"),
    ]);
    assert_eq!(pattern.files(), ["x.conf", "more/b.conf"]);
}

#[test]
fn b86_every_mistake_is_told_and_where_it_is() {
    let case =
        Case::new(&[("leveret/leveret.toml", "heartbeat = 'soon'\nhaertbeat = 1\n[log]\nlevel = 'loud'\n")]);
    let case = case.environment(&[("LEVERET_FRAME_MAX", "big")]).flag("workers", "x");
    assert_eq!(
        case.mistakes(),
        [
            "leveret/leveret.toml:2: \"haertbeat\": there is no such key; did you mean \"heartbeat\"?",
            "leveret/leveret.toml:1: \"heartbeat\": expected a duration, such as 10s or 500ms; a bare number is seconds",
            "leveret/leveret.toml:4: \"log.level\": expected debug, info, warning, error or none",
            "LEVERET_FRAME_MAX: expected a size in bytes, such as 16777216 or 16MiB",
            "--workers: expected a whole number",
        ]
    );
    let range = Case::new(&[("rabbitmq/rabbitmq.conf", "\nframe_max = 100")]);
    assert_eq!(
        range.mistakes(),
        [
            "rabbitmq/rabbitmq.conf:2: \"frame_max\": 100 bytes are not between 4096 and 16777216 bytes (16MiB)"
        ]
    );
}

#[test]
fn b86_a_file_that_is_named_and_cannot_be_read_is_a_mistake() {
    let case = Case::new(&[("folder/x", "")]).config("nowhere.toml");
    assert!(
        case.mistakes()[0].starts_with("nowhere.toml: cannot be read: No such file"),
        "{:?}",
        case.mistakes()
    );
    let folder = Case::new(&[("folder/x", "")]).config("folder");
    assert!(
        folder.mistakes()[0].starts_with("folder: cannot be read: Is a directory"),
        "{:?}",
        folder.mistakes()
    );
    let erlang = Case::new(&[("x.config", "[].")]).config("x.config");
    assert!(erlang.mistakes()[0].starts_with("x.config: files of Erlang terms cannot be read"));
    let missing = Case::new(&[]).environment(&[("RABBITMQ_CONFIG_FILE", "FOLDER/gone.conf")]);
    assert!(missing.mistakes()[0].starts_with("gone.conf: cannot be read"));
    let large = Case::new(&[("large.toml", &"#\n".repeat(600_000))]).config("large.toml");
    assert_eq!(large.mistakes(), ["large.toml: cannot be read: it is larger than 1 MiB"]);
    let nothing = Sources { file: Some("/dev/null".into()), ..Sources::default() };
    assert_eq!(nothing.load().unwrap().config, Config::default());
}

#[test]
fn what_has_no_meaning_is_remarked_once() {
    let case = Case::new(&[
        ("rabbitmq/rabbitmq.conf", "mqtt.exchange = x\nauth_ldap.log = true\nheartbeat = 1"),
        ("rabbitmq/conf.d/1.conf", "mqtt.exchange = y"),
        ("rabbitmq/advanced.config", "[]."),
    ]);
    assert_eq!(
        case.remarks(),
        [
            "rabbitmq/advanced.config: Erlang terms are not read, the file is ignored",
            "keys of rabbitmq.conf that have no meaning here: auth_ldap.log, mqtt.exchange",
        ]
    );
}

#[test]
fn b86_a_secret_that_others_may_read_is_remarked() {
    let case = Case::new(&[
        ("leveret/leveret.toml", "default_pass = 'x'"),
        ("leveret/conf.d/1.toml", "heartbeat = 1"),
    ]);
    for (mode, told) in [(0o644, true), (0o640, false), (0o600, false)] {
        let file = case.folder.path().join("leveret/leveret.toml");
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        let expected = "leveret/leveret.toml: every user of this machine may read it, and there is a secret in it: chmod o-r";
        let expected: &[&str] = if told { &[expected] } else { &[] };
        assert_eq!(case.remarks(), expected, "{mode:o}");
    }
}

#[test]
fn a_log_that_goes_nowhere_is_remarked() {
    let silent = Case::new(&[("rabbitmq/rabbitmq.conf", "log.console = false\nlog.file = false")]);
    assert_eq!(
        silent.remarks(),
        ["nothing is logged: log.console.enabled is false, and log.file.path is not set"]
    );
    let file = Case::new(&[("rabbitmq/rabbitmq.conf", "log.console = false\nlog.file = rabbit.log")]);
    assert_eq!(file.remarks(), Vec::<String>::new());
}

#[test]
fn a_secret_is_nowhere_shown() {
    let secret = "hunter2";
    let case = Case::new(&[("leveret/leveret.toml", &format!("default_pass = '{secret}'\n"))]);
    let loaded = case.sources.load().unwrap();
    let key = Key::named("default_pass").unwrap();
    assert_eq!(key.shown(&loaded.config).to_string(), "(hidden)");
    let (_, changes) = Config::default().reloaded(&loaded.config);
    let given = case.environment(&[("LEVERET_DEFAULT_PASS", secret)]);
    let (given, ..) = given.sources.environment.given();
    for text in [format!("{loaded:?}"), format!("{changes:?}"), format!("{given:?}")] {
        assert!(text.contains("default_pass") || text.contains("password"), "{text}");
        assert!(!text.contains(secret), "{text}");
    }
}

proptest! {
    #[test]
    fn no_variable_panics(at in 0..keys().count(), value in ".{0,30}", rabbitmq in "[a-z=,+.:0-9-]{0,30}") {
        let key = keys().nth(at).unwrap();
        let environment = [
            (key.variable().to_owned(), OsString::from(value)),
            ("RABBITMQ_LOG".to_owned(), OsString::from(&rabbitmq)),
            ("RABBITMQ_NODE_PORT".to_owned(), OsString::from(&rabbitmq)),
            ("RABBITMQ_NODE_IP_ADDRESS".to_owned(), OsString::from(rabbitmq)),
        ];
        let directories = ["/nowhere".into(), "/nowhere".into()];
        let sources = Sources { environment: environment.into_iter().collect(), directories, ..Sources::default() };
        let _ = sources.load();
    }
}

#[test]
fn a_file_that_rabbitmqs_variable_names_leaves_the_conf_d_of_its_directory() {
    let files = [("rabbitmq/conf.d/10.conf", "loopback_users.guest = false"), ("x/y.conf", "heartbeat = 7")];
    let case = Case::new(&files).environment(&[("RABBITMQ_CONFIG_FILE", "FOLDER/x/y.conf")]);
    assert_eq!(case.files(), ["x/y.conf", "rabbitmq/conf.d/10.conf"]);
    let inside = [files[0], ("rabbitmq/mine.conf", "heartbeat = 7")];
    let case = Case::new(&inside).environment(&[("RABBITMQ_CONFIG_FILE", "FOLDER/rabbitmq/mine.conf")]);
    assert_eq!(case.files(), ["rabbitmq/mine.conf", "rabbitmq/conf.d/10.conf"]);
    let gone = Case::new(&files).environment(&[("RABBITMQ_CONFIG_FILE", "FOLDER/gone.conf")]);
    assert_eq!(
        (gone.files().len(), gone.remarks()),
        (1, vec!["RABBITMQ_CONFIG_FILE: gone.conf is not there".to_owned()])
    );
    let flag = Case::new(&files).config("x/y.conf");
    assert_eq!(flag.files(), ["x/y.conf"]);
}
