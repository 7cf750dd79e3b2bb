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
    // An interrupt would leave the terminal as it is then, so that it is read as a key.
    silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    let mut error = io::stderr();
    // Whoever cannot read the question will not answer it.
    let _ = write!(error, "{}", crate::cli::output::escape(question));
    let _ = error.flush();
    tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(|error| no_terminal(error.into()))?;
    let typed = typed(stdin.lock());
    let restored = tcsetattr(&stdin, OptionalActions::Flush, &before);
    let _ = writeln!(error);
    restored.map_err(|error| no_terminal(error.into()))?;
    match typed.map_err(no_terminal)? {
        Some(password) => Ok(password),
        None => Err(Failure::new(exit::USAGE, "not done, as you wished")),
    }
}

/// What is typed until Return; nothing when it is broken off.
fn typed(keys: impl BufRead) -> io::Result<Option<Secret>> {
    let mut password = Vec::new();
    for key in keys.take(LENGTH_MAX).bytes() {
        match key? {
            b'\r' | b'\n' => return Ok(Some(Secret::new(password))),
            // Ctrl-C and Ctrl-D.
            0x03 | 0x04 => return Ok(None),
            // Backspace takes a character, which may be of several octets.
            0x08 | 0x7f => {
                while let Some(octet) = password.pop() {
                    if octet & 0xc0 != 0x80 {
                        break;
                    }
                }
            }
            octet => password.push(octet),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_typed_until_return_and_can_be_mended() {
        for (keys, expected) in [
            ("secret\r", Some("secret")),
            ("secret\nrest", Some("secret")),
            ("sek\x7fcret\r", Some("secret")),
            ("xü\x7f\x7f\x7fab\r", Some("ab")),
            ("\r", Some("")),
            ("sec\x03", None),
            ("\x04", None),
            ("end", None),
        ] {
            let typed = typed(keys.as_bytes()).unwrap();
            let typed = typed.as_ref().map(|secret| std::str::from_utf8(secret.expose()).unwrap());
            assert_eq!(typed, expected, "{keys:?}");
        }
    }
}
