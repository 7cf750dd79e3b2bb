//! What is said to those who come with the flags of other programs.

use std::ffi::OsString;

use clap::Error;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};

const ADDRESS: &str = "the address and the port are set with --listen, such as --listen 127.0.0.1:5672";
const FILE: &str = "the configuration file is named with --config";
const SERVE: &str = "without a command, or with 'serve', it serves";

/// What is tried, and what helps.
const TIPS: [(&str, &str); 12] = [
    ("--port", ADDRESS),
    ("-p", ADDRESS),
    ("--host", ADDRESS),
    ("--bind", ADDRESS),
    ("--address", ADDRESS),
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
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::CommandLine;
    use clap::Parser;
    use clap::error::ErrorKind;

    fn error(arguments: &[&str]) -> Error {
        let given = std::iter::once("leveret").chain(arguments.iter().copied()).map(OsString::from);
        with_tip(CommandLine::try_parse_from(super::arguments(given)).unwrap_err())
    }

    #[test]
    fn flags_of_other_programs_are_answered_with_ours() {
        for (given, text) in [
            (&["--port", "5672"][..], ADDRESS),
            (&["--port=5672"], ADDRESS),
            (&["-p", "5672"], ADDRESS),
            (&["serve", "-p5672"], ADDRESS),
            (&["--config-file", "leveret.conf"], FILE),
            (&["start"], SERVE),
            (&["serve", "start"], SERVE),
        ] {
            let error = error(given);
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(&format!("tip: {text}")), "{given:?}: {error}");
        }
        assert!(!error(&["--no-such-flag"]).to_string().contains("--listen"));
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
