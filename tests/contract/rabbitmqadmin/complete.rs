//! Every command that the program tells of is run by a script, or stands here with the reason why it is not.

use std::collections::BTreeSet;
use std::process::Command;

use crate::{SCRIPTS, script};

/// Commands without a meaning here: a group, or a group and a command.
const WITHOUT_MEANING: [(&str, &str); 5] = [
    ("config_file", "changes a file of its own and asks no broker"),
    ("health_check deprecated_features_in_use", "this version lists it and does not know it"),
    (
        "import definitions",
        "this version ends with a panic before it asks; `definitions import` does the same",
    ),
    ("shell completions", "asks no broker"),
    ("tanzu", "VMware Tanzu"),
];

/// The commands that the help of a command lists.
fn listed(words: &[&str]) -> Vec<String> {
    let program = std::env::var_os("RABBITMQADMIN").expect("RABBITMQADMIN: tests/contract/run sets it");
    let told = Command::new(program).args(words).arg("--help").output().expect("rabbitmqadmin runs");
    let told = String::from_utf8(told.stdout).expect("UTF-8");
    let lines =
        told.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What stands further to the right goes on describing.
    let names = lines.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_is_run_or_has_no_meaning_here() {
    let mut commands = BTreeSet::new();
    for group in listed(&[]) {
        commands.extend(listed(&[&group]).iter().map(|command| format!("{group} {command}")));
    }
    assert!(commands.len() > 150, "{commands:?}");
    let mut run = BTreeSet::new();
    for (_, text) in SCRIPTS {
        for step in script::steps(text) {
            run.insert(step.line.split(' ').take(2).collect::<Vec<_>>().join(" "));
        }
    }
    let known = |command: &String| {
        let begins = |name: &str| command == name || command.starts_with(&format!("{name} "));
        WITHOUT_MEANING.iter().any(|(name, _)| begins(name))
    };
    let missing: Vec<_> = commands.difference(&run).filter(|command| !known(command)).collect();
    let gone: Vec<_> = run.difference(&commands).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not run: {missing:?}; no commands: {gone:?}");
}
