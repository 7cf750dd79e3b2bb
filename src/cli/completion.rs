//! `leveret completion` and `leveret man`: what shells and readers of manuals know of the command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use super::exit;
use super::failure::Failure;
use super::output::print;

const EXAMPLES: &str = "\
Examples:
  leveret completion bash > /etc/bash_completion.d/leveret
  leveret completion zsh > ~/.zfunc/_leveret
  leveret completion fish > ~/.config/fish/completions/leveret.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  leveret man | man -l -                       the page of the whole command
  leveret man --dir /usr/local/share/man/man1  a page for each command";

/// Write what a shell needs to complete commands and flags.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionOptions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Write manual pages.
#[derive(Debug, Args)]
#[command(after_help = MAN_EXAMPLES)]
pub(super) struct ManOptions {
    /// Write a page for each command to this directory [default: one page to standard output]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Writes the completion of a shell.
pub(super) fn complete(options: &CompletionOptions) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut super::command(), "leveret", &mut text);
    ended(print(&String::from_utf8_lossy(&text)))
}

/// Writes manual pages.
pub(super) fn manual(options: &ManOptions) -> ExitCode {
    let command = super::command();
    ended(match &options.dir {
        None => page(command).and_then(|page| print(&String::from_utf8_lossy(&page))),
        Some(dir) => pages(command, dir),
    })
}

fn ended(result: Result<(), Failure>) -> ExitCode {
    result.map_or_else(|failure| failure.tell(), |()| ExitCode::SUCCESS)
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut text);
    rendered.map_err(|error| Failure::new(exit::SOFTWARE, "no page").because(error.to_string()))?;
    Ok(text)
}

fn pages(command: Command, dir: &Path) -> Result<(), Failure> {
    let written = std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command, dir));
    written.map_err(|error| {
        Failure::new(exit::CANNOT_CREATE, format!("{} cannot be written", dir.display()))
            .because(error.to_string())
    })
}
