//! The command line: one file a command.

pub mod bench;
mod config;
mod exit;
mod flags;
mod serve;
mod tips;

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};

use config::ConfigOptions;
use serve::ServeOptions;

/// A RabbitMQ-compatible AMQP 0-9-1 message broker.
///
/// Without a command it serves, as `leveret serve` does.
#[derive(Debug, Parser)]
#[command(name = "leveret", version, args_conflicts_with_subcommands = true, after_help = serve::EXAMPLES)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeOptions,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the broker (also what happens without a command).
    Serve(ServeOptions),
    /// Check, show and convert configurations.
    Config(Box<ConfigOptions>),
    /// Put load on an AMQP 0-9-1 broker and report rates and latencies.
    Bench(Box<bench::BenchOptions>),
}

/// Does what the command line says. `started` is when the process began.
pub fn run(started: Instant) -> ExitCode {
    let arguments = tips::arguments(std::env::args_os());
    let parsed = CommandLine::try_parse_from(arguments).map_err(tips::with_tip);
    let CommandLine { command, serve } = parsed.unwrap_or_else(|error| error.exit());
    match command.unwrap_or(Command::Serve(serve)) {
        Command::Serve(options) => serve::run(options, started),
        Command::Config(options) => config::run(*options),
        Command::Bench(options) => bench::run(&options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn serve_is_what_happens_without_a_command() {
        for arguments in
            [&["leveret", "--listen", "127.0.0.1:0"][..], &["leveret", "serve", "--listen", "127.0.0.1:0"]]
        {
            let CommandLine { command, serve } = CommandLine::try_parse_from(arguments).unwrap();
            let Command::Serve(options) = command.unwrap_or(Command::Serve(serve)) else {
                panic!("{arguments:?} is another command");
            };
            assert_eq!(options.flags.given().len(), 1);
        }
    }
}
