//! Passwords: read from files and terminals, never shown.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::auth::Secret;
use crate::cli::client::Endpoint;
use crate::cli::exit;
use crate::cli::failure::Failure;

/// No password is longer, in bytes.
const LENGTH_MAX: u64 = 64 * 1024;

/// The first line of a file, or of standard input.
pub(in crate::cli) fn read(path: &Path) -> Result<Secret, Failure> {
    let unreadable = |error: io::Error| Failure::unreadable(path, &error);
    let mut octets = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().take(LENGTH_MAX).read_until(b'\n', &mut octets).map_err(unreadable)?;
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(LENGTH_MAX).read_to_end(&mut octets))
            .map_err(unreadable)?;
    }
    let line = octets.split(|octet| *octet == b'\n').next().unwrap_or_default();
    Ok(Secret::new(line.strip_suffix(b"\r").unwrap_or(line)))
}

/// Asks on the terminal, without showing what is typed.
pub(super) fn ask(user: &str, endpoint: &Endpoint) -> Result<Secret, Failure> {
    ask_for(&format!("Password of '{user}' at {endpoint}: "))
}

/// The same with any question.
pub(in crate::cli) fn ask_for(question: &str) -> Result<Secret, Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage("no password is given")
            .because("standard input is no terminal to ask for it at")
            .helped_by("Give it with --password-file FILE, or '-' to read it from standard input."));
    }
    let no_terminal = |error: io::Error| {
        Failure::new(exit::NO_INPUT, "the terminal cannot be asked for a password").because(error.to_string())
    };
    let before = tcgetattr(&stdin).map_err(|error| no_terminal(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    let mut error = io::stderr();
    // Whoever cannot read the question will not answer it.
    let _ = write!(error, "{}", crate::cli::output::escape(question));
    let _ = error.flush();
    tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(|error| no_terminal(error.into()))?;
    let mut line = Vec::new();
    let read = stdin.lock().take(LENGTH_MAX).read_until(b'\n', &mut line);
    let restored = tcsetattr(&stdin, OptionalActions::Flush, &before);
    read.map_err(no_terminal)?;
    restored.map_err(|error| no_terminal(error.into()))?;
    Ok(Secret::new(line.strip_suffix(b"\n").unwrap_or(&line)))
}
