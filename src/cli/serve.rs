//! `leveret serve`: runs the broker.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use tokio::runtime::Runtime;

use super::flags::ConfigFlags;
use super::{beside_rabbitmq, exit};
use crate::broker::{self, StartError, StopSignals, Stopped};
use crate::config::{Key, Loaded, Origin, Sources};
use crate::log;

pub(super) const EXAMPLES: &str = "\
Examples:
  leveret                                              serve on port 5672, data in ./leveret-data
  leveret --listen 127.0.0.1:5672 --listen [::1]:5672  on these addresses only
  leveret --listen 127.0.0.1:0                         on a free port, which the log names
  leveret --data-dir /var/lib/leveret --memory-limit 2GiB --log-format json
  leveret --config rabbitmq.conf                       as RabbitMQ's configuration says
  LEVERET_HEARTBEAT=30 leveret                         every flag is a variable, too

Flags go before the environment, the environment before files. 'leveret config show' tells what holds,
'leveret config example' has every key of a configuration file.";

/// Flags of the server; what is not given is as the environment, a file, or the default says.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeOptions {
    #[command(flatten)]
    pub(super) flags: ConfigFlags,
}

/// What hears of a stop.
pub(super) struct Ear {
    runtime: Runtime,
    signals: StopSignals,
}

impl Ear {
    /// Hears from now on. The first process of a container should have one before anything else: a signal that it does not wait
    /// for yet is nothing to it.
    pub(super) fn open() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signals = runtime.block_on(async { StopSignals::new() })?;
        Ok(Self { runtime, signals })
    }

    /// Does something that may take long, and says what came of it; nothing if a signal came before it was done. It is left
    /// as it is then: the process is to end.
    pub(super) fn unless_told<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let Self { runtime, mut signals } = self;
        let (done, outcome) = tokio::sync::oneshot::channel();
        let working = std::thread::spawn(move || done.send(work()).is_ok());
        let outcome = runtime.block_on(async {
            let outcome = tokio::select! {
                biased;
                () = signals.told() => None,
                outcome = outcome => Some(outcome),
            };
            // One that came before the end of the work may not have been looked at: the runtime looks whenever it is idle.
            tokio::task::yield_now().await;
            tokio::select! {
                biased;
                () = signals.told() => None,
                () = std::future::ready(()) => outcome,
            }
        });
        // It has nothing to do any more: whoever goes on is alone.
        match (outcome?, working.join()) {
            (_, Err(panic)) => std::panic::resume_unwind(panic),
            (outcome, Ok(_)) => outcome.ok(),
        }
    }
}

/// Serves until it is told to stop.
pub(super) fn run(options: ServeOptions, ear: io::Result<Ear>, started: Instant) -> ExitCode {
    let ear = match ear {
        Ok(ear) => ear,
        Err(error) => return refuse(exit::UNAVAILABLE, &error),
    };
    let sources = options.flags.sources();
    let loaded = match sources.load() {
        Ok(loaded) => loaded,
        Err(mistakes) => return refuse(exit::CONFIGURATION, &mistakes),
    };
    // Declared before the runtime, so that the last lines are written after everything has stopped.
    let log = match log::start(&loaded.config.log) {
        Ok(guard) => guard,
        Err(error) => return refuse(exit::CANNOT_CREATE, &error),
    };
    log::panics::log_from_now_on();
    tell(&loaded, &beside_rabbitmq::remarks(&sources, &loaded));
    let Ear { runtime, signals } = ear;
    match runtime.block_on(serve(loaded, sources, signals, started)) {
        Ok(Stopped::Gracefully) => ExitCode::SUCCESS,
        Ok(Stopped::AtOnce) => {
            drop(log);
            // Without waiting for a thread, whatever it is doing.
            std::process::exit(exit::STOPPED_AT_ONCE.into())
        }
        Ok(Stopped::BeforeItBegan) => {
            drop(log);
            // Likewise: it may be reading for long.
            std::process::exit(0)
        }
        Ok(Stopped::DiskFailed) => ExitCode::from(exit::SOFTWARE),
        Err(error) => refuse(code(&error), &error),
    }
}

async fn serve(
    loaded: Loaded,
    sources: Sources,
    signals: StopSignals,
    started: Instant,
) -> Result<Stopped, StartError> {
    broker::run(loaded.config, sources, signals, started).await
}

/// Says what was read, and what of it is not as it may have been meant.
fn tell(loaded: &Loaded, beside: &[String]) {
    for file in &loaded.files {
        tracing::info!("configuration file: {}", file.display());
    }
    for remark in &loaded.remarks {
        tracing::warn!("configuration: {remark}");
        if !loaded.config.log.is_written() {
            let _ = writeln!(io::stderr(), "leveret: configuration: {remark}");
        }
    }
    for remark in beside {
        tracing::warn!("{remark}");
    }
    if let Some(keys) = without_effect(loaded) {
        tracing::info!("{keys}: without effect, since in_memory keeps nothing");
    }
}

/// The keys that say how to keep what is not kept.
fn without_effect(loaded: &Loaded) -> Option<String> {
    let said = ["data_dir", "durability"]
        .into_iter()
        .filter(|name| Key::named(name).is_some_and(|key| *loaded.origin(key) != Origin::Default));
    let said: Vec<&str> = said.collect();
    (loaded.config.in_memory && !said.is_empty()).then(|| said.join(" and "))
}

fn code(error: &StartError) -> u8 {
    match error {
        StartError::Tls(_) | StartError::Definitions(_) => exit::CONFIGURATION,
        StartError::Directory(error) if error.is_misconfigured() => exit::CONFIGURATION,
        StartError::Store { error, .. } if error.is_of_other_version() => exit::CONFIGURATION,
        StartError::Directory(_)
        | StartError::Store { .. }
        | StartError::PortsFile { .. }
        | StartError::Socket { .. } => exit::CANNOT_CREATE,
        StartError::Listen { .. }
        | StartError::Http { .. }
        | StartError::Inherited(_)
        | StartError::Thread(_) => exit::UNAVAILABLE,
    }
}

/// Says on standard error why there is no broker: the log may be off or unread.
pub(super) fn refuse(code: u8, reason: &dyn std::fmt::Display) -> ExitCode {
    let mut error = io::stderr();
    for line in reason.to_string().lines() {
        let _ = writeln!(error, "leveret: {line}");
    }
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Given;

    #[test]
    fn what_says_how_to_keep_has_no_effect_where_nothing_is_kept() {
        for (said, expected) in [
            (&["data_dir", "durability"][..], None),
            (&["in_memory"], None),
            (&["in_memory", "data_dir"], Some("data_dir")),
            (&["in_memory", "durability"], Some("durability")),
            (&["in_memory", "durability", "data_dir"], Some("data_dir and durability")),
        ] {
            let flags = said.iter().map(|name| {
                let key = Key::named(name).unwrap();
                let text = if *name == "in_memory" { "true" } else { "os" };
                Given { key, texts: vec![text.to_owned()], origin: Origin::Flag(key.flag()) }
            });
            let nowhere = ["/nowhere".into(), "/nowhere".into()];
            let sources = Sources { flags: flags.collect(), directories: nowhere, ..Sources::default() };
            let loaded = sources.load().unwrap();
            assert_eq!(without_effect(&loaded).as_deref(), expected);
        }
    }
}
