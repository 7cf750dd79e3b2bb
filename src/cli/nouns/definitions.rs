//! `leveret definitions`: everything that is declared, as a file.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::vhost::VhostFlag;
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::exit;
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret definitions export > definitions.json          everything
  leveret definitions export -p shop --file shop.json    one virtual host's
  leveret definitions import definitions.json
  leveret definitions import - -p shop < shop.json";

/// Export and import users, virtual hosts, queues, exchanges, bindings and policies, as RabbitMQ's definitions files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct DefinitionsOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write down everything that is declared; there are hashes of passwords in it.
    Export {
        /// Write it to a file, which only you may read [default: to standard output]
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Declare what a file says. What is there already and not in the file stays.
    Import {
        /// The file; '-' is standard input.
        file: PathBuf,
    },
}

/// Does what the command says.
pub(in crate::cli) fn run(options: DefinitionsOptions) -> ExitCode {
    let DefinitionsOptions { verb, vhost, desk } = options;
    desk.run(|desk| {
        let parts: Vec<&str> = ["definitions"].into_iter().chain(vhost.given()).collect();
        match verb {
            Verb::Export { file } => export(desk, &path(&parts), file.as_deref()),
            Verb::Import { file } => {
                let body = read(&file)?;
                let what = format!("definitions of {}", file.display());
                desk.change(&Request::new("POST", path(&parts)).with_body(body), &what, "imported")
            }
        }
    })
}

fn export(desk: &mut Desk, path: &str, file: Option<&Path>) -> Result<(), Failure> {
    let definitions = desk.get(path)?;
    let text = format!("{definitions:#}\n");
    let Some(file) = file else { return crate::cli::output::print(&text) };
    write(file, &text).map_err(|error| {
        Failure::new(exit::CANNOT_CREATE, format!("{} cannot be written", file.display()))
            .because(error.to_string())
    })?;
    desk.output.done(&format!("definitions exported to {}", file.display()))
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    file.write_all(text.as_bytes())
}

/// The file's octets, if they are a JSON object.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut body).map(drop)
    } else {
        std::fs::read(file).map(|read| body = read)
    };
    read.map_err(|error| Failure::unreadable(file, &error))?;
    let parsed: Result<Value, _> = serde_json::from_slice(&body);
    let why = match parsed {
        Ok(Value::Object(_)) => return Ok(body),
        Ok(_) => "it is JSON, but no object".to_owned(),
        Err(error) => format!("it is no JSON ({error})"),
    };
    Err(Failure::data(format!("{} holds no definitions", file.display())).because(why))
}
