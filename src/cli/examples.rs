//! Examples in every help text: a verb shows those of its noun's that use it.

use clap::Command;

/// What examples begin with.
const HEADING: &str = "Examples:";

/// The command with examples below every verb that has none of its own.
pub(super) fn handed_down(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(&name, |verb| {
            let verb = if verb.get_after_help().is_none() {
                let found = with_word(&examples, &name);
                if found.is_empty() {
                    verb
                } else {
                    verb.after_help(format!("{HEADING}\n{}", found.join("\n")))
                }
            } else {
                verb
            };
            handed_down(verb)
        })
    })
}

/// The lines with this word before their first remark.
fn with_word<'e>(examples: &'e str, word: &str) -> Vec<&'e str> {
    let commands = examples.lines().filter(|line| line.starts_with("  "));
    let command = |line: &str| line.trim_start().split("   ").next().unwrap_or_default().to_owned();
    commands.filter(|line| command(line).split(' ').any(|part| part == word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;

    fn without_examples(command: &Command, path: &str, found: &mut Vec<String>) {
        let path = format!("{path} {}", command.get_name());
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let needs_none = command.get_name() == "help" || command.is_hide_set();
        let has_one = help.contains(HEADING) && help.lines().count() > 1;
        if !needs_none && !has_one {
            found.push(path.clone());
        }
        command.get_subcommands().for_each(|command| without_examples(command, &path, found));
    }

    #[test]
    fn every_command_has_an_example_of_its_own() {
        let mut found = Vec::new();
        without_examples(&command(), "", &mut found);
        assert!(found.is_empty(), "no example of:\n{}", found.join("\n"));
    }

    #[test]
    fn a_verb_has_the_examples_that_use_it() {
        let examples = "Examples:\n  leveret x ls        show\n  leveret x ls --name a\n  leveret x show y";
        assert_eq!(with_word(examples, "ls").len(), 2);
        assert_eq!(with_word(examples, "show"), ["  leveret x show y"]);
    }
}
