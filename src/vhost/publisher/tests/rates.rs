//! Limits on what a client publishes in a second, at moments that the test chooses.

use std::time::Duration;

use super::*;
use crate::queue::terms::Terms;
use crate::rate::{Limited, RateLimit, RateMeter, RateOverflow};
use crate::store::definitions::VhostMetadata;
use crate::time::Time;

const START: Time = Time::from_millis(1_800_000_000_000);

fn at(milliseconds: u64) -> Time {
    START.plus(Duration::from_millis(milliseconds))
}

fn limit(messages: Option<u64>, bytes: Option<u64>, overflow: RateOverflow) -> RateLimit {
    RateLimit::new(messages, bytes, overflow)
}

/// A client's publisher, with queues `a` and `b` in its virtual host.
struct Client {
    kept: Kept,
    queues: [Arc<Queue>; 2],
    published: u64,
    recorded: usize,
}

impl Client {
    fn new(user: RateLimit, vhost: RateLimit, queues: [RateLimit; 2]) -> Self {
        let mut kept = Kept::new();
        kept.vhost.set_metadata(VhostMetadata { publish_rate: vhost, ..VhostMetadata::default() });
        let [a, b] = [("a", true), ("b", false)].map(|(name, journalled)| kept.queue(name, journalled));
        for (queue, limit) in [&a, &b].into_iter().zip(queues) {
            queue.set_terms(Arc::new(Terms { publish_rate: limit, ..Terms::default() }));
        }
        let user = RateMeter::new(user, Limited::User("u".into()));
        kept.publisher = Publisher::of_client(&kept.vhost, user);
        Self { kept, queues: [a, b], published: 0, recorded: 0 }
    }

    /// Publishes a message of ten bytes to one queue, or to both.
    fn publish(&mut self, now: Time, to_both: bool) -> Gathered {
        let Kept { vhost, unit, publisher } = &mut self.kept;
        let mut message = Message::compose("", "a", &[0x10, 0x00, 2], &[b'x'; 10]).unwrap();
        message.arrive(now);
        let others: &[&str] = if to_both { &["b"] } else { &[] };
        let routed = publisher.route(vhost, &message, others, None, unit).unwrap();
        self.published += 1;
        publisher.gather(vhost, routed, message, Origin { channel: 1, number: self.published }, unit)
    }

    /// How much there is in the queues, which publishes were refused, whether the batch was to end, and what is passed.
    fn outcome(&mut self) -> ([usize; 2], Vec<u64>, bool, Vec<String>) {
        let ends = self.kept.publisher.copied_bytes() >= 1 << 30;
        self.kept.publisher.take_copied_bytes();
        let records = self.kept.flushed();
        let ready = self.queues.each_ref().map(|queue| queue.status().unwrap().ready);
        assert!(records.iter().all(|(_, places)| places.len() == 1), "only one queue outlives the broker");
        self.recorded += records.len();
        assert_eq!(self.recorded, ready[0], "what is refused has no record");
        let refused =
            self.kept.publisher.take_refused().iter().map(|refusal| refusal.origin.number).collect();
        let behind = self.kept.publisher.take_behind();
        (ready, refused, ends, behind.iter().filter_map(|one| one.over().map(ToString::to_string)).collect())
    }
}

/// Limits of user, virtual host and queues; then what is ready in the queues, what is refused, and which limit is passed.
type Row<'a> = (RateLimit, RateLimit, [RateLimit; 2], &'a [usize; 2], &'a [u64], Option<&'a str>);

#[test]
fn each_limit_holds_for_what_goes_through_it_and_says_so_or_refuses_the_rest() {
    use RateOverflow::{Block, Reject};
    const NONE: RateLimit = RateLimit::NONE;
    let (two, twenty_bytes) =
        (|overflow| limit(Some(2), None, overflow), |overflow| limit(None, Some(20), overflow));
    let user = "publish rate of user 'u' is over 2 messages a second; it is max-publish-rate of the user";
    let vhost =
        "publish rate of vhost '/' is over 20 bytes a second; it is max-publish-bytes-rate of the vhost";
    let queue = "publish rate of queue 'b' is over 2 messages a second; it is max-publish-rate of the queue";
    let (all, none) = (&[4, 4], &[][..]);
    let table: [Row; 9] = [
        (NONE, NONE, [NONE, NONE], all, none, None),
        (two(Block), NONE, [NONE, NONE], all, none, Some(user)),
        (NONE, twenty_bytes(Block), [NONE, NONE], all, none, Some(vhost)),
        (NONE, NONE, [NONE, two(Block)], all, none, Some(queue)),
        (two(Reject), NONE, [NONE, NONE], &[2, 2], &[3, 4], None),
        (NONE, twenty_bytes(Reject), [NONE, NONE], &[2, 2], &[3, 4], None),
        (NONE, NONE, [NONE, two(Reject)], &[4, 2], &[3, 4], None),
        (NONE, NONE, [two(Reject), two(Reject)], &[2, 2], &[3, 3, 4, 4], None),
        (
            limit(Some(100), None, Reject),
            two(Reject),
            [two(Block), NONE],
            &[2, 2],
            &[3, 4],
            Some(
                "publish rate of queue 'a' is over 2 messages a second; it is max-publish-rate of the queue",
            ),
        ),
    ];
    for (user, vhost, queues, ready, refused, passed) in table {
        let mut client = Client::new(user, vhost, queues);
        for _ in 0..4 {
            client.publish(at(0), true);
        }
        let passed: Vec<String> = passed.into_iter().map(str::to_owned).collect();
        assert_eq!(
            client.outcome(),
            (*ready, refused.to_vec(), !passed.is_empty(), passed.clone()),
            "{user:?} {vhost:?} {queues:?}"
        );
        // A while later there is room for two more.
        client.publish(at(60_000), true);
        client.publish(at(60_000), true);
        let (after, refused, ..) = client.outcome();
        assert_eq!(
            (after, refused.len()),
            ([ready[0] + 2, ready[1] + 2], 0),
            "{user:?} {vhost:?} {queues:?}"
        );
    }
}

#[test]
fn a_message_that_no_queue_takes_is_neither_kept_nor_returned() {
    let rejects = limit(Some(1), None, RateOverflow::Reject);
    for (user, queue) in [(rejects, RateLimit::NONE), (RateLimit::NONE, rejects)] {
        let mut client = Client::new(user, RateLimit::NONE, [queue, RateLimit::NONE]);
        assert_eq!(client.publish(at(0), false), Gathered::Journalled);
        assert_eq!(client.publish(at(0), false), Gathered::Transient);
        assert_eq!(client.outcome(), ([1, 0], vec![2], false, Vec::new()));
        assert_eq!(client.publish(at(1000), false), Gathered::Journalled);
    }
}

#[test]
fn a_limit_that_changes_holds_from_the_next_message_on() {
    let rejects = |messages| limit(Some(messages), None, RateOverflow::Reject);
    let mut client = Client::new(RateLimit::NONE, RateLimit::NONE, [RateLimit::NONE; 2]);
    for number in 1..=3 {
        client.publish(at(number), false);
    }
    assert_eq!(client.outcome().1, [0; 0]);
    client.kept.publisher.limit_user(RateMeter::new(rejects(1), Limited::User("u".into())));
    for _ in 4..=6 {
        client.publish(at(4), false);
    }
    assert_eq!(client.outcome().1, [5, 6]);
    client.kept.publisher.limit_user(None);
    client.kept.vhost.set_metadata(VhostMetadata { publish_rate: rejects(2), ..VhostMetadata::default() });
    for _ in 7..=10 {
        client.publish(at(7), false);
    }
    assert_eq!(client.outcome().1, [9, 10]);
    client.kept.vhost.set_metadata(VhostMetadata::default());
    client.publish(at(11), false);
    assert_eq!(client.outcome(), ([7, 0], Vec::new(), false, Vec::new()));
}

#[test]
fn what_the_broker_publishes_by_itself_is_within_all_limits() {
    let rejects = limit(Some(1), None, RateOverflow::Reject);
    let mut client = Client::new(rejects, rejects, [rejects; 2]);
    client.kept.publisher = Publisher::default();
    for _ in 0..5 {
        client.publish(at(0), true);
    }
    assert_eq!(client.outcome(), ([5, 5], Vec::new(), false, Vec::new()));
}
