//! `leveret bench`: puts load on any AMQP 0-9-1 broker and reports rates, latencies and what they cost the broker.
//!
//! It shares the processor with the broker that it measures, so it is built to cost little: one thread and one
//! connection a producer or consumer, frames encoded before the run and only their time stamps written into them,
//! large reads and writes, nothing allocated for a message. It knows nothing of Leveret's own broker.

mod churn;
mod confirm_window;
mod connection;
mod consumer;
mod disk;
mod failure;
mod flow;
mod image;
mod interrupt;
mod latency;
mod live;
mod options;
mod pace;
mod process;
mod producer;
mod report;
mod run;
mod skim;
mod socket;
mod topology;
mod url;

pub use options::{ArgumentValue, BenchOptions, QueueType, Scenario};
pub use url::AmqpUrl;

use failure::Failure;
use live::Live;
use report::Report;
use run::Run;
use std::io::{self, Write};
use std::process::ExitCode;

/// Runs the scenario that the options ask for and prints its report.
///
/// The status is 0, or 1 after a failure, which is told on standard error, or 130 when the run was interrupted. Where a
/// broker dies under the load, the report is of what it did until then.
pub fn run(options: &BenchOptions) -> ExitCode {
    let run = Run::new();
    let outcome = measure(options, &run).and_then(|report| {
        report.print(options.json)?;
        report.failure().cloned().map_or(Ok(()), Err)
    });
    match outcome {
        Ok(()) if run.is_interrupted() => ExitCode::from(interrupt::INTERRUPTED),
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where standard error is closed there is nobody to tell; the status still says it.
            let _ = writeln!(io::stderr().lock(), "leveret bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &BenchOptions, run: &std::sync::Arc<Run>) -> Result<Report, Failure> {
    interrupt::listen(run)?;
    let mut live = Live::new(options.pid)?;
    match options.scenario {
        Scenario::Flow | Scenario::Backlog | Scenario::Drain | Scenario::Expire => {
            flow::flow(options, run, &mut live)
        }
        Scenario::Connections => churn::connections(options, run, &mut live),
        Scenario::Queues => churn::queues(options, run, &mut live),
        Scenario::Idle => churn::idle(options, run, &mut live),
        Scenario::Disk => disk::disk(options, run, &mut live),
    }
}
