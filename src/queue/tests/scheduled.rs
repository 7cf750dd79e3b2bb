//! What waits in a queue for its time.

use leveret_protocol::properties::Properties;
use leveret_protocol::table::TableBuilder;

use super::super::core::{Due, Listed, QueueCore};
use super::super::scheduled::ScheduledId;
use super::super::terms::{Overflow, Terms};
use super::super::waiting::AHEAD;
use super::*;
use crate::place::{Home, JournalFile, Position, SegmentNumber};
use crate::store::restore::RestoredBlock;
use crate::store::segment::block::Records;
use crate::store::stored::{BlockPlace, Returns};
use crate::store::unit::Unit;
use crate::time::Time;

const NOW: u64 = 1_000_000;
const FILE: JournalFile = JournalFile(3);

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

/// A message that arrives at [`NOW`] and asks for a delay.
fn delayed(delay: i32, body: &str) -> Message {
    let headers = TableBuilder::new().int("x-delay", delay).finish();
    let properties = Properties::EMPTY.with_headers(headers.as_table());
    let mut message = Message::compose("", "q", &properties, body.as_bytes()).unwrap();
    message.arrive(at(NOW));
    message
}

fn core_with(terms: Terms) -> QueueCore {
    let mut core = QueueCore::new(QueueId::fresh(), &QueueOptions::default());
    core.set_terms(Arc::new(terms));
    core
}

fn scheduling() -> QueueCore {
    core_with(Terms { scheduled: true, ..Terms::default() })
}

fn bodies(due: &[Due]) -> Vec<String> {
    due.iter().map(|due| String::from_utf8(due.message.body().to_vec()).unwrap()).collect()
}

fn listed(core: &QueueCore) -> Vec<String> {
    let listed = core.list_scheduled(None, usize::MAX);
    let body = |listed: &Listed| match listed {
        Listed::Here(message) => String::from_utf8(message.body().to_vec()).unwrap(),
        Listed::OnDisk { place, .. } => format!("in block {}", place.index),
    };
    listed.iter().map(|(_, listed)| body(listed)).collect()
}

fn due_at(core: &mut QueueCore, now: u64) -> Vec<String> {
    core.expire(at(now));
    let due = core.take_due();
    core.left(due.iter().map(|due| due.key), &mut Group::default());
    bodies(&due)
}

#[test]
fn a_message_waits_for_its_time_out_of_everybodys_sight() {
    let mut core = scheduling();
    assert!(!core.is_timed());
    for (delay, body) in [(50, "c"), (0, "ready"), (20, "a"), (20, "b"), (-1, "ready too")] {
        assert!(core.publish(delayed(delay, body), Home::Transient));
    }
    assert_eq!((core.ready(), core.unacked(), core.scheduled()), (2, 0, 3));
    assert_eq!((core.next_due(), listed(&core)), (at(NOW + 20), vec!["a".into(), "b".into(), "c".into()]));
    assert_eq!(core.unacked_memory(), 0);
    assert_eq!(due_at(&mut core, NOW + 19), [""; 0]);
    assert_eq!(due_at(&mut core, NOW + 20), ["a", "b"]);
    assert_eq!(core.next_due(), at(NOW + 50));
    assert_eq!(due_at(&mut core, NOW + 1000), ["c"]);
    assert_eq!((core.ready(), core.scheduled(), core.is_timed()), (2, 0, false));
}

#[test]
fn without_the_queues_leave_nothing_waits() {
    for terms in [Terms::default(), Terms { max_length: Some(9), ..Terms::default() }] {
        let mut core = core_with(terms);
        core.publish(delayed(1_000_000, "at once"), Home::Transient);
        assert_eq!((core.ready(), core.scheduled()), (1, 0));
    }
}

#[test]
fn what_waits_is_counted_by_no_limit_and_expires_no_sooner_than_it_is_ready() {
    let mut core = core_with(Terms {
        scheduled: true,
        max_length: Some(1),
        overflow: Overflow::RejectPublish,
        message_ttl: Some(std::time::Duration::from_millis(5)),
        ..Terms::default()
    });
    for body in ["a", "b", "c"] {
        assert!(core.publish(delayed(60_000, body), Home::Transient), "{body}");
    }
    core.expire(at(NOW + 1000));
    assert_eq!((core.scheduled(), core.any_dead(), core.take_due().len()), (3, false, 0));
    assert!(core.publish(delayed(0, "ready"), Home::Transient));
    assert!(!core.publish(delayed(0, "one too many"), Home::Transient));
}

#[test]
fn what_is_due_at_once_is_taken_in_slices_and_what_cannot_leave_waits_on() {
    let mut core = scheduling();
    for n in 0..2500 {
        core.publish(delayed(1 + n % 3, &n.to_string()), Home::Transient);
    }
    core.expire(at(NOW + 10));
    let first = core.take_due();
    assert!(first.len() < 2500 && core.next_due() <= at(NOW + 10), "there is more");
    for due in &first {
        core.put_off(due, at(NOW + 500));
    }
    let mut rest = Vec::new();
    while core.next_due() <= at(NOW + 10) {
        rest.extend(due_at(&mut core, NOW + 10));
    }
    assert_eq!((rest.len() + first.len(), core.scheduled()), (2500, first.len()));
    assert_eq!(core.next_due(), at(NOW + 500));
    core.left(first.iter().map(|due| due.key), &mut Group::default());
    let put_off_too_late = &first[0];
    core.put_off(put_off_too_late, at(NOW + 600));
    assert!(due_at(&mut core, NOW + 500).is_empty(), "they have left");
}

#[test]
fn a_purge_and_a_change_of_terms_leave_what_waits() {
    let id = QueueId::fresh();
    let mut core = QueueCore::new(id, &QueueOptions::default());
    core.set_terms(Arc::new(Terms { scheduled: true, ..Terms::default() }));
    core.publish(delayed(5, "waits"), Home::Journal(FILE));
    core.publish(delayed(0, "ready"), Home::Journal(FILE));
    core.publish(delayed(5, "waits too"), Home::Journal(FILE));
    let mut group = Group::default();
    assert_eq!(core.purge(&mut group), 1);
    let mut only_the_ready_one = Group::default();
    only_the_ready_one.settle_range(id, Position(1), Position(1));
    assert_eq!(group.bytes(), only_the_ready_one.bytes());
    core.set_terms(Arc::default());
    assert_eq!(due_at(&mut core, NOW + 5), ["waits", "waits too"]);
}

#[test]
fn what_waits_moves_to_a_segment_and_is_found_there_by_the_next_broker() {
    let mut core = scheduling();
    let kept = |body: &str, delay| delayed(delay, body);
    for (body, delay) in [("b", 30), ("settled", 5), ("ready", 0), ("a", 20)] {
        core.publish(kept(body, delay), Home::Journal(FILE));
    }
    core.expire(at(NOW + 5));
    let settled = core.take_due();
    let blocks = core.alive_through(FILE);
    core.left(settled.iter().map(|due| due.key), &mut Group::default());
    assert_eq!(
        blocks.iter().map(|block| (block.standing.waits, block.count)).collect::<Vec<_>>(),
        [(false, 1), (true, 3)]
    );
    let (mut next, mut on_disk) = (scheduling(), None);
    for (index, block) in (0..).zip(&blocks) {
        let place =
            BlockPlace { segment: SegmentNumber(7), journalled: true, index, offset: 0, len: 0, crc: 0 };
        core.stored(block, place, false);
        if !block.standing.waits {
            continue;
        }
        assert_eq!(block.standing.deadline, at(NOW + 5));
        let state = core.segment_state(SegmentNumber(7)).unwrap();
        let partial = state.partial.iter().find(|partial| partial.index == index).unwrap();
        assert_eq!(partial.count, 2, "one has left meanwhile");
        let restored = RestoredBlock {
            place,
            first: block.first,
            last: block.last,
            count: partial.count,
            bytes: partial.bytes,
            alive: Some(partial.ranges.iter().copied().collect()),
            standing: block.standing,
        };
        next.restore_waiting(&restored, Records::new(block.first, block.bytes.clone()));
        on_disk = Some((place, block.bytes.clone()));
    }
    let (place, bytes) = on_disk.unwrap();
    assert_eq!(
        (listed(&core), listed(&next)),
        (vec!["a".into(), "b".into()], vec!["in block 1".to_owned(); 2])
    );
    assert_eq!((next.scheduled(), next.next_due()), (2, at(NOW + 20).minus(AHEAD)));
    assert_eq!(next.segment_state(SegmentNumber(7)).unwrap().partial[0].count, 2);
    assert!(core.alive_through(FILE).is_empty(), "all of it has another home");
    assert_eq!((due_at(&mut next, NOW + 19), next.take_loads()), (vec![], vec![place]));
    assert_eq!((due_at(&mut next, NOW + 30), next.next_due()), (vec![], Time::NEVER), "it is being read");
    next.loaded(place, Ok(&bytes)).unwrap();
    assert_eq!(next.next_due(), at(NOW + 20));
    assert_eq!(next.segment_state(SegmentNumber(7)).unwrap().partial[0].count, 2);
    assert_eq!(due_at(&mut next, NOW + 30), ["a", "b"]);
    assert_eq!(next.segment_state(SegmentNumber(7)), None);
}

#[test]
fn what_an_earlier_broker_left_in_the_journal_waits_on_though_its_time_has_passed() {
    let mut core = scheduling();
    core.restore(Position(9), Position(9), Vec::new(), Vec::new());
    core.push_restored(Position(3), Returns::default(), Home::Journal(FILE), delayed(70, "second"));
    core.push_restored(Position(4), Returns::default(), Home::Journal(FILE), delayed(-70, "was ready"));
    core.push_restored(Position(5), Returns::default(), Home::Journal(FILE), delayed(50, "first"));
    assert_eq!((core.ready(), core.scheduled(), core.next()), (1, 2, Position(9)));
    assert_eq!(due_at(&mut core, NOW + 100_000), ["first", "second"]);
}

#[test]
fn a_message_is_listed_by_pages_rescheduled_and_cancelled() {
    let queue = Arc::new(Queue::new(QueueName::from("q"), QueueOptions::default(), None));
    queue.register();
    queue.set_terms(Arc::new(Terms { scheduled: true, ..Terms::default() }));
    let far = Time::now().plus(std::time::Duration::from_hours(1));
    let mut messages: Vec<_> = ["a", "b", "c"].map(|body| delayed(3_600_000, body)).into();
    for message in &mut messages {
        message.arrive(Time::now());
    }
    queue.publish(&mut messages, None).unwrap();
    let page = |after, max| -> Vec<(ScheduledId, String)> {
        let listed = queue.scheduled(after, max).unwrap().into_iter();
        listed.map(|one| (one.id, String::from_utf8(one.message.unwrap().body().to_vec()).unwrap())).collect()
    };
    let first = page(None, 2);
    let second = page(Some(first[1].0), 2);
    assert_eq!((&*first[0].1, &*first[1].1, &*second[0].1, second.len()), ("a", "b", "c", 1));
    let mut unit = Unit::default();
    let later = far.plus(std::time::Duration::from_mins(1));
    let moved = queue.reschedule(first[0].0, later, &mut unit).unwrap().unwrap();
    assert_eq!(moved.due, later);
    assert_eq!(page(None, 9).into_iter().map(|(_, body)| body).collect::<String>(), "bca");
    assert_eq!(queue.reschedule(first[0].0, later, &mut unit).unwrap(), None, "it is called otherwise now");
    assert_eq!(queue.cancel_scheduled(moved, &mut unit).unwrap().unwrap().body(), b"a");
    assert!(queue.cancel_scheduled(moved, &mut unit).unwrap().is_none());
    assert_eq!(queue.status().unwrap().scheduled, 2);
    assert_eq!(
        queue.delete(false, true, &mut Group::default()),
        Err(super::super::queue::DeleteRefused::NotEmpty)
    );
    // Into the past: at once.
    queue.reschedule(first[1].0, Time::default(), &mut unit).unwrap().unwrap();
    let inbox = Inbox::new(1, 1_000_000);
    consume(&queue, consumer(&inbox, 0));
    let mut found = Vec::new();
    while found.is_empty() {
        found = inbox.drain();
        std::thread::yield_now();
    }
    let headers = found[0].message.properties().headers().unwrap();
    assert_eq!((found[0].message.body(), headers.get("x-delay")), (&b"b"[..], None));
    assert!(headers.get("x-deliver-at").is_some());
    assert_eq!(queue.status().unwrap().scheduled, 1);
}
