//! `leveret messages`: published, looked at, taken out of queues, moved.

mod browse;
mod get;
mod publish;
mod scheduled;
mod transfer;

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
  leveret messages get orders -o json
  leveret messages browse orders --header tenant=a --min-age 5m  looks, and changes nothing
  leveret messages browse orders --state unacked                 who holds what
  leveret messages move orders archive --limit 1000 --rate 100
  leveret messages move orders --to-exchange shop --with-key order.again --body refund
  leveret messages redrive dead --dry-run                        where dead letters would go
  leveret messages redrive dead --routing-key order.paid
  leveret messages scheduled ls reminders
  leveret messages scheduled reschedule reminders 1764000000000-7 --in 2h
  leveret messages scheduled cancel reminders 1764000000000-7 --yes";

/// Publish messages, look at them, take them out of queues, move and redrive them.
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
    /// Look at the messages of a queue. Nothing is taken, nothing changes.
    Browse(browse::Browsing),
    /// Move messages from a queue to another, or to an exchange.
    Move(transfer::Moving),
    /// Send dead letters back to where they died.
    Redrive(transfer::Redriving),
    /// List, reschedule and cancel messages that wait for a time.
    #[command(subcommand)]
    Scheduled(scheduled::Scheduled),
}

/// Does what the command says.
pub(in crate::cli) fn run(options: MessagesOptions) -> ExitCode {
    let MessagesOptions { verb, vhost, desk } = options;
    desk.run(|desk| {
        let vhost = desk.vhost(vhost.given());
        match verb {
            Verb::Publish(publication) => publication.run(desk, &vhost),
            Verb::Get(getting) => getting.run(desk, &vhost),
            Verb::Browse(browsing) => browsing.run(desk, &vhost),
            Verb::Move(moving) => moving.run(desk, &vhost),
            Verb::Redrive(redriving) => redriving.run(desk, &vhost),
            Verb::Scheduled(scheduled) => scheduled.run(desk, &vhost),
        }
    })
}

/// `leveret publish`, which is short for `leveret messages publish`.
pub(in crate::cli) fn publish(options: PublishOptions) -> ExitCode {
    let PublishOptions { publication, vhost, desk } = options;
    desk.run(|desk| publication.run(desk, &desk.vhost(vhost.given())))
}
