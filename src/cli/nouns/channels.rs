//! `leveret channels`: what connections are divided into.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::listing::{Kind, ListFlags};
use super::vhost::VhostFlag;
use crate::cli::client::path;
use crate::cli::desk::DeskFlags;

const EXAMPLES: &str = "\
Examples:
  leveret channels ls                                            all that you may see
  leveret channels ls -p / --sort messages_unacknowledged --reverse
  leveret channels ls --columns name,prefetch_count,consumer_count -o csv
  leveret channels ls --of-connection '127.0.0.1:52771 -> 127.0.0.1:5672'
  leveret channels show '127.0.0.1:52771 -> 127.0.0.1:5672 (1)'";

const COLUMNS: [&str; 8] = [
    "name",
    "user",
    "vhost",
    "state",
    "consumer_count",
    "prefetch_count",
    "messages_unacknowledged",
    "messages_unconfirmed",
];

/// List and show channels.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "channel")]
pub(in crate::cli) struct ChannelsOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List channels.
    #[command(visible_alias = "list")]
    Ls {
        /// Only those of this connection
        #[arg(long, value_name = "NAME", conflicts_with = "vhost")]
        of_connection: Option<String>,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Show all that is told of a channel.
    Show {
        /// The channel, as it is listed.
        name: String,
    },
}

/// Does what the command says.
pub(in crate::cli) fn run(options: ChannelsOptions) -> ExitCode {
    let ChannelsOptions { verb, vhost, desk } = options;
    desk.run(|desk| match verb {
        Verb::Ls { of_connection, list } => {
            let vhost = desk.vhost_of_list(vhost.given());
            let parts = match (&of_connection, &vhost) {
                (Some(connection), _) => vec!["connections", connection, "channels"],
                (None, Some(vhost)) => vec!["vhosts", vhost, "channels"],
                (None, None) => vec!["channels"],
            };
            list.show(desk, &Kind { parts: &parts, columns: &COLUMNS, name: "name" })
        }
        Verb::Show { name } => desk.output.clone().watched(|| {
            let found = desk.find(&path(&["channels", &name]), &format!("channel '{name}'"))?;
            desk.output.object_in_order(found, &COLUMNS)
        }),
    })
}
