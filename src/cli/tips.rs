//! What is said to those who come with the flags of other programs.

use std::ffi::OsString;

use clap::Error;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};

const ADDRESS: &str = "the address and the port are set with --listen, such as --listen 127.0.0.1:5672";
const TLS: &str = "where TLS is spoken is set with --listeners-tls, such as --listeners-tls 5671, with --tls-certfile and \
                   --tls-keyfile";
const FILE: &str = "the configuration file is named with --config";
const SERVE: &str = "without a command, or with 'serve', it serves";

/// What is tried, and what helps.
const TIPS: [(&str, &str); 17] = [
    ("--port", ADDRESS),
    ("-p", ADDRESS),
    ("--host", ADDRESS),
    ("--bind", ADDRESS),
    ("--address", ADDRESS),
    ("--tls-port", TLS),
    ("--tls-listen", TLS),
    ("--ssl-port", TLS),
    ("--tls", TLS),
    ("--amqps", TLS),
    ("--config-file", FILE),
    ("--conf", FILE),
    ("start", SERVE),
    ("run", SERVE),
    ("server", SERVE),
    ("start_app", SERVE),
    ("broker", SERVE),
];

/// The error with a tip, if there is one for what it is about.
pub(super) fn with_tip(mut error: Error) -> Error {
    let tried = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand].into_iter();
    let tried = tried.filter_map(|kind| error.get(kind)).find_map(|value| match value {
        ContextValue::String(tried) => Some(tried.clone()),
        _ => None,
    });
    let name = tried.as_deref().map(|tried| tried.split([' ', '=']).next().unwrap_or(tried));
    if let Some((_, tip)) = TIPS.iter().find(|(tried, _)| name == Some(tried)) {
        let tip = ContextValue::StyledStrs(vec![StyledStr::from(*tip)]);
        error.insert(ContextKind::Suggested, tip);
    }
    error
}

/// The command line, without a wish for help where help is asked for already: `leveret help --help`.
pub(super) fn arguments(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = given.collect();
    if arguments.get(1).is_some_and(|command| command == "help") {
        arguments.retain(|argument| argument != "--help" && argument != "-h");
    }
    let before = flags_of_a_command(&arguments);
    // 'leveret --url URL queues ls' means the same as 'leveret queues --url URL ls'.
    let noun = arguments.get(before + 1).and_then(|noun| noun.to_str());
    if before > 0 && noun.is_some_and(|noun| !noun.starts_with('-') && !OF_SERVER.contains(&noun)) {
        let flags: Vec<OsString> = arguments.drain(1..=before).collect();
        arguments.splice(2..2, flags);
    }
    arguments
}

/// The commands that do not talk to a broker by its HTTP API.
const OF_SERVER: [&str; 4] = ["serve", "config", "bench", "help"];
/// Flags of all commands that talk to a broker: with a value, and without.
const WITH_VALUE: [&str; 13] = [
    "--url",
    "--data-dir",
    "--user",
    "--password",
    "--password-file",
    "--ca-file",
    "--context",
    "--timeout",
    "--output",
    "-o",
    "--columns",
    "--vhost",
    "-p",
];
const WITHOUT_VALUE: [&str; 5] = ["--dry-run", "--yes", "-y", "--no-headers", "--watch"];

/// How many arguments at the beginning are such flags and their values.
fn flags_of_a_command(arguments: &[OsString]) -> usize {
    let mut count = 0;
    loop {
        let Some(argument) = arguments.get(count + 1).and_then(|argument| argument.to_str()) else {
            return count;
        };
        let (name, has_value) = argument.split_once('=').map_or((argument, false), |(name, _)| (name, true));
        let is_known = WITH_VALUE.contains(&name) || WITHOUT_VALUE.contains(&name);
        if !is_known {
            return count;
        }
        count += if has_value || WITHOUT_VALUE.contains(&name) { 1 } else { 2 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    fn error(arguments: &[&str]) -> Error {
        let given = std::iter::once("leveret").chain(arguments.iter().copied()).map(OsString::from);
        with_tip(crate::cli::parse(super::arguments(given)).unwrap_err())
    }

    #[test]
    fn flags_of_other_programs_are_answered_with_ours() {
        for (given, text) in [
            (&["--port", "5672"][..], ADDRESS),
            (&["--port=5672"], ADDRESS),
            (&["-p", "5672"], ADDRESS),
            (&["serve", "-p5672"], ADDRESS),
            (&["--tls-port", "5671"], TLS),
            (&["--tls"], TLS),
            (&["--config-file", "leveret.conf"], FILE),
            (&["start"], SERVE),
            (&["serve", "start"], SERVE),
        ] {
            let error = error(given);
            assert!(error.use_stderr());
            assert!(error.to_string().contains(&format!("tip: {text}")), "{given:?}: {error}");
        }
        assert!(!error(&["--no-such-flag"]).to_string().contains("--listen"));
    }

    #[test]
    fn flags_may_stand_before_the_noun() {
        for (given, expected) in [
            ("leveret --url u queues ls", "leveret queues --url u ls"),
            ("leveret --url=u -y queues ls -o json", "leveret queues --url=u -y ls -o json"),
            ("leveret --data-dir d status", "leveret status --data-dir d"),
            ("leveret --data-dir d", "leveret --data-dir d"),
            ("leveret --data-dir d serve", "leveret --data-dir d serve"),
            ("leveret --data-dir d --listen 0", "leveret --data-dir d --listen 0"),
            ("leveret queues --url u ls", "leveret queues --url u ls"),
            ("leveret --url", "leveret --url"),
        ] {
            let given = given.split(' ').map(OsString::from);
            let found: Vec<_> =
                super::arguments(given).into_iter().map(|argument| argument.into_string().unwrap()).collect();
            assert_eq!(found.join(" "), expected);
        }
    }

    #[test]
    fn help_on_help_is_help() {
        for given in
            [&["help", "--help"][..], &["help", "-h"], &["help", "bench", "--help"], &["bench", "--help"]]
        {
            let error = error(given);
            assert_eq!((error.kind(), error.exit_code()), (ErrorKind::DisplayHelp, 0), "{given:?}: {error}");
        }
    }
}
