//! `leveret doctor`: looks at this machine as the broker would use it, and says what to do about what is not well.

mod directory;
mod machine;
mod running;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::exit;
use super::failure::Failure;
use super::output::OutputFlags;
use crate::config::{Config, Environment, Given, Key, Loaded, Mistakes, Origin, Sources};

const EXAMPLES: &str = "\
Examples:
  leveret doctor                                    before the first start, and whenever something is odd
  leveret doctor --data-dir /var/lib/leveret
  leveret doctor --config /etc/leveret/leveret.toml
  leveret doctor -o json                            for programs; ends with 78 when something would fail";

/// Check this machine for a broker: configuration, data directory, disk, memory, limits, ports, versions.
///
/// Reads what the server would read with the same flags and environment, and changes nothing. Ends with 78 when a check has
/// failed; what is only worth a look is a warning.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorOptions {
    /// The configuration file that the server is given
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory [default: as the configuration says]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    output: OutputFlags,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Well,
    Warning,
    Failed,
}

/// A check: what was found, and what to do if that is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    found: String,
    advice: String,
}

impl Finding {
    fn well(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Well, found: found.into(), advice: String::new() }
    }

    fn warning(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, found: found.into(), advice: advice.into() }
    }

    fn failed(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Failed, found: found.into(), advice: advice.into() }
    }

    fn json(&self) -> Value {
        let result = match self.verdict {
            Verdict::Well => "ok",
            Verdict::Warning => "warning",
            Verdict::Failed => "failed",
        };
        json!({ "check": self.check, "result": result, "found": self.found, "advice": self.advice })
    }
}

/// Does what the command says.
pub(super) fn run(options: DoctorOptions) -> ExitCode {
    let DoctorOptions { config, data_dir, output } = options;
    let findings = findings(config, data_dir);
    let failed = findings.iter().filter(|finding| finding.verdict == Verdict::Failed).count();
    let rows = findings.iter().map(Finding::json).collect();
    let told = output.list(rows, &["check", "result", "found", "advice"]);
    let result = told.and_then(|()| match failed {
        0 => Ok(()),
        failed => {
            Err(Failure::new(exit::CONFIGURATION, format!("{failed} of {} checks failed", findings.len())))
        }
    });
    result.map_or_else(|failure| failure.tell(), |()| ExitCode::SUCCESS)
}

fn findings(file: Option<PathBuf>, data_dir: Option<PathBuf>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let config = match load(file, data_dir) {
        Ok(loaded) => {
            findings.push(configuration(&loaded));
            loaded.config
        }
        Err(mistakes) => {
            let told = mistakes.to_string().lines().collect::<Vec<_>>().join("; ");
            let advice = "'leveret config check' says the same, a line each.";
            findings.push(Finding::failed("configuration", told, advice));
            Config::default()
        }
    };
    let running = running::look(&config.data_dir);
    findings.extend(directory::look(&config, running.is_some()));
    findings.extend(machine::look(&config));
    findings.extend(running::findings(&config, running.as_ref()));
    findings
}

fn load(file: Option<PathBuf>, data_dir: Option<PathBuf>) -> Result<Loaded, Mistakes> {
    let key = Key::named("data_dir");
    let flags = data_dir.zip(key).map(|(dir, key)| {
        let texts = vec![dir.to_string_lossy().into_owned()];
        Given { key, texts, origin: Origin::Flag(key.flag()) }
    });
    let environment = Environment::of_process();
    Sources { file, flags: flags.into_iter().collect(), environment, ..Sources::default() }.load()
}

fn configuration(loaded: &Loaded) -> Finding {
    let files: Vec<String> = loaded.files.iter().map(|path| path.display().to_string()).collect();
    let read = if files.is_empty() { "no file, defaults".to_owned() } else { files.join(", ") };
    match loaded.remarks.first() {
        None => Finding::well("configuration", read),
        Some(first) => Finding::warning(
            "configuration",
            format!("{read}; {first}"),
            "'leveret config check' tells all remarks.",
        ),
    }
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = units.into_iter().find(|(_, each)| bytes >= *each);
    unit.map_or_else(|| format!("{bytes} bytes"), |(name, each)| format!("{} {name}", bytes / each))
}
