//! `leveret definitions`: everything that is declared, as a file.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::vhost::VhostFlag;
use crate::cli::client::{Request, path, query};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::exit;
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret definitions export > definitions.json          everything
  leveret definitions export -p shop --file shop.json    one virtual host's
  leveret definitions diff definitions.json              what an import would change, and what the file does not have
  leveret definitions import definitions.json --dry-run
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
    /// Show what a file says that the broker does not have, and the reverse. Nothing is changed; ends with 1 if they differ.
    Diff {
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
                import(desk, &parts, body, desk.is_dry_run(), false)
            }
            Verb::Diff { file } => {
                let body = read(&file)?;
                import(desk, &parts, body, true, true)
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

/// Imports, or finds out what an import would do, and tells all of it.
fn import(
    desk: &mut Desk,
    parts: &[&str],
    body: Vec<u8>,
    dry_run: bool,
    is_diff: bool,
) -> Result<(), Failure> {
    let parts: Vec<&str> = ["leveret"].iter().chain(parts).copied().collect();
    let fields = [("dry_run", "true")];
    let place = query(&path(&parts), if dry_run { &fields } else { &[] });
    let request = Request::new("POST", place).with_body(body);
    let answer = desk.send(&request)?;
    let report = answer.json()?;
    if !answer.is_success() && report.get("objects").is_none() {
        return Err(desk.refusal(&answer, &request));
    }
    let rows = rows(&report, is_diff);
    let mistakes = rows.iter().filter(|row| row.get("what") == Some(&json!("mistake"))).count();
    let differences =
        rows.len() - rows.iter().filter(|row| row.get("what") == Some(&json!("remark"))).count();
    if desk.output.is_whole() {
        desk.output.object(report)?;
    } else if !rows.is_empty() || is_diff {
        desk.output.list(rows, &["what", "path", "object", "reason"])?;
    } else {
        desk.output.done("nothing to change: the broker has it all")?;
    }
    if mistakes > 0 {
        let done = if dry_run { "would be imported up to there" } else { "what stood before it is imported" };
        return Err(Failure::data("the definitions have mistakes")
            .because(done)
            .helped_by("Mend them and import again: what is there already is left as it is."));
    }
    if is_diff && differences > 0 { Err(Failure::new(exit::DIFFERENT, "they differ")) } else { Ok(()) }
}

/// What is, or would be, done; of a comparison also what the file does not have.
fn rows(report: &Value, is_diff: bool) -> Vec<Value> {
    let of = |name: &str| report.get(name).and_then(Value::as_array).into_iter().flatten();
    let text = |value: &Value, name: &str| value.get(name).cloned().unwrap_or(Value::Null);
    let mut rows: Vec<Value> = Vec::new();
    for change in of("changes") {
        let reason = match change.get("before") {
            None | Some(Value::Null) => Value::Null,
            Some(before) => json!(format!("was {before}")),
        };
        rows.push(json!({
            "what": text(change, "action"), "path": text(change, "path"), "object": name(change.get("after")),
            "reason": reason,
        }));
    }
    if is_diff {
        rows.extend(of("absent").map(|absent| {
            let name = name(absent.get("object"));
            json!({ "what": "absent", "path": text(absent, "section"), "object": name, "reason": null })
        }));
    }
    for (name, what) in [("remarks", "remark"), ("mistakes", "mistake")] {
        rows.extend(of(name).map(
            |found| json!({ "what": what, "path": text(found, "path"), "reason": text(found, "reason") }),
        ));
    }
    rows
}

/// What an object of definitions is called.
fn name(object: Option<&Value>) -> String {
    let text = |name: &str| object.and_then(|object| object.get(name)).and_then(Value::as_str);
    let name = match (text("name"), text("source"), text("user")) {
        (Some(name), ..) => name.to_owned(),
        (None, Some(source), _) => format!("{source} -> {}", text("destination").unwrap_or_default()),
        (None, None, Some(user)) => user.to_owned(),
        (None, None, None) => String::new(),
    };
    text("vhost").map_or(name.clone(), |vhost| format!("{name} in {vhost}"))
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
    let what = if file.as_os_str() == "-" { "standard input".into() } else { file.display().to_string() };
    Err(Failure::data(format!("{what} holds no definitions")).because(why))
}
