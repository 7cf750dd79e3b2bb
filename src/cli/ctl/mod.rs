//! The programs that RabbitMQ's users know, in one binary: `rabbitmqctl`, `rabbitmq-diagnostics` and the others, by the name
//! that it is called with, or by a first word.
//!
//! ```text
//! words      switches anywhere, the rest in order       commands   the table: name, usage, function
//! desk       what a command works with                  output     the forms that are shown
//! ```
//!
//! A command is a row of the table and a function from its desk to what it has found. It asks the broker over HTTP, as the
//! rest of the command line does.

mod checks;
mod commands;
mod definitions;
mod desk;
mod field;
mod listing;
mod node;
mod output;
mod plugins;
mod queues;
mod report;
mod trouble;
mod users;
mod vhosts;
mod words;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::exit;
use super::output::print;
pub(super) use commands::Program;
use commands::{Command, named};
use desk::Desk;
use output::Formatter;
pub(super) use plugins::that_are_not_there as plugins_that_are_not_there;
use trouble::Trouble;
use words::Words;

/// The program that is meant, by the name of the binary or its first argument, and what follows.
pub(super) fn meant(arguments: &[OsString]) -> Option<(Program, Vec<String>)> {
    let of = |name: &OsString| Program::named(Path::new(name).file_name()?.to_str()?);
    let texts = |from: usize| -> Vec<String> {
        arguments.iter().skip(from).map(|word| word.to_string_lossy().into_owned()).collect()
    };
    let first = arguments.first().and_then(of).map(|program| (program, texts(1)));
    first.or_else(|| arguments.get(1).and_then(of).map(|program| (program, texts(2))))
}

/// Does what a command line says.
pub(super) fn run(program: Program, words: Vec<String>) -> ExitCode {
    let words = match Words::read(words) {
        Ok(words) => words,
        Err(trouble) => return trouble.tell(Some(&program.usage())),
    };
    let Some(name) = words.plain.first().cloned() else {
        if words.has("help") {
            return help(program, None);
        }
        // Nobody may be reading.
        let _ = std::io::stderr().write_all(program.help().as_bytes());
        return ExitCode::from(exit::USAGE);
    };
    if name == "help" {
        return help(program, words.plain.get(1).map(String::as_str));
    }
    if words.has("help") {
        return help(program, Some(&name));
    }
    let Some(command) = named(program, &name) else { return unknown(program, &name) };
    match obeyed(command, words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => trouble.tell(Some(&command.line(program))),
    }
}

fn obeyed(command: &Command, words: Words) -> Result<(), Trouble> {
    words.check(command.switches)?;
    let given = words.plain.len() - 1;
    if given < *command.arguments.start() {
        return Err(Trouble::usage("not enough arguments."));
    }
    if given > *command.arguments.end() {
        return Err(Trouble::usage("too many arguments."));
    }
    let with_headers = !words.has("no-table-headers") && !words.has("silent");
    let formatter = words.value("formatter").map_or(Ok(Formatter::Table), Formatter::named)?;
    let mut desk = Desk::new(words, formatter)?;
    let found = (command.run)(&mut desk)?;
    Ok(print(&formatter.show(&found, with_headers))?)
}

fn help(program: Program, of: Option<&str>) -> ExitCode {
    let text = match of {
        None => program.help(),
        Some(name) => match named(program, name) {
            Some(command) => command.help(program),
            None => return unknown(program, name),
        },
    };
    match print(&text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn unknown(program: Program, name: &str) -> ExitCode {
    let near = program.nearest(name).map(|near| format!("\nDid you mean '{near}'?")).unwrap_or_default();
    Trouble::new(exit::USAGE, format!("Command '{name}' not found.{near}")).tell(None)
}
