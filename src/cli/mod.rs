//! The command line: one file a command.

mod admin;
pub mod bench;
mod beside_rabbitmq;
mod client;
mod completion;
mod config;
mod container;
mod ctl;
mod desk;
mod doctor;
mod examples;
mod exit;
mod failure;
mod flags;
mod nouns;
mod output;
mod serve;
mod target;
mod tips;
mod top;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use config::ConfigOptions;
use nouns::{
    bindings, channels, connections, consumers, context, definitions, exchanges, health, jobs, limits,
    messages, metrics, parameters, permissions, policies, queues, status, tail, topic_permissions, users,
    vhosts,
};
use serve::{Ear, ServeOptions};

use crate::version::TEXT;

/// A RabbitMQ-compatible AMQP 0-9-1 message broker.
///
/// Without a command it serves, as `leveret serve` does.
#[derive(Debug, Parser)]
#[command(name = "leveret", version = TEXT.as_str(), args_conflicts_with_subcommands = true, after_help = serve::EXAMPLES)]
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
    Status(Box<status::StatusOptions>),
    Queues(Box<queues::QueuesOptions>),
    Exchanges(Box<exchanges::ExchangesOptions>),
    Bindings(Box<bindings::BindingsOptions>),
    Consumers(Box<consumers::ConsumersOptions>),
    Connections(Box<connections::ConnectionsOptions>),
    Channels(Box<channels::ChannelsOptions>),
    Users(Box<users::UsersOptions>),
    Vhosts(Box<vhosts::VhostsOptions>),
    Permissions(Box<permissions::PermissionsOptions>),
    TopicPermissions(Box<topic_permissions::TopicPermissionsOptions>),
    Policies(Box<policies::PoliciesOptions>),
    OperatorPolicies(Box<policies::OperatorPoliciesOptions>),
    Parameters(Box<parameters::ParametersOptions>),
    Limits(Box<limits::LimitsOptions>),
    Messages(Box<messages::MessagesOptions>),
    Publish(Box<messages::PublishOptions>),
    Jobs(Box<jobs::JobsOptions>),
    Definitions(Box<definitions::DefinitionsOptions>),
    Health(Box<health::HealthOptions>),
    Context(Box<context::ContextOptions>),
    Tail(Box<tail::TailOptions>),
    Top(Box<top::TopOptions>),
    Metrics(Box<metrics::MetricsOptions>),
    Doctor(Box<doctor::DoctorOptions>),
    Completion(completion::CompletionOptions),
    Man(completion::ManOptions),
}

/// The whole command line, with examples in every help text.
fn command() -> clap::Command {
    examples::handed_down(CommandLine::command())
}

fn parse(arguments: Vec<OsString>) -> Result<CommandLine, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(arguments)?;
    CommandLine::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Does what the command line says. `started` is when the process began.
pub fn run(started: Instant) -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    match container::meant(&arguments) {
        None => arguments = tips::arguments(arguments.into_iter()),
        Some(container::Meant::Serve(ours)) => arguments = ours,
        Some(container::Meant::Detached(ours)) => return container::detach(&ours),
        Some(container::Meant::Run(command)) => return container::run(&command),
    }
    let ear = rustix::process::getpid().is_init().then(Ear::open);
    if let Some(words) = admin::meant(&arguments) {
        return admin::run(words);
    }
    if let Some((program, words)) = ctl::meant(&arguments) {
        return ctl::run(program, words);
    }
    let CommandLine { command, serve } = match parse(arguments).map_err(tips::with_tip) {
        Ok(parsed) => parsed,
        Err(error) => return refused(&error),
    };
    match command.unwrap_or(Command::Serve(serve)) {
        Command::Serve(options) => serve::run(options, ear.unwrap_or_else(Ear::open), started),
        Command::Config(options) => config::run(*options),
        Command::Bench(options) => bench::run(&options),
        Command::Status(options) => status::run(*options),
        Command::Queues(options) => queues::run(*options),
        Command::Exchanges(options) => exchanges::run(*options),
        Command::Bindings(options) => bindings::run(*options),
        Command::Consumers(options) => consumers::run(*options),
        Command::Connections(options) => connections::run(*options),
        Command::Channels(options) => channels::run(*options),
        Command::Users(options) => users::run(*options),
        Command::Vhosts(options) => vhosts::run(*options),
        Command::Permissions(options) => permissions::run(*options),
        Command::TopicPermissions(options) => topic_permissions::run(*options),
        Command::Policies(options) => policies::run(*options),
        Command::OperatorPolicies(options) => policies::run_operator(*options),
        Command::Parameters(options) => parameters::run(*options),
        Command::Limits(options) => limits::run(*options),
        Command::Messages(options) => messages::run(*options),
        Command::Publish(options) => messages::publish(*options),
        Command::Jobs(options) => jobs::run(*options),
        Command::Definitions(options) => definitions::run(*options),
        Command::Health(options) => health::run(*options),
        Command::Top(options) => top::run(*options),
        Command::Tail(options) => tail::run(*options),
        Command::Metrics(options) => metrics::run(*options),
        Command::Doctor(options) => doctor::run(*options),
        Command::Completion(options) => completion::complete(&options),
        Command::Man(options) => completion::manual(&options),
        Command::Context(options) => context::run(*options),
    }
}

/// Help goes to standard output and is no failure; all else says what is wrong with the command line.
fn refused(error: &clap::Error) -> ExitCode {
    // Nobody may be reading.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
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
