//! The numbers that are sampled of each kind of thing, and where each stands among them.

use super::QueueTotals;
use crate::count::{Churn, Event, FlowCounts, GivenCounts, MessageCounts, TrafficCounts, What};
use crate::queue::queue::Observation;

/// Messages in queues.
const READY: usize = 0;
const UNACKED: usize = 1;

/// Of a queue.
pub(super) const QUEUE: usize = 12;
const PUBLISH: usize = 2;
const DELIVER: usize = 3;
const DELIVER_NO_ACK: usize = 4;
const GET: usize = 5;
const GET_NO_ACK: usize = 6;
const GET_EMPTY: usize = 7;
const ACK: usize = 8;
const REDELIVER: usize = 9;
const DISK_READS: usize = 10;
const DISK_WRITES: usize = 11;
/// Also of a channel, of a virtual host and of all of them; what channels count of their publishers stands behind it there.
const CONFIRM: usize = 12;
const RETURN_UNROUTABLE: usize = 13;
const DROP_UNROUTABLE: usize = 14;
const RECEIVED: usize = 15;
const SENT: usize = 16;
pub(super) const VHOST: usize = 17;
/// Of all of them, with what comes and goes behind it.
const CHURN: usize = VHOST;
pub(super) const OVERVIEW: usize = CHURN + Event::ALL.len();

/// Of an exchange: what came, and what went on to queues.
pub(super) const EXCHANGE: usize = 2;

/// Of a connection: bytes received and sent.
pub(super) const CONNECTION: usize = 2;

/// Of the node.
pub(super) const NODE: usize = 7;

/// What a queue held and counted.
pub(super) fn of_queue(seen: &Observation) -> [u64; QUEUE] {
    let counts = &seen.counts;
    [
        seen.status.ready as u64,
        seen.status.unacked as u64,
        counts.publish,
        counts.deliver,
        counts.deliver_no_ack,
        counts.get,
        counts.get_no_ack,
        counts.get_empty,
        counts.ack,
        counts.redeliver,
        counts.disk_reads,
        counts.disk_writes,
    ]
}

/// What channels counted; what queues hold and disks did is to be entered.
pub(super) fn of_channels(counts: &MessageCounts) -> [u64; VHOST] {
    let of = |what| counts.of(what);
    [
        0,
        0,
        of(What::Publish),
        of(What::Deliver),
        of(What::DeliverNoAck),
        of(What::Get),
        of(What::GetNoAck),
        of(What::GetEmpty),
        of(What::Ack),
        of(What::Redeliver),
        0,
        0,
        of(What::Confirm),
        of(What::ReturnUnroutable),
        of(What::DropUnroutable),
        0,
        0,
    ]
}

/// What a channel published to an exchange.
pub(super) fn of_flow(counts: &FlowCounts) -> [u64; VHOST] {
    entered(&[
        (PUBLISH, counts.publish),
        (CONFIRM, counts.confirm),
        (RETURN_UNROUTABLE, counts.return_unroutable),
        (DROP_UNROUTABLE, counts.drop_unroutable),
    ])
}

/// What consumers were given.
pub(super) fn of_consumers_given(given: &GivenCounts) -> [u64; VHOST] {
    entered(&[
        (DELIVER, given.deliver),
        (DELIVER_NO_ACK, given.deliver_no_ack),
        (REDELIVER, given.redeliver),
        (ACK, given.ack),
    ])
}

fn entered(some: &[(usize, u64)]) -> [u64; VHOST] {
    let mut values = [0; VHOST];
    for (index, value) in some {
        if let Some(place) = values.get_mut(*index) {
            *place = *value;
        }
    }
    values
}

/// What queues hold, and disks did for them.
pub(super) fn fill(values: &mut [u64; VHOST], held: &QueueTotals) {
    for (index, value) in [
        (READY, held.ready),
        (UNACKED, held.unacked),
        (DISK_READS, held.counts.disk_reads),
        (DISK_WRITES, held.counts.disk_writes),
    ] {
        if let Some(place) = values.get_mut(index) {
            *place = value;
        }
    }
}

/// What came in and went out.
pub(super) fn set_octets(values: &mut [u64; VHOST], traffic: TrafficCounts) {
    let [.., received, sent] = values;
    (*received, *sent) = (traffic.received_bytes, traffic.sent_bytes);
}

/// The same with what came and went.
pub(super) fn of_all(sum: [u64; VHOST], churn: &Churn) -> [u64; OVERVIEW] {
    let mut all = [0; OVERVIEW];
    let events = Event::ALL.map(|event| churn.of(event));
    for (to, from) in all.iter_mut().zip(sum.into_iter().chain(events)) {
        *to = from;
    }
    all
}

/// One of the numbers.
fn at<const N: usize>(values: &[u64; N], index: usize) -> u64 {
    values.get(index).copied().unwrap_or_default()
}

fn messages<const N: usize>(values: &[u64; N]) -> u64 {
    at(values, READY) + at(values, UNACKED)
}

fn deliver_get<const N: usize>(values: &[u64; N]) -> u64 {
    [DELIVER, DELIVER_NO_ACK, GET, GET_NO_ACK].map(|index| at(values, index)).iter().sum()
}

/// A number that is told, by its name.
pub(super) type Named<const N: usize> = (&'static str, fn(&[u64; N]) -> u64);

/// What is told of publishers together, once any of it has happened.
pub(super) const fn of_publishers<const N: usize>() -> [Named<N>; 4] {
    [
        ("publish", |values| at(values, PUBLISH)),
        ("confirm", |values| at(values, CONFIRM)),
        ("return_unroutable", |values| at(values, RETURN_UNROUTABLE)),
        ("drop_unroutable", |values| at(values, DROP_UNROUTABLE)),
    ]
}

/// The same of consumers.
pub(super) const fn of_consumers<const N: usize>() -> [Named<N>; 8] {
    [
        ("ack", |values| at(values, ACK)),
        ("deliver", |values| at(values, DELIVER)),
        ("deliver_get", deliver_get),
        ("deliver_no_ack", |values| at(values, DELIVER_NO_ACK)),
        ("get", |values| at(values, GET)),
        ("get_empty", |values| at(values, GET_EMPTY)),
        ("get_no_ack", |values| at(values, GET_NO_ACK)),
        ("redeliver", |values| at(values, REDELIVER)),
    ]
}

/// The same of consumers alone: what is got is not among it.
pub(super) const fn of_given<const N: usize>() -> [Named<N>; 5] {
    let [ack, deliver, deliver_get, deliver_no_ack, .., redeliver] = of_consumers();
    [ack, deliver, deliver_get, deliver_no_ack, redeliver]
}

/// What is told of what is published to a queue.
pub(super) const fn of_publishes<const N: usize>() -> [Named<N>; 1] {
    [("publish", |values| at(values, PUBLISH))]
}

/// What is told of the disk.
pub(super) const fn of_disk<const N: usize>() -> [Named<N>; 2] {
    [("disk_reads", |values| at(values, DISK_READS)), ("disk_writes", |values| at(values, DISK_WRITES))]
}

/// What queues hold.
pub(super) const fn of_lengths<const N: usize>() -> [Named<N>; 3] {
    [
        ("messages", messages),
        ("messages_ready", |values| at(values, READY)),
        ("messages_unacknowledged", |values| at(values, UNACKED)),
    ]
}

pub(super) const OF_EXCHANGE: [Named<EXCHANGE>; 2] =
    [("publish_in", |values| at(values, 0)), ("publish_out", |values| at(values, 1))];

pub(super) const OF_OCTETS_OF_CONNECTION: [Named<CONNECTION>; 2] =
    [("recv_oct", |values| at(values, 0)), ("send_oct", |values| at(values, 1))];
pub(super) const OF_OCTETS_OF_VHOST: [Named<VHOST>; 2] =
    [("recv_oct", |values| at(values, RECEIVED)), ("send_oct", |values| at(values, SENT))];

pub(super) const OF_NODE: [Named<NODE>; 7] = [
    ("fd_used", |values| at(values, 0)),
    ("sockets_used", |values| at(values, 1)),
    ("mem_used", |values| at(values, 2)),
    ("disk_free", |values| at(values, 3)),
    ("io_write_count", |values| at(values, 4)),
    ("io_write_bytes", |values| at(values, 5)),
    ("io_sync_count", |values| at(values, 6)),
];

/// What comes and goes, in the order of [`Event::ALL`].
pub(super) const OF_CHURN: [Named<OVERVIEW>; 7] = [
    ("connection_created", |values| at(values, CHURN)),
    ("connection_closed", |values| at(values, CHURN + 1)),
    ("channel_created", |values| at(values, CHURN + 2)),
    ("channel_closed", |values| at(values, CHURN + 3)),
    ("queue_declared", |values| at(values, CHURN + 4)),
    ("queue_created", |values| at(values, CHURN + 5)),
    ("queue_deleted", |values| at(values, CHURN + 6)),
];
