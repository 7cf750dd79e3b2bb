//! Why a command failed, in the form that RabbitMQ's programs give it.

use std::io::Write;
use std::process::ExitCode;

use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::escape;

/// A failed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) code: u8,
    text: String,
    /// The command line is wrong: how it is to be follows.
    wants_usage: bool,
    /// The status of the broker's answer, where it was the broker that refused.
    pub(super) status: Option<u16>,
}

/// There is no such user.
const NO_USER: u8 = 67;

/// How these programs are told where a broker is.
const WHERE: &str = "Start it with 'leveret', or say where it is: LEVERET_DATA_DIR is the data directory of one on this \
    machine, LEVERET_URL, such as http://user:password@host:15672, leads to another.";

impl Trouble {
    pub(super) fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), wants_usage: false, status: None }
    }

    /// The command line cannot be followed.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { wants_usage: true, ..Self::new(exit::USAGE, text) }
    }

    /// The same of a value, in RabbitMQ's words and with its code.
    pub(super) fn bad_argument(text: &str) -> Self {
        Self { wants_usage: true, ..Self::data(format!("Bad argument: {text}")) }
    }

    pub(super) fn unavailable(text: impl Into<String>) -> Self {
        Self::new(exit::UNAVAILABLE, text)
    }

    pub(super) fn data(text: impl Into<String>) -> Self {
        Self::new(exit::DATA, text)
    }

    pub(super) fn no_user(name: &str) -> Self {
        Self::new(NO_USER, format!("User \"{name}\" does not exist"))
    }

    pub(super) fn no_vhost(name: &str) -> Self {
        Self::unavailable(format!("Virtual host {name} does not exist"))
    }

    /// Whether the broker said that there is no such thing.
    pub(super) fn is_absence(&self) -> bool {
        self.status == Some(404)
    }

    /// This instead, where the broker said that there is no such thing.
    pub(super) fn or_absent(self, absent: Self) -> Self {
        if self.is_absence() { absent } else { self }
    }

    /// Without these words at its beginning.
    pub(super) fn without(mut self, beginning: &str) -> Self {
        if let Some(rest) = self.text.strip_prefix(beginning) {
            self.text = rest.to_owned();
        }
        self
    }

    /// Says it on standard error, and gives the code to end with.
    pub(super) fn tell(&self, usage: Option<&str>) -> ExitCode {
        let mut error = std::io::stderr();
        let lines: Vec<_> = self.text.split('\n').map(escape).collect();
        let text = lines.join("\n");
        // Nobody may be reading.
        let _ = match usage.filter(|_| self.wants_usage) {
            Some(usage) => writeln!(error, "Error (argument validation): {text}\n\nUsage\n\n{usage}"),
            None => writeln!(error, "Error:\n{text}"),
        };
        ExitCode::from(self.code)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        let text = match failure.status {
            Some(400 | 404..500) => failure.why.clone().unwrap_or_else(|| failure.what.clone()),
            Some(_) => failure.to_string(),
            None => {
                let why = failure.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                format!("unable to perform an operation on the node: {}{why}\n{WHERE}", failure.what)
            }
        };
        let code = match failure.status {
            Some(400..500) => exit::UNAVAILABLE,
            _ => failure.code,
        };
        Self { status: failure.status, ..Self::new(code, text) }
    }
}
