//! What a command works with: the broker that is meant, how to show what it says, and whether to really do it.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::client::{Answer, Client, Endpoint, Request, Target};
use super::exit;
use super::failure::Failure;
use super::output::{OutputFlags, escape};
use super::target::TargetFlags;

/// The flags that every command has which talks to a broker.
#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct DeskFlags {
    #[command(flatten)]
    pub(in crate::cli) target: TargetFlags,
    #[command(flatten)]
    pub(in crate::cli) output: OutputFlags,
    #[command(flatten)]
    asking: AskingFlags,
}

/// Whether to really do it.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Doing it")]
struct AskingFlags {
    /// Say what would be done, and do nothing
    #[arg(long, global = true)]
    dry_run: bool,
    /// Do it without asking
    #[arg(long, short, global = true)]
    yes: bool,
}

/// A command's broker and output.
#[derive(Debug)]
pub(in crate::cli) struct Desk {
    client: Client,
    pub(in crate::cli) output: OutputFlags,
    asking: AskingFlags,
    vhost: Option<String>,
}

/// The virtual host of a broker that has one.
const VHOST: &str = "/";

impl DeskFlags {
    /// The broker that is meant. Nothing is asked of it yet.
    pub(in crate::cli) fn open(self) -> Result<Desk, Failure> {
        let meant = self.target.resolve()?;
        let client = Client::new(meant.target)?;
        Ok(Desk { client, output: self.output, asking: self.asking, vhost: meant.vhost })
    }

    /// Runs a command at it, and says on standard error why it failed.
    pub(in crate::cli) fn run(self, command: impl FnOnce(&mut Desk) -> Result<(), Failure>) -> ExitCode {
        match self.open().and_then(|mut desk| command(&mut desk)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.tell(),
        }
    }
}

impl Desk {
    /// The virtual host that is meant where one has to be: the given one, or that of the context, or `/`.
    pub(in crate::cli) fn vhost(&self, given: Option<&str>) -> String {
        given.or(self.vhost.as_deref()).unwrap_or(VHOST).to_owned()
    }

    /// The virtual host that a list is limited to, if it is.
    pub(in crate::cli) fn vhost_of_list(&self, given: Option<&str>) -> Option<String> {
        given.or(self.vhost.as_deref()).map(str::to_owned)
    }

    /// Where the broker is.
    pub(in crate::cli) fn endpoint(&self) -> Option<&Endpoint> {
        self.client.endpoint()
    }

    /// The same login at another place of the same broker.
    pub(in crate::cli) fn target_at(&self, endpoint: Endpoint) -> Target {
        Target { endpoints: vec![endpoint], ..self.client.target().clone() }
    }

    /// As whom it is asked, if by name.
    pub(in crate::cli) fn user(&self) -> Option<&str> {
        self.client.user()
    }

    /// What is at a path.
    pub(in crate::cli) fn get(&mut self, path: &str) -> Result<Value, Failure> {
        self.client.get(path)
    }

    /// What is at a path, which is called `what`: the failure says that name when it is not there.
    pub(in crate::cli) fn find(&mut self, path: &str, what: &str) -> Result<Value, Failure> {
        self.client.get(path).map_err(|failure| named(failure, what))
    }

    /// Asks for something that changes nothing, or must not be left out of a dry run.
    pub(in crate::cli) fn ask(&mut self, request: &Request) -> Result<Answer, Failure> {
        self.client.ask(request)
    }

    /// The answer to it, whatever it is.
    pub(in crate::cli) fn send(&mut self, request: &Request) -> Result<Answer, Failure> {
        self.client.send(request)
    }

    /// What such an answer means for whoever asked.
    pub(in crate::cli) fn refusal(&mut self, answer: &Answer, request: &Request) -> Failure {
        self.client.refusal(answer, request)
    }

    /// Whether nothing is to be done.
    pub(in crate::cli) fn is_dry_run(&self) -> bool {
        self.asking.dry_run
    }

    /// Has something done to `what`, and says that it was `done`; in a dry run says only that.
    pub(in crate::cli) fn change(
        &mut self,
        request: &Request,
        what: &str,
        done: &str,
    ) -> Result<(), Failure> {
        if self.asking.dry_run {
            return self.output.done(&format!("{what} would be {done} ({})", request.shown()));
        }
        self.client.ask(request).map_err(|failure| match failure.why {
            // What it needs is not there, rather than the thing itself.
            why if failure.status == Some(404) && request.makes() => {
                let why = why.filter(|why| !why.contains(" /api/"));
                let why = why.unwrap_or_else(|| "it, or what it belongs to, is not there".to_owned());
                Failure::new(failure.code, format!("{what} is not {done}")).because(why).with_status(404)
            }
            why => named(Failure { why, ..failure }, what),
        })?;
        self.output.done(&format!("{what} {done}"))
    }

    /// Asks whether to go on with something that cannot be undone; a refusal is a failure. A dry run need not be asked for.
    pub(in crate::cli) fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.asking.yes || self.asking.dry_run {
            return Ok(());
        }
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Err(Failure::usage(format!("not done: {}", question.trim_end_matches('?')))
                .because("there is no terminal to ask at whether it is meant")
                .helped_by("Say --yes to do it without being asked, --dry-run to see what would be done."));
        }
        let mut error = io::stderr();
        // Whoever cannot read the question does not answer it with yes.
        let _ = write!(error, "{} [y/N] ", escape(question)).and_then(|()| error.flush());
        let mut line = String::new();
        let read = stdin.lock().read_line(&mut line);
        match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" if read.is_ok() => Ok(()),
            _ => Err(Failure::new(exit::USAGE, "not done, as you wished")),
        }
    }

    /// Does the same to each of several: all that goes is done, and each failure is told. A failure of some is another code
    /// than that of all.
    pub(in crate::cli) fn each(
        &mut self,
        names: &[String],
        mut act: impl FnMut(&mut Self, &str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut failures = Vec::new();
        for name in names {
            if let Err(failure) = act(self, name) {
                failures.push(failure);
            }
        }
        let failed = failures.len();
        let Some(last) = failures.pop() else { return Ok(()) };
        if names.len() == 1 {
            return Err(last);
        }
        for failure in failures.iter().chain([&last]) {
            failure.tell();
        }
        let code = if failed == names.len() { last.code } else { exit::PARTIAL };
        Err(Failure::new(code, format!("{failed} of {} failed", names.len())))
    }
}

/// The failure with the name of what it is about.
pub(in crate::cli) fn named(failure: Failure, what: &str) -> Failure {
    if failure.is_absence() {
        let why = failure.why.filter(|why| why != "Not Found" && !why.contains(" /api/"));
        return Failure { what: format!("there is no {what}"), why, ..Failure::new(failure.code, "") }
            .with_status(404);
    }
    match failure.status {
        Some(status) if status < 500 && status != 401 && status != 403 => {
            Failure { what: format!("{what}: {}", failure.what), ..failure }
        }
        _ => failure,
    }
}
