//! The house rules that no lint knows: which module may import which, which files are pure, how long a file may be,
//! how things are named, and what may not be left behind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends when something is not as it must be")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of `src/`, lowest first: each may import those before it and nothing else. The program itself, `main`
/// and `lib`, stands above them all.
const LAYERS: [&str; 34] = [
    "version",
    "name",
    "place",
    "time",
    "count",
    "timer",
    "message",
    "term",
    "rate",
    "equivalence",
    "pattern",
    "json",
    "event",
    "auth",
    "policy",
    "exchange",
    "config",
    "log",
    "supervisor",
    "net",
    "store",
    "access",
    "alarm",
    "queue",
    "vhost",
    "channel",
    "connection",
    "definitions",
    "management",
    "metrics",
    "broker",
    "cli",
    "main",
    "lib",
];

/// Decisions without effects: these are given the time and answer with what is to be done.
const PURE: [&str; 27] = [
    "src/equivalence.rs",
    "src/pattern",
    "src/exchange/",
    "src/term.rs",
    "src/rate.rs",
    "src/policy/",
    "src/queue/core",
    "src/queue/ready",
    "src/store/segment/block",
    "src/queue/segments",
    "src/queue/unacked",
    "src/queue/consumers",
    "src/queue/limits",
    "src/queue/terms",
    "src/queue/expiry",
    "src/queue/death",
    "src/queue/due",
    "src/queue/scheduled",
    "src/queue/groups",
    "src/queue/arguments",
    "src/connection/handshake",
    "src/connection/capabilities",
    "src/connection/heartbeat",
    "src/channel/confirm",
    "src/channel/qos",
    "src/auth/",
    "protocol/src/",
];

/// What a pure file may not name.
const IMPURE: [&str; 9] = [
    "tokio",
    "tracing",
    "dashmap",
    "sled",
    "std::net::Tcp",
    "std::fs",
    "Time::now",
    "Instant::now",
    "SystemTime::now",
];

/// The modules with `unsafe` in them, each with its proof beside it.
const UNSAFE: [&str; 1] = ["src/alarm/heap.rs"];

const LINES_MAX: usize = 500;
const LINES_MAX_OF_TESTS: usize = 600;

/// Words that name nothing.
const VAGUE_FILES: [&str; 9] =
    ["utils", "util", "common", "manager", "helper", "helpers", "misc", "shared", "types"];
const VAGUE_TYPES: [&str; 10] =
    ["Manager", "Processor", "Helper", "Util", "Utils", "Context", "Data", "Info", "Base", "Impl"];

/// Marks of unfinished work.
const UNFINISHED: [&str; 5] = ["TODO", "FIXME", "XXX", "HACK", "not implemented yet"];

struct Source {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The part before the unit tests.
    fn code(&self) -> &str {
        match self.text.find("#[cfg(test)]\nmod tests") {
            _ if self.is_test() => "",
            Some(tests) => self.text.get(..tests).unwrap(),
            None => &self.text,
        }
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.starts_with("tests/") || self.path.contains("/tests/")
    }

    /// The module of `src/` that it belongs to.
    fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        Some(below.split('/').next()?.trim_end_matches(".rs"))
    }
}

/// Every Rust file of the repository.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "tests", "protocol/src", "protocol/tests", "protocol/benches"] {
        collect(&root.join(folder), root, &mut found);
    }
    assert!(found.len() > 30, "only {} files: the rules are read from the wrong place", found.len());
    found
}

fn collect(folder: &Path, root: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            // What a build has left is nobody's writing.
            if !path.ends_with("target") {
                collect(&path, root, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source { path, text });
        }
    }
}

/// Fails with every violation that `rule` finds, one a line.
fn check(rule: impl Fn(&Source) -> Vec<String>) {
    let broken: Vec<String> = sources()
        .iter()
        .flat_map(|source| rule(source).into_iter().map(|what| format!("{}: {what}", source.path)))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// The lines of code with their numbers, without comments.
fn code_lines(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().filter_map(|(number, line)| {
        let line = line.split("//").next()?;
        (!line.trim().is_empty()).then_some((number + 1, line))
    })
}

/// The top-level modules of this crate that some code names: `crate::queue`, `crate::{name, queue::Queue}`.
fn imports(code: &str) -> Vec<String> {
    let code: String = code_lines(code).fold(String::new(), |code, (_, line)| code + line + "\n");
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let before = code.get(..at).unwrap().chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let after = code.get(at + path.len()..).unwrap();
        match after.strip_prefix('{') {
            Some(group) => found.extend(first_names(group)),
            None => found.extend(identifier(after)),
        }
    }
    found
}

/// The first name of each path of a group that has just been opened.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut expects_name) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expects_name = true,
            c if expects_name && depth == 0 && !c.is_whitespace() => {
                names.extend(identifier(group.get(at..).unwrap()));
                expects_name = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn imports_are_found_however_they_are_written() {
    for (code, expected) in [
        ("use crate::queue::Queue;", &["queue"][..]),
        ("use crate::{name, queue::{core, unacked}, vhost::Vhost};", &["name", "queue", "vhost"]),
        ("use crate::{\n    name::QueueName,\n    time,\n};", &["name", "time"]),
        ("let now = crate::time::Time::now();", &["time"]),
        ("// crate::broker\nuse super::core; pub(crate) fn f() {}", &[]),
        ("use other_crate::queue;", &[]),
    ] {
        assert_eq!(imports(code), expected, "{code}");
    }
}

#[test]
fn a_module_imports_only_from_the_layers_below_it() {
    let layer = |module: &str| LAYERS.iter().position(|layer| *layer == module);
    check(|source| {
        let Some(module) = source.module() else { return Vec::new() };
        let Some(own) = layer(module) else { return vec![format!("'{module}' is in no layer")] };
        let above = |import: &String| layer(import).is_none_or(|other| other > own);
        let wrong = imports(source.code()).into_iter().filter(above);
        wrong.map(|import| format!("'{module}' imports '{import}', which is not below it")).collect()
    });
}

#[test]
fn only_connection_sees_a_frame() {
    check(|source| {
        let below = source.module().is_some_and(|module| !["connection", "cli", "main"].contains(&module));
        let frames = ["leveret_protocol::frame", "leveret_protocol::Decoder", "leveret_protocol::encode"];
        let named = frames.iter().filter(|name| below && source.code().contains(**name));
        named.map(|name| format!("names {name}")).collect()
    });
}

#[test]
fn pure_files_name_no_runtime_no_log_no_clock_and_no_store() {
    check(|source| {
        if !PURE.iter().any(|pure| source.path.starts_with(pure)) {
            return Vec::new();
        }
        let named = |line: &str| IMPURE.iter().find(|word| line.contains(**word));
        let lines = code_lines(source.code()).filter_map(|(at, line)| Some((at, named(line)?)));
        lines.map(|(at, word)| format!("line {at} names {word}")).collect()
    });
}

#[test]
fn a_file_is_short_enough_to_be_read() {
    check(|source| {
        let max = if source.is_test() { LINES_MAX_OF_TESTS } else { LINES_MAX };
        let lines = source.text.lines().count();
        if lines > max { vec![format!("{lines} lines, where {max} is the most")] } else { Vec::new() }
    });
}

#[test]
fn a_file_says_what_it_is_for() {
    check(|source| {
        // The unit tests beside a file are for that file.
        let says = source.text.starts_with("//! ") || source.path.ends_with("/tests.rs");
        if says { Vec::new() } else { vec!["does not open with //!".to_owned()] }
    });
}

#[test]
fn files_and_types_are_named_after_things() {
    check(|source| {
        let parts = source.path.trim_end_matches(".rs").split('/');
        let files =
            parts.filter(|part| VAGUE_FILES.contains(part)).map(|part| format!("'{part}' names nothing"));
        let types = code_lines(source.code()).flat_map(|(at, line)| {
            let named = ["struct ", "enum ", "trait "].iter().filter_map(move |keyword| {
                let start =
                    line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
                identifier(start.trim_start_matches("pub ").strip_prefix(keyword)?)
            });
            let vague = named.filter(|name| VAGUE_TYPES.iter().any(|word| name.ends_with(word)));
            vague.map(move |name| format!("line {at}: '{name}' says too little"))
        });
        files.chain(types).collect()
    });
}

#[test]
fn nothing_is_left_unfinished() {
    check(|source| {
        if source.path == "tests/tidy.rs" {
            return Vec::new();
        }
        let mark = |line: &str| UNFINISHED.iter().find(|mark| line.contains(**mark));
        let lines = source.text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, mark(line)?)));
        lines.map(|(at, mark)| format!("line {at}: {mark}")).collect()
    });
}

#[test]
fn no_test_is_ignored_and_none_waits_for_a_length_of_time() {
    check(|source| {
        if source.path == "tests/tidy.rs" {
            return Vec::new();
        }
        let tests = source.text.strip_prefix(source.code()).unwrap();
        let banned = ["#[ignore", "thread::sleep", "time::sleep"];
        banned.iter().filter(|word| tests.contains(**word)).map(|word| format!("{word} in a test")).collect()
    });
}

#[test]
fn unsafe_code_stands_in_named_modules_only() {
    check(|source| {
        let allows = source.text.contains("allow(unsafe_code)") && source.path != "tests/tidy.rs";
        let named = UNSAFE.contains(&source.path.as_str());
        if allows && !named { vec!["unsafe code outside the list".to_owned()] } else { Vec::new() }
    });
}

/// The number that the name of a test for a bad input begins with: `B37b` of `b37b_empty_frames_...`.
fn number(name: &str) -> Option<String> {
    let (number, _) = name.strip_prefix('b')?.split_once('_')?;
    number.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("B{number}"))
}

#[test]
fn every_bad_input_has_its_tests_where_the_table_in_the_readme_says() {
    let sources = sources();
    let tests = sources.iter().flat_map(|source| {
        let names = source.text.split("#[test]\n").skip(1);
        let names = names.filter_map(|test| identifier(test.trim_start().strip_prefix("fn ")?));
        let place = source.path.trim_start_matches("tests/").trim_end_matches(".rs");
        names.filter_map(move |name| Some((number(&name)?, place.to_owned())))
    });
    let tests: BTreeSet<(String, String)> = tests.collect();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/README.md")).unwrap();
    let mut table = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for row in readme.lines().filter(|row| row.starts_with("| B")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, places, to_come] = cells.as_slice() else { panic!("four cells, not {row}") };
        assert!(numbers.insert((*number).to_owned()), "{number} stands there twice");
        assert!(!places.is_empty() || !to_come.is_empty(), "nobody tests {number}");
        let places =
            places.split(", ").map(|place| place.trim_matches('`')).filter(|place| !place.is_empty());
        table.extend(places.map(|place| ((*number).to_owned(), place.to_owned())));
    }
    for n in 1..=73 {
        assert!(numbers.contains(&format!("B{n}")), "B{n} is not in the table");
    }
    let missing: Vec<_> = table.difference(&tests).collect();
    let unlisted: Vec<_> = tests.difference(&table).collect();
    assert!(
        missing.is_empty() && unlisted.is_empty(),
        "without a test: {missing:?}\nnot listed: {unlisted:?}"
    );
}
