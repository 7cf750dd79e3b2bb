//! `leveret consumers`: who takes messages out of queues.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::listing::{Kind, ListFlags};
use super::vhost::VhostFlag;
use crate::cli::desk::DeskFlags;

const EXAMPLES: &str = "\
Examples:
  leveret consumers ls                                        all that you may see
  leveret consumers ls -p / -o json
  leveret consumers ls --sort prefetch_count --reverse
  leveret consumers ls --columns queue.name,consumer_tag,active";

const COLUMNS: [&str; 8] = [
    "queue.vhost",
    "queue.name",
    "consumer_tag",
    "channel_details.name",
    "ack_required",
    "prefetch_count",
    "active",
    "activity_status",
];

/// List consumers.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "consumer")]
pub(in crate::cli) struct ConsumersOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List consumers; a name is that of a consumer's tag.
    #[command(visible_alias = "list")]
    Ls(ListFlags),
}

/// Does what the command says.
pub(in crate::cli) fn run(options: ConsumersOptions) -> ExitCode {
    let ConsumersOptions { verb: Verb::Ls(flags), vhost, desk } = options;
    desk.run(|desk| {
        let vhost = desk.vhost_of_list(vhost.given());
        let parts: Vec<&str> = ["consumers"].into_iter().chain(vhost.as_deref()).collect();
        flags.show(desk, &Kind { parts: &parts, columns: &COLUMNS, name: "consumer_tag" })
    })
}
