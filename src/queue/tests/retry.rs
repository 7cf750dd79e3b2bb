//! Messages that wait until they are tried again.

use std::time::Duration;

use leveret_protocol::properties::Properties;
use leveret_protocol::table::TableBuilder;

use super::super::core::{QueueCore, Taken};
use super::super::groups::{GroupBy, MessageGroups};
use super::super::id::UnackedKey;
use super::super::retry::{Retry, Which};
use super::super::terms::Terms;
use super::*;
use crate::place::{Home, JournalFile, Position, SegmentNumber};
use crate::store::op::{Op, Ops};
use crate::store::restore::RestoredBlock;
use crate::store::segment::block::{Records, push_record};
use crate::store::stored::{BlockPlace, Returns, Standing};
use crate::time::Time;

const FILE: JournalFile = JournalFile(3);
const RETRY: Retry = Retry {
    which: Which::Failed,
    min: Duration::from_millis(100),
    max: Duration::from_millis(250),
    factor: None,
    jitter: 0,
};

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn message(body: &str) -> Message {
    Message::compose("", "q", &[0x10, 0, 2], body.as_bytes()).unwrap()
}

fn retrying(terms: Terms) -> QueueCore {
    let mut core = QueueCore::new(QueueId::fresh(), &QueueOptions::default());
    core.set_terms(Arc::new(Terms { retry: Some(RETRY), ..terms }));
    assert!(core.reads_clock());
    core
}

fn with(bodies: &[&str]) -> QueueCore {
    let mut core = retrying(Terms::default());
    for body in bodies {
        core.publish(message(body), Home::Journal(FILE));
    }
    core
}

fn get(core: &mut QueueCore) -> Option<(String, Option<UnackedKey>)> {
    match core.get(false, &mut Group::default()) {
        Taken::Message(entry, key) => Some((String::from_utf8(entry.message.body().to_vec()).unwrap(), key)),
        Taken::Empty => None,
        Taken::OnDisk => panic!("nothing is on the disk"),
    }
}

/// Takes the first message and gives it back at this time.
fn fail(core: &mut QueueCore, now: u64, settlement: Settlement) -> Group {
    let (_, key) = get(core).unwrap();
    let mut group = Group::default();
    core.at(at(now));
    core.settle(&[key.unwrap()], settlement, &mut group);
    group
}

fn ready(core: &mut QueueCore) -> Vec<String> {
    std::iter::from_fn(|| get(core)).map(|(body, _)| body).collect()
}

#[test]
fn what_waits_is_seen_by_nobody_and_goes_back_to_its_place_when_it_is_due() {
    let mut core = with(&["a", "b", "c"]);
    let group = fail(&mut core, 1000, Settlement::Requeue);
    let ops: Vec<_> = Ops::new(group.bytes()).map(Result::unwrap).collect();
    let expected = Returns { acquired: 1, deliveries: 1, due: at(1100) };
    assert!(matches!(&ops[..], [Op::Requeue { position: Position(0), returns, .. }] if *returns == expected));
    assert_eq!((core.ready(), core.unacked(), core.retrying()), (2, 0, 1));
    assert!(core.is_timed());
    assert_eq!(core.next_due(), at(1100));
    core.expire(at(1099));
    assert_eq!((core.ready(), core.retrying()), (2, 1));
    core.expire(at(1100));
    assert_eq!((core.ready(), core.retrying(), core.next_due()), (3, 0, Time::NEVER));
    assert_eq!(ready(&mut core), ["a", "b", "c"]);
}

#[test]
fn each_time_it_waits_longer_and_only_for_what_is_to_wait() {
    let mut core = with(&["a"]);
    for (now, settlement, due) in [
        (1000, Settlement::Requeue, Some(1100)),
        (2000, Settlement::Return, None),
        (3000, Settlement::Unsent, None),
        (4000, Settlement::Requeue, Some(4200)),
        (5000, Settlement::Requeue, Some(5250)),
    ] {
        fail(&mut core, now, settlement);
        assert_eq!(core.next_due(), due.map_or(Time::NEVER, at), "{now}");
        if let Some(due) = due {
            assert_eq!(get(&mut core).map(|(body, _)| body), None, "{now}");
            core.expire(at(due));
        }
    }
    assert_eq!(ready(&mut core), ["a"]);
}

#[test]
fn a_consumer_gets_others_for_what_waits_and_it_when_it_is_due() {
    let (mut core, inbox) = (with(&["a", "b"]), Inbox::new(1, 1 << 30));
    core.consume(Consumer { prefetch: 1, ..consumer(&inbox, 0) }).unwrap();
    let taken = |core: &mut QueueCore| {
        core.deliver();
        core.hand_over();
        inbox.drain()
    };
    let first = taken(&mut core);
    core.at(at(1000));
    core.settle(&[first[0].unacked.unwrap()], Settlement::Requeue, &mut Group::default());
    let second = taken(&mut core);
    assert_eq!(second[0].message.body(), b"b");
    core.settle(&[second[0].unacked.unwrap()], Settlement::Discard, &mut Group::default());
    assert!(taken(&mut core).is_empty());
    core.expire(at(1100));
    let again = taken(&mut core);
    assert_eq!(
        (again[0].message.body(), again[0].redelivered, again[0].tells_returns),
        (&b"a"[..], true, true)
    );
    assert_eq!(again[0].returns, Returns::failed(1));
}

#[test]
fn one_that_failed_too_often_or_waited_too_long_does_not_come_back() {
    let mut core = retrying(Terms { delivery_limit: Some(1), ..Terms::default() });
    core.publish(message("a"), Home::Transient);
    fail(&mut core, 1000, Settlement::Requeue);
    core.expire(at(1100));
    fail(&mut core, 2000, Settlement::Requeue);
    assert_eq!((core.ready(), core.unacked(), core.retrying()), (0, 0, 0));

    let mut core = retrying(Terms { message_ttl: Some(Duration::from_millis(50)), ..Terms::default() });
    let mut old = message("old");
    old.arrive(at(1000));
    core.publish(old, Home::Transient);
    fail(&mut core, 1010, Settlement::Requeue);
    assert_eq!((core.retrying(), core.next_due()), (1, at(1110)), "what waits does not expire");
    core.expire(at(1110));
    assert_eq!((core.ready(), core.unacked(), core.retrying()), (0, 0, 0), "before anybody gets it");
}

#[test]
fn a_purge_takes_what_is_ready_and_leaves_what_waits() {
    let mut core = with(&["a", "b"]);
    fail(&mut core, 1000, Settlement::Requeue);
    assert_eq!(core.purge(&mut Group::default()), 1);
    core.expire(at(1100));
    assert_eq!(ready(&mut core), ["a"]);
}

#[test]
fn what_waited_in_an_earlier_broker_waits_on_whether_it_was_in_the_journal_or_in_a_segment() {
    let groups = MessageGroups { by: GroupBy::Header("of nobody".into()), look_ahead: 100 };
    for message_groups in [None, Some(groups)] {
        let options = QueueOptions { message_groups, ..QueueOptions::default() };
        let mut core = QueueCore::new(QueueId::fresh(), &options);
        core.set_terms(Arc::new(Terms { retry: Some(RETRY), ..Terms::default() }));
        waits_on(core);
    }
}

/// See above: of a queue without messages.
fn waits_on(mut core: QueueCore) {
    let waits = |due| Returns { acquired: 2, deliveries: 1, due: at(due) };
    let mut records = bytes::BytesMut::new();
    for body in ["s0", "s1", "s2", "s3"] {
        push_record(&mut records, u16::from(body != "s0"), &message(body));
    }
    let place = BlockPlace {
        segment: SegmentNumber(1),
        journalled: true,
        index: 0,
        offset: 0,
        len: u32::try_from(records.len()).unwrap(),
        crc: 0,
    };
    let block = RestoredBlock {
        place,
        first: Position(0),
        last: Position(3),
        count: 4,
        bytes: 8,
        alive: None,
        standing: Standing::default(),
    };
    let known = vec![
        (Position(0), waits(1500)),
        (Position(1), waits(1200)),
        (Position(3), waits(1300)),
        (Position(4), waits(1400)),
        (Position(5), Returns::failed(1)),
    ];
    let waits_there = |at: Position| [0, 1, 3].contains(&at.0);
    let all = Records::new(Position(0), records.clone().freeze());
    let [waiting, ready_ones] = block.divide(all.clone(), waits_there);
    core.restore(Position(6), Position(6), ready_ones.into_iter().collect(), known);
    core.restore_waiting(&waiting.unwrap(), all);
    core.push_restored(Position(4), waits(1400), Home::Journal(FILE), message("j4"));
    core.push_restored(Position(5), Returns::failed(1), Home::Journal(FILE), message("j5"));
    assert_eq!((core.ready(), core.retrying()), (2, 4), "as it was");
    core.expire(at(1000));
    assert!(matches!(core.get(false, &mut Group::default()), Taken::OnDisk));
    let mut loads = core.take_loads();
    loads.dedup();
    assert_eq!(loads, [place]);
    core.loaded(place, Ok(&records.freeze())).unwrap();
    assert_eq!(ready(&mut core), ["s2", "j5"]);
    assert_eq!((core.ready(), core.retrying()), (0, 4));
    for (now, expected) in [(1199, &[][..]), (1300, &["s1", "s3"]), (1450, &["j4"]), (1500, &["s0"])] {
        core.expire(at(now));
        assert_eq!(ready(&mut core), expected, "{now}");
    }
    assert_eq!(core.unacked(), 6);
}

#[test]
fn what_waits_is_carried_with_its_time_when_the_journal_gives_its_file_up() {
    let mut core = with(&["a", "b"]);
    fail(&mut core, 1000, Settlement::Requeue);
    let blocks = core.alive_through(FILE);
    let known: Vec<_> = blocks.iter().flat_map(|block| block.returns.clone()).collect();
    assert_eq!(known, [(Position(0), Returns { acquired: 1, deliveries: 1, due: at(1100) })]);
    assert_eq!(blocks.iter().map(|block| block.count).sum::<u32>(), 2);
}

#[test]
fn a_queue_whose_messages_do_not_wait_reads_no_clock() {
    let mut core = QueueCore::new(QueueId::fresh(), &QueueOptions::default());
    core.set_terms(Arc::new(Terms { max_length: Some(9), ..Terms::default() }));
    assert!(!core.reads_clock());
    let headers = TableBuilder::new().long("x-retry-delay", 500).finish();
    let properties = Properties::EMPTY.with_headers(headers.as_table());
    core.publish(Message::compose("", "q", &properties, b"a").unwrap(), Home::Transient);
    fail(&mut core, 1000, Settlement::Requeue);
    assert_eq!((core.ready(), core.retrying()), (1, 0));
}

#[test]
fn nothing_more_of_a_group_goes_out_while_one_of_it_waits() {
    let options = QueueOptions {
        message_groups: Some(MessageGroups { by: GroupBy::RoutingKey, look_ahead: 100 }),
        ..QueueOptions::default()
    };
    let mut core = QueueCore::new(QueueId::fresh(), &options);
    core.set_terms(Arc::new(Terms { retry: Some(RETRY), ..Terms::default() }));
    for (key, body) in [("x", "x0"), ("x", "x1"), ("y", "y0"), ("x", "x2")] {
        core.publish(Message::compose("", key, &[0, 0], body.as_bytes()).unwrap(), Home::Transient);
    }
    fail(&mut core, 1000, Settlement::Requeue);
    assert_eq!((core.retrying(), ready(&mut core)), (1, vec!["y0".to_owned()]));
    core.expire(at(1100));
    let (body, key) = get(&mut core).unwrap();
    assert_eq!(
        (&*body, get(&mut core).map(|(body, _)| body)),
        ("x0", None),
        "the group is his who has its first"
    );
    core.settle(&[key.unwrap()], Settlement::Discard, &mut Group::default());
    assert_eq!(get(&mut core).map(|(body, _)| body), Some("x1".into()));
}
