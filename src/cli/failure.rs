//! Why a command did not do what it was asked to do: what, why, and what to do next.

use std::fmt;
use std::process::ExitCode;

use super::exit;

/// A failed command. Nothing secret is in it; what came from elsewhere is escaped when it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Failure {
    /// What the process ends with.
    pub(in crate::cli) code: u8,
    /// What failed.
    pub(in crate::cli) what: String,
    /// Why, if that is known.
    pub(in crate::cli) why: Option<String>,
    /// What helps, if anything is known to.
    pub(in crate::cli) next: Option<String>,
    /// The status of the broker's answer, where it was the broker that refused.
    pub(in crate::cli) status: Option<u16>,
}

impl Failure {
    pub(in crate::cli) fn new(code: u8, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), why: None, next: None, status: None }
    }

    /// The command line cannot be followed.
    pub(in crate::cli) fn usage(what: impl Into<String>) -> Self {
        Self::new(exit::USAGE, what)
    }

    /// Input, ours or the broker's, cannot be used.
    pub(in crate::cli) fn data(what: impl Into<String>) -> Self {
        Self::new(exit::DATA, what)
    }

    /// A file cannot be read.
    pub(in crate::cli) fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(exit::NO_INPUT, format!("{} cannot be read", path.display())).because(error.to_string())
    }

    pub(in crate::cli) fn because(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    pub(in crate::cli) fn helped_by(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    pub(in crate::cli) fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// Whether the broker said that there is no such thing.
    pub(in crate::cli) fn is_absence(&self) -> bool {
        self.status == Some(404)
    }

    /// Says it on standard error, and gives the code to end with.
    pub(in crate::cli) fn tell(&self) -> ExitCode {
        super::serve::refuse(self.code, self)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use super::output::escape;
        f.write_str(&escape(&self.what))?;
        if let Some(why) = &self.why {
            write!(f, ": {}", escape(why))?;
        }
        if let Some(next) = &self.next {
            write!(f, "\n{}", escape(next))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_next_and_nothing_that_a_terminal_would_obey() {
        let failure = Failure::data("queue 'a\x1b[2J' is not there")
            .because("not\nfound")
            .helped_by("see 'leveret queues ls'");
        assert_eq!(
            failure.to_string(),
            "queue 'a\\u{1b}[2J' is not there: not\\nfound\nsee 'leveret queues ls'"
        );
    }
}
