//! What can happen to a queue, as random programs have it.

use proptest::prelude::*;
use proptest::sample::Index;

use super::super::core::Settlement;
use crate::place::JournalFile;
use crate::store::stored::OutBlock;

/// A message to be published.
#[derive(Clone, Debug)]
pub(super) struct Published {
    /// The size of its body in bytes.
    pub(super) body: usize,
    pub(super) persistent: bool,
    /// In milliseconds.
    pub(super) expiration: Option<u64>,
    pub(super) group: Option<u8>,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Publish(Vec<Published>),
    /// So much time goes by, in milliseconds.
    Time(u64),
    Consume {
        inbox: usize,
        prefetch: u16,
        no_ack: bool,
        priority: i64,
        exclusive: bool,
        shares_credit: bool,
    },
    Settle(Vec<Index>, Settlement),
    Stop(Index),
    Cancel(Index),
    Get {
        no_ack: bool,
    },
    Purge,
    Send(usize),
    End(usize),
    ShareCredit(Index),
    /// The journal goes on in its next file.
    NextFile,
    PageOut {
        /// Everything, unless somebody consumes, when there is none.
        keep: Option<usize>,
        bytes_max: usize,
    },
    Checkpoint,
    /// An operator looks at what is ready, and takes some of it out of its places.
    TakeOut(Vec<Index>),
    /// Some of that leaves, or goes back.
    PutBack {
        which: Vec<Index>,
        back: bool,
    },
    /// What is on its way to the disk comes there, in the journal or in a segment, or not.
    Write {
        carry: bool,
        fails: bool,
    },
    /// A block is read, or found to be damaged.
    Read {
        which: Index,
        damaged: bool,
    },
    /// The broker is killed and starts again.
    Restart,
}

pub(super) const INBOXES: usize = 3;

/// Any of them.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let body = prop_oneof![8 => 8_usize..200, 1 => 8_000_usize..9_000];
    let group = prop_oneof![1 => Just(None), 4 => (0..4_u8).prop_map(Some)];
    let expiration = prop::option::weighted(0.6, 1..4000_u64);
    let published = (body, prop::bool::weighted(0.7), expiration, group)
        .prop_map(|(body, persistent, expiration, group)| Published { body, persistent, expiration, group });
    let settlement = prop_oneof![4 => Just(Settlement::Discard), 1 => Just(Settlement::Requeue), 1 => Just(Settlement::Return)];
    let consume = (
        (0..INBOXES, 0..4_u16, any::<bool>(), -1..=1_i64),
        prop::bool::weighted(0.08),
        prop::bool::weighted(0.4),
    );
    prop_oneof![
        9 => prop::collection::vec(published, 1..9).prop_map(Step::Publish),
        3 => (0..1500_u64).prop_map(Step::Time),
        4 => consume.prop_map(|((inbox, prefetch, no_ack, priority), exclusive, shares_credit)| {
            Step::Consume { inbox, prefetch, no_ack, priority, exclusive, shares_credit: shares_credit && !no_ack }
        }),
        6 => (prop::collection::vec(any::<Index>(), 1..4), settlement).prop_map(|(which, settlement)| {
            Step::Settle(which, settlement)
        }),
        1 => any::<Index>().prop_map(Step::Stop),
        2 => any::<Index>().prop_map(Step::Cancel),
        2 => any::<bool>().prop_map(|no_ack| Step::Get { no_ack }),
        1 => Just(Step::Purge),
        5 => (0..INBOXES).prop_map(Step::Send),
        1 => (0..INBOXES).prop_map(Step::End),
        1 => any::<Index>().prop_map(Step::ShareCredit),
        3 => Just(Step::NextFile),
        7 => (prop::option::of(0..3_usize), 100..5_000_usize).prop_map(|(keep, bytes_max)| Step::PageOut { keep, bytes_max }),
        3 => Just(Step::Checkpoint),
        10 => (any::<bool>(), prop::bool::weighted(0.1)).prop_map(|(carry, fails)| Step::Write { carry, fails }),
        8 => (any::<Index>(), prop::bool::weighted(0.03)).prop_map(|(which, damaged)| Step::Read { which, damaged }),
        4 => prop::collection::vec(any::<Index>(), 0..6).prop_map(Step::TakeOut),
        4 => (prop::collection::vec(any::<Index>(), 1..6), any::<bool>()).prop_map(|(which, back)| Step::PutBack { which, back }),
        1 => Just(Step::Restart),
    ]
}

/// What is on its way to the disk, from the pager or from a checkpoint through this file.
pub(super) struct Outgoing {
    pub(super) blocks: Vec<OutBlock>,
    pub(super) through: Option<JournalFile>,
    /// The file that was written when this was taken from the queue: what is settled since is so in this one or a later.
    pub(super) file: JournalFile,
}
