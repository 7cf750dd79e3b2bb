//! A script: command lines, each followed by what has to be in its output (`>`), what must not be (`~`), or that it
//! has to fail, and with which text (`!`). `$NODE`, `$AMQP`, `$CONNECTION` and `$DIR` are filled in.

use std::process::Command;

use leveret_contract::{Amqp, Done, House};

/// A command line, and what it has to do.
#[derive(Debug, Default)]
pub(crate) struct Step<'a> {
    pub(crate) line: &'a str,
    shows: Vec<&'a str>,
    hides: Vec<&'a str>,
    fails: Option<&'a str>,
}

/// The steps of a script.
pub(crate) fn steps(script: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for line in script.lines().filter(|line| !line.starts_with('#')) {
        match (line.strip_prefix("  "), steps.last_mut()) {
            (None, _) => steps.push(Step { line, ..Step::default() }),
            (Some(expected), Some(step)) => {
                let (mark, text) = expected.split_at(1);
                match mark {
                    ">" => step.shows.push(text.trim()),
                    "~" => step.hides.push(text.trim()),
                    "!" => step.fails = Some(text.trim()),
                    _ => panic!("what is {line:?}?"),
                }
            }
            (Some(_), None) => panic!("nothing before {line:?}"),
        }
    }
    steps
}

/// The words of a line; those with spaces stand between `'`.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Runs a script against a broker of its own, with a client that consumes there.
pub(crate) fn run(script: &str) {
    let House { broker, api } = House::new();
    api.declare_classic_queue("/", "the queue").done();
    let mut amqp = Amqp::open(&broker, "guest", "the client");
    amqp.consume("the queue", "tag of the client");
    let directory =
        std::env::temp_dir().join(format!("leveret-contract-files-{}-{}", std::process::id(), broker.amqp));
    std::fs::create_dir_all(&directory).expect("a directory");
    let filled = [
        ("$NODE", api.overview().done().node),
        ("$AMQP", broker.amqp.to_string()),
        ("$CONNECTION", api.list_connections().done().remove(0).name),
        ("$DIR", directory.display().to_string()),
    ];
    let program = std::env::var_os("RABBITMQADMIN").expect("RABBITMQADMIN: tests/contract/run sets it");
    let port = broker.management.to_string();
    let mut wrong = Vec::new();
    for step in steps(script) {
        let fill =
            |text: &str| filled.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
        let words = words(step.line).into_iter().map(|word| fill(&word));
        let ended = Command::new(&program)
            .args(["--host", "127.0.0.1", "--port", &port, "--username", "guest", "--password", "guest"])
            .arg("--non-interactive")
            .args(words)
            .output()
            .expect("rabbitmqadmin runs");
        let text =
            format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        let shown = step.shows.iter().all(|expected| text.contains(&fill(expected)));
        let hidden = step.hides.iter().all(|unwanted| !text.contains(&fill(unwanted)));
        let failed = step.fails.is_none_or(|expected| text.contains(expected));
        if ended.status.success() != step.fails.is_none() || !shown || !hidden || !failed {
            wrong.push(format!("{step:?} ended with {} and said\n{text}", ended.status));
        }
    }
    let _ = std::fs::remove_dir_all(&directory);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
