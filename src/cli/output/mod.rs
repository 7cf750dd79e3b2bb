//! What a command shows: tables on a terminal, plain lines in pipes and files, JSON or CSV where that is asked for.

#![allow(clippy::doc_markdown, reason = "help texts are shown as they are written")]

mod cell;
mod csv;
mod escape;
mod json;
mod plain;
mod progress;
mod rows;
mod table;
mod watch;

use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::exit;
use super::failure::Failure;

pub(in crate::cli) use cell::{cell, raw};
pub(in crate::cli) use escape::escape;
pub(in crate::cli) use progress::Progress;
pub(in crate::cli) use rows::Rows;

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// Columns in a frame.
    Table,
    /// Lines with a tab between the columns.
    Plain,
    /// One JSON array, or one object.
    Json,
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values, as RFC 4180 has them.
    Csv,
}

/// What is shown, and how.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct OutputFlags {
    /// How to show it [default: table on a terminal, plain otherwise]
    #[arg(long, short, global = true, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
    /// What to show of each, separated by commas; parts of parts with dots, such as message_stats.publish
    #[arg(long, global = true, value_name = "COLUMN", value_delimiter = ',')]
    columns: Vec<String>,
    /// No line with the names of the columns
    #[arg(long, global = true, hide_short_help = true)]
    no_headers: bool,
    /// Show it again and again, so many seconds apart [default: 2]
    #[arg(
        long, global = true, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2",
        value_parser = watch::interval
    )]
    watch: Option<std::time::Duration>,
}

impl OutputFlags {
    /// The format: tables for people, lines for programs.
    pub(in crate::cli) fn format(&self) -> Format {
        self.output.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Plain })
    }

    /// The columns that are asked for, if any are.
    pub(in crate::cli) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether objects are shown as they are, with all that is in them.
    pub(in crate::cli) fn is_whole(&self) -> bool {
        self.columns.is_empty() && matches!(self.format(), Format::Json | Format::Jsonl)
    }

    /// Shows a list of objects; `columns` are those of interest unless others are asked for.
    pub(in crate::cli) fn list(&self, objects: Vec<Value>, columns: &[&str]) -> Result<(), Failure> {
        let asked = self.columns.iter().map(String::as_str);
        let names: Vec<&str> = if self.columns.is_empty() { columns.to_vec() } else { asked.collect() };
        let objects = if self.columns.is_empty() { objects } else { rows::pruned(objects, &names) };
        let shown = match self.format() {
            Format::Table => table::of_rows(&Rows::new(&objects, &names, cell), !self.no_headers),
            Format::Plain => plain::of_rows(&Rows::new(&objects, &names, cell), !self.no_headers),
            Format::Csv => csv::of_rows(&Rows::new(&objects, &names, cell::raw), !self.no_headers),
            Format::Json => json::pretty(&Value::Array(objects)),
            Format::Jsonl => objects.iter().map(json::line).collect(),
        };
        print(&shown)
    }

    /// Shows one object, field by field.
    pub(in crate::cli) fn object(&self, object: Value) -> Result<(), Failure> {
        self.object_in_order(object, &[])
    }

    /// The same with the fields that are known in their order, before all others.
    pub(in crate::cli) fn object_in_order(&self, object: Value, order: &[&str]) -> Result<(), Failure> {
        let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let (object, order) = if names.is_empty() {
            (object, order)
        } else {
            (rows::pruned(vec![object], &names).pop().unwrap_or(Value::Null), names.as_slice())
        };
        let fields = |cell| rows::fields(&object, order, cell);
        let shown = match self.format() {
            Format::Json => json::pretty(&object),
            Format::Jsonl => json::line(&object),
            Format::Table => table::of_fields(&fields(cell)),
            Format::Plain => plain::of_fields(&fields(cell)),
            Format::Csv => csv::of_fields(&fields(cell::raw), !self.no_headers),
        };
        print(&shown)
    }

    /// Says what was done, or would be.
    pub(in crate::cli) fn done(&self, what: &str) -> Result<(), Failure> {
        self.said(&json!({ "result": what }), what)
    }

    /// Says something: in an object to programs, in words to people.
    pub(in crate::cli) fn said(&self, object: &Value, words: &str) -> Result<(), Failure> {
        match self.format() {
            Format::Json | Format::Jsonl => print(&json::line(object)),
            Format::Table | Format::Plain | Format::Csv => print(&format!("{}\n", escape(words))),
        }
    }

    /// Does it, and does it again when it is to be watched.
    pub(in crate::cli) fn watched(&self, show: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
        match self.watch {
            None => once(show),
            Some(interval) => watch::repeat(interval, show),
        }
    }
}

fn once(mut show: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
    show()
}

/// Writes to standard output. Nobody may be reading any more, which ends the command without a failure.
pub(in crate::cli) fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            Err(Failure::new(exit::CANNOT_CREATE, "standard output cannot be written")
                .because(error.to_string()))
        }
    }
}
