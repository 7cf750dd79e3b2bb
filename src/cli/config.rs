//! `leveret config`: looks at a configuration without serving it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::exit;
use super::flags::ConfigFlags;
use super::serve::refuse;
use crate::config::{Key, Loaded, Mistake, Mistakes, Origin, Shown, TlsSettings, convert, example, keys};
use crate::net::{TlsError, TlsServer};

const EXAMPLES: &str = "\
Examples:
  leveret config check --config leveret.toml     whether a file can be served; ends with 78 if not
  leveret config show                            every key, its value, and where that comes from
  leveret config show --format json heartbeat    one key, for programs
  leveret config convert /etc/rabbitmq/rabbitmq.conf > leveret.toml
  leveret config example > leveret.toml          every key with its default and what it means";

/// Check, show and convert configurations.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConfigOptions {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration can be served, and tell all that is wrong with it if not.
    ///
    /// Reads what the server would read with the same flags and environment, changes nothing, and ends with 0 or 78.
    #[command(after_help = EXAMPLES)]
    Check(CheckOptions),
    /// Show every key with its value and where that comes from. Secrets are not shown.
    #[command(after_help = EXAMPLES)]
    Show(ShowOptions),
    /// Write RabbitMQ's configuration files as one of TOML.
    #[command(after_help = EXAMPLES)]
    Convert {
        /// Files of the rabbitmq.conf format; what a later one says holds.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Write a configuration file with every key, its default and what it means.
    #[command(after_help = EXAMPLES)]
    Example,
}

#[derive(Debug, Args)]
struct CheckOptions {
    /// How to say it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    flags: ConfigFlags,
}

#[derive(Debug, Args)]
struct ShowOptions {
    /// How to show it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Only these keys, or those of these sections [default: all].
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    flags: ConfigFlags,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// Does what the command says.
pub(super) fn run(options: ConfigOptions) -> ExitCode {
    match options.command {
        ConfigCommand::Check(options) => check(options),
        ConfigCommand::Show(options) => show(options),
        ConfigCommand::Convert { files } => match convert(&files) {
            Ok(text) => print(&text),
            Err(mistakes) => refuse(exit::CONFIGURATION, &mistakes),
        },
        ConfigCommand::Example => print(&example()),
    }
}

fn check(options: CheckOptions) -> ExitCode {
    let loaded = options.flags.sources().load().and_then(with_files);
    match (options.format, loaded) {
        (Format::Text, Ok(loaded)) => {
            let files: Vec<String> = loaded.files.iter().map(|path| path.display().to_string()).collect();
            let read = if files.is_empty() { "no file was read".to_owned() } else { files.join(", ") };
            let remarks: Vec<String> =
                loaded.remarks.iter().map(|remark| format!("remark: {remark}\n")).collect();
            let remarks = remarks.concat();
            print(&format!("{remarks}the configuration can be served ({read})\n"))
        }
        (Format::Text, Err(mistakes)) => refuse(exit::CONFIGURATION, &mistakes),
        (Format::Json, Ok(loaded)) => {
            let files: Vec<_> = loaded.files.iter().map(|path| path.display().to_string()).collect();
            print(&lines(&json!({ "ok": true, "files": files, "remarks": loaded.remarks, "mistakes": [] })))
        }
        (Format::Json, Err(mistakes)) => {
            print(&lines(&json!({ "ok": false, "mistakes": objects(&mistakes) })));
            ExitCode::from(exit::CONFIGURATION)
        }
    }
}

/// What it names for TLS has to be readable, too.
fn with_files(loaded: Loaded) -> Result<Loaded, Mistakes> {
    let config = &loaded.config;
    let (amqp, management, metrics) = (&config.tls, &config.management, &config.metrics);
    let read = |is_spoken: bool, settings: &TlsSettings| {
        if is_spoken { TlsServer::read(settings).map(|_| ()) } else { Ok(()) }
    };
    let read = read(!amqp.listeners.is_empty(), amqp)
        .and_then(|()| {
            let of_management = read(management.speaks_tls(), &management.tls.settings(amqp));
            of_management.map_err(|error| error.in_section("management"))
        })
        .and_then(|()| {
            let of_metrics = read(metrics.tls.address().is_some(), &metrics.tls.settings(amqp));
            of_metrics.map_err(|error| error.in_section("metrics"))
        });
    let Err(TlsError { key, reason }) = read else { return Ok(loaded) };
    let origin = Key::named(&key).map(|key| loaded.origin(key).clone()).unwrap_or_default();
    Err(Mistakes(vec![Mistake { origin, key: Some(key.into_owned()), reason, nearest: None }]))
}

fn objects(mistakes: &Mistakes) -> Vec<Value> {
    let object = |mistake: &Mistake| {
        let (file, line) = match &mistake.origin {
            Origin::File { path, line } => (Some(path.display().to_string()), (*line > 0).then_some(*line)),
            _ => (None, None),
        };
        json!({
            "origin": mistake.origin.to_string(),
            "file": file,
            "line": line,
            "key": mistake.key,
            "reason": mistake.reason,
            "nearest": mistake.nearest,
        })
    };
    mistakes.0.iter().map(object).collect()
}

fn show(options: ShowOptions) -> ExitCode {
    let loaded = match options.flags.sources().load() {
        Ok(loaded) => loaded,
        Err(mistakes) => return refuse(exit::CONFIGURATION, &mistakes),
    };
    let wanted = |key: &&Key| {
        let named = |name: &String| key.name == name || key.name.starts_with(&format!("{name}."));
        options.keys.is_empty() || options.keys.iter().any(named)
    };
    let keys: Vec<&Key> = keys().filter(wanted).collect();
    if keys.is_empty() {
        return refuse(exit::USAGE, &format!("there is no key {}", options.keys.join(", ")));
    }
    match options.format {
        Format::Text => print(&table(&keys, &loaded)),
        Format::Json => {
            let values = keys.iter().map(|key| {
                let shown = key.shown(&loaded.config);
                let (value, hidden) = (value(&shown), shown == Shown::Hidden);
                let shown =
                    json!({ "value": value, "hidden": hidden, "origin": loaded.origin(key).to_string() });
                (key.name.to_owned(), shown)
            });
            print(&lines(&Value::Object(values.collect())))
        }
    }
}

/// Lines that could stand in a file, with their origins behind them.
fn table(keys: &[&Key], loaded: &Loaded) -> String {
    let rows: Vec<(String, String)> = keys
        .iter()
        .map(|key| {
            let row = match key.shown(&loaded.config) {
                Shown::Unset => format!("# {} is not set: {}", key.name, key.unset.unwrap_or_default()),
                Shown::Hidden => format!("# {} is not shown", key.name),
                shown => format!("{} = {}", key.name, shown.quoted()),
            };
            (row, loaded.origin(key).to_string())
        })
        .collect();
    let width =
        rows.iter().map(|(row, _)| row.chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
    let rows: Vec<String> =
        rows.into_iter().map(|(row, origin)| format!("{row:width$}  # {origin}\n")).collect();
    rows.concat()
}

fn value(shown: &Shown) -> Value {
    if *shown == Shown::Hidden {
        return Value::Null;
    }
    // A number, a switch, a text and a list are quoted as JSON has them.
    serde_json::from_str(&shown.quoted()).unwrap_or(Value::Null)
}

fn lines(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Nobody may be reading any more, which is no failure.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
