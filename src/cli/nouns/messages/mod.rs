//! `leveret messages`: published, and taken out of queues.

mod get;
mod publish;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::vhost::VhostFlag;
use crate::cli::desk::DeskFlags;

pub(in crate::cli) use publish::PublishOptions;

const EXAMPLES: &str = "\
Examples:
  leveret messages publish orders order.paid '{\"id\":5}' --property content_type=application/json
  leveret messages publish '' orders - < body.txt                to a queue by its name, from standard input
  leveret messages get orders                                    takes one message out of a queue
  leveret messages get orders --count 5 --requeue                looks at five, and puts them back as redelivered
  leveret messages get orders -o json";

/// Publish messages, and take them out of queues.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "message")]
pub(in crate::cli) struct MessagesOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Publish a message to an exchange.
    Publish(publish::Publication),
    /// Take messages out of a queue, or look at them and put them back.
    Get(get::Getting),
}

/// Does what the command says.
pub(in crate::cli) fn run(options: MessagesOptions) -> ExitCode {
    let MessagesOptions { verb, vhost, desk } = options;
    desk.run(|desk| {
        let vhost = desk.vhost(vhost.given());
        match verb {
            Verb::Publish(publication) => publication.run(desk, &vhost),
            Verb::Get(getting) => getting.run(desk, &vhost),
        }
    })
}

/// `leveret publish`, which is short for `leveret messages publish`.
pub(in crate::cli) fn publish(options: PublishOptions) -> ExitCode {
    let PublishOptions { publication, vhost, desk } = options;
    desk.run(|desk| publication.run(desk, &desk.vhost(vhost.given())))
}
