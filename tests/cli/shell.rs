//! Runs commands as a shell would, and compares what they say with a transcript that is kept.
//!
//! A transcript has commands behind `$ `, and below each what it wrote: standard output, standard error behind `! `, and how it
//! ended if not with 0. `LEVERET_TEST_WRITE=1` writes what is said now in its place: look at the difference before it is kept.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;

use crate::support::{Broker, TempDir};

const WRITE: &str = "LEVERET_TEST_WRITE";

/// A broker, and commands that are run beside it.
pub(crate) struct Shell {
    pub(crate) broker: Broker,
    data: TempDir,
    home: TempDir,
    address: String,
    /// What `$NAME` stands for in a command.
    variables: Vec<(String, String)>,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With further arguments of the broker.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let (data, home) = (TempDir::new(), TempDir::new());
        let arguments: Vec<&str> =
            ["--management-listen", "127.0.0.1:0"].iter().chain(arguments).copied().collect();
        let mut broker = Broker::start_on(data.path(), &arguments);
        let line = broker.wait_for_line("Management plugin: HTTP (non-TLS) listener started on 127.0.0.1:");
        let address = line.rsplit(' ').next().unwrap().to_owned();
        let mut shell = Self { broker, data, home, address: address.clone(), variables: Vec::new() };
        shell.set("URL", &format!("http://guest:guest@{address}"));
        shell.set("ADDRESS", &address);
        shell.set("AMQP", &shell.broker.addr().to_string());
        shell.set("SOCKET", &shell.data.path().join("leveret.sock").display().to_string());
        shell.set("DATA", &shell.data.path().display().to_string());
        shell.set("HOME", &shell.home.path().display().to_string());
        shell
    }

    /// Has `$name` stand for something in commands.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Makes a file in the directory that commands run in.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The directory that commands run in.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs one command. A word `<<<` is followed by what it reads from standard input.
    pub(crate) fn run(&self, line: &str) -> Said {
        let mut line = line.to_owned();
        for (name, value) in &self.variables {
            line = line.replace(&format!("${name}"), value);
        }
        let mut words = words(&line);
        let input = words.iter().position(|word| word == "<<<").map(|at| words.split_off(at));
        let input = input.and_then(|rest| rest.get(1).cloned()).unwrap_or_default();
        let settings: Vec<String> = words.iter().take_while(|word| is_setting(word)).cloned().collect();
        let program = words.get(settings.len()).expect("a command");
        // One binary is all of them, by the name that it is called with.
        assert!(program == "leveret" || program.starts_with("rabbitmq"), "{line}");
        let arguments = &words[settings.len() + 1..];
        let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
        command.arg0(program).args(arguments).current_dir(self.home.path()).env_clear();
        command.env("HOME", self.home.path()).env("LEVERET_DATA_DIR", self.data.path());
        for setting in &settings {
            let (name, value) = setting.split_once('=').unwrap();
            command.env(name, value);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that reads nothing may have ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Said {
            output: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Runs the commands of a transcript, which has to come out as it is.
    #[track_caller]
    pub(crate) fn follow(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/transcripts");
        let path = folder.join(format!("{name}.txt"));
        let kept =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {}", path.display()));
        let mut now = String::new();
        for line in kept.lines() {
            if let Some(remark) = line.strip_prefix("# ") {
                writeln!(now, "# {remark}").unwrap();
            } else if let Some(command) = line.strip_prefix("$ ") {
                let said = self.run(command);
                write!(now, "$ {command}\n{}", self.steady(&said.shown())).unwrap();
            }
        }
        assert!(now.contains("$ "), "{name} has no commands");
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&path, now).unwrap();
            return;
        }
        if let Some(at) = kept.lines().zip(now.lines()).position(|(kept, now)| kept != now) {
            panic!(
                "{name}, line {}:\n{}\nwhere this was kept:\n{}",
                at + 1,
                after(&now, at),
                after(&kept, at)
            );
        }
        assert_eq!(now.lines().count(), kept.lines().count(), "{name}: {now}");
    }

    /// Without what is another each time: paths, ports, times, sizes.
    fn steady(&self, text: &str) -> String {
        let mut text = text.replace(&self.data.path().display().to_string(), "DATA");
        text = text.replace(&self.home.path().display().to_string(), "HOME");
        text = text.replace(&self.address, "127.0.0.1:HTTP");
        text = text.replace(&self.broker.addr().to_string(), "127.0.0.1:AMQP");
        for (pattern, to) in [
            (r"leveret@[A-Za-z0-9_.-]+", "NODE"),
            (r"127\.0\.0\.1(:|%3A)[0-9]{4,5}", "127.0.0.1${1}PORT"),
            (
                r#"("(?:[a-z_]*port|connected_at|memory|message_bytes_ram|os_pid|pid|(?:memory|disk)_[a-z_]*bytes|uptime_ms|processors|descriptors_[a-z]+|connections_max|idle_since|timestamp)": )("[^"]*"|[0-9.]+)"#,
                "${1}…",
            ),
            (
                r"(?m)^([a-z_.]*port|connected_at|memory|message_bytes_ram|os_pid|pid|(?:memory|disk)_[a-z_]*bytes|uptime_ms|processors|descriptors_[a-z]+|connections_max|idle_since)\t[^\t\n]+$",
                "${1}\t…",
            ),
            // Known of a checkout, not of a tarball.
            (r"(?m)^commit\t.*\n", ""),
            (r"[A-Za-z0-9+/]{48}", "HASH"),
            (r"[0-9]{13}-[0-9]+", "ID"),
            (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+(?:Z|[+-][0-9:]{5})?", "TIME"),
        ] {
            text = Regex::new(pattern).unwrap().replace_all(&text, to).into_owned();
        }
        text
    }
}

/// What a command said, and what it ended with.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) output: String,
    pub(crate) error: String,
    pub(crate) code: i32,
}

impl Said {
    fn shown(&self) -> String {
        let mut shown = self.output.replace("\r\n", "\n");
        if !shown.is_empty() && !shown.ends_with('\n') {
            shown.push('\n');
        }
        for line in self.error.lines() {
            writeln!(shown, "! {line}").unwrap();
        }
        if self.code != 0 {
            writeln!(shown, "ended with {}", self.code).unwrap();
        }
        shown
    }
}

fn after(text: &str, line: usize) -> String {
    text.lines().skip(line.saturating_sub(2)).take(12).collect::<Vec<_>>().join("\n")
}

fn is_setting(word: &str) -> bool {
    let name = word.split('=').next().unwrap();
    word.contains('=') && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// The words of a command: blanks part them unless they stand in quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    assert!(!quoted, "a quote is open in {line}");
    words.extend(word);
    words
}

#[test]
fn a_line_is_divided_into_words_as_a_shell_does_it() {
    assert_eq!(words("a 'b c' d=''  e'f'g"), ["a", "b c", "d=", "efg"]);
    assert!(is_setting("LEVERET_URL=x") && !is_setting("a=b") && !is_setting("URL"));
}
