//! `leveret jobs`: long work that the broker does by itself.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::listing::{Kind, ListFlags};
use super::queues::counted;
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, Progress};

const EXAMPLES: &str = "\
Examples:
  leveret jobs ls                          what runs, and what has ended lately
  leveret jobs show 1764000000000-5
  leveret jobs follow 1764000000000-5      until it ends
  leveret jobs cancel 1764000000000-5      what is done stays done";

const COLUMNS: [&str; 8] = ["id", "kind", "state", "vhost", "queue", "done", "total", "error"];
/// How often it is looked how far a job is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// List, follow and cancel long work that the broker does: moves and redrives.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "job")]
pub(in crate::cli) struct JobsOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List jobs.
    #[command(visible_alias = "list")]
    Ls(ListFlags),
    /// Show all that is told of a job.
    Show {
        /// The job.
        id: String,
    },
    /// Wait for the end of a job.
    Follow {
        /// The job.
        id: String,
    },
    /// Have a job end. What is done stays done.
    #[command(visible_alias = "delete")]
    Cancel {
        /// The job.
        id: String,
    },
}

/// Does what the command says.
pub(in crate::cli) fn run(options: JobsOptions) -> ExitCode {
    let JobsOptions { verb, desk } = options;
    desk.run(|desk| match verb {
        Verb::Ls(flags) => {
            flags.show(desk, &Kind { parts: &["leveret", "jobs"], columns: &COLUMNS, name: "queue" })
        }
        Verb::Show { id } => {
            let found = find(desk, &id)?;
            desk.output.object_in_order(found, &COLUMNS)
        }
        Verb::Follow { id } => {
            let found = find(desk, &id)?;
            follow(desk, found)
        }
        Verb::Cancel { id } => {
            desk.change(&Request::delete(path(&["leveret", "jobs", &id])), &of(&id), "told to end")
        }
    })
}

fn find(desk: &mut Desk, id: &str) -> Result<Value, Failure> {
    desk.find(&path(&["leveret", "jobs", id]), &of(id))
}

fn of(id: &str) -> String {
    format!("job {id}")
}

/// Says that a job has begun.
pub(super) fn begun(desk: &Desk, job: &Value) -> Result<(), Failure> {
    let words = format!("{} has begun: 'leveret jobs follow {}' waits for its end", of(id(job)), id(job));
    desk.output.said(job, &words)
}

fn id(job: &Value) -> &str {
    job.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn number(job: &Value, name: &str) -> u64 {
    job.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn text<'j>(job: &'j Value, name: &str) -> &'j str {
    job.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Shows how far a job is until it ends, and says how it ended.
pub(super) fn follow(desk: &mut Desk, mut job: Value) -> Result<(), Failure> {
    let name = id(&job).to_owned();
    let mut progress = Progress::new();
    while matches!(text(&job, "state"), "running" | "cancelling") {
        let waits = text(&job, "waits_for");
        let further = if waits.is_empty() { String::new() } else { format!(", waits: {waits}") };
        let looked_at = number(&job, "looked_at");
        progress.show(
            looked_at,
            Some(number(&job, "total")),
            &format!("({} done{further})", number(&job, "done")),
        );
        std::thread::sleep(LOOK_EVERY);
        job = find(desk, &name)?;
    }
    progress.end();
    tell(desk, &job)
}

fn tell(desk: &Desk, job: &Value) -> Result<(), Failure> {
    let (done, matched) = (number(job, "done"), number(job, "matched"));
    let dry = job.get("dry_run") == Some(&Value::Bool(true));
    let would = if dry { "would go" } else { "went" };
    let mut words = format!("{done} of {} {would}", counted(matched, "message"));
    let parts = |name: &str| -> Vec<String> {
        let parts = job.get(name).and_then(Value::as_object).into_iter().flatten();
        parts.map(|(name, count)| format!("{name}: {count}")).collect()
    };
    let (to, stay) = (parts("to"), parts("stay"));
    if !to.is_empty() {
        words = format!("{words} ({})", to.join(", "));
    }
    if !stay.is_empty() {
        words = format!("{words}; what stays: {}", stay.join(", "));
    }
    match desk.output.format() {
        Format::Json | Format::Jsonl => desk.output.object_in_order(job.clone(), &COLUMNS)?,
        Format::Table | Format::Plain | Format::Csv => desk.output.said(job, &words)?,
    }
    let unreadable = number(job, "unreadable");
    match text(job, "state") {
        "failed" => {
            Err(Failure::new(exit::SOFTWARE, format!("{} failed", of(id(job)))).because(text(job, "error")))
        }
        "cancelled" => Err(Failure::new(exit::PARTIAL, format!("{} was cancelled", of(id(job))))),
        _ if unreadable > 0 => {
            let blocks = counted(unreadable, "block");
            Err(Failure::new(exit::PARTIAL, format!("{blocks} of messages could not be read"))
                .helped_by("The broker's log says which."))
        }
        _ if !stay.is_empty() && !dry => {
            let code = if done > 0 { exit::PARTIAL } else { exit::DATA };
            Err(Failure::new(code, "not all of them went").because(stay.join(", ")))
        }
        _ => Ok(()),
    }
}
