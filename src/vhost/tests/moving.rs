//! What is moved in a virtual host that keeps things, and a loss of power meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::scheduled::{Kept, WAYS};
use super::*;
use crate::queue::options::QueueOptions;
use crate::queue::queue::Walk;
use crate::queue::ready::Seen;
use crate::vhost::moving::{Going, MoveTo, Rooms, Stays};
use crate::vhost::routing::Found;

fn seen(kept: &Kept) -> Vec<Seen> {
    let (mut walk, mut all) = (Walk::default(), Vec::new());
    while let Some(part) = walk.next(&kept.queue).unwrap() {
        all.extend(part);
    }
    all
}

fn may_go(kept: &Kept, seen: &Seen, to: &MoveTo) -> Result<Going, Stays> {
    let (mut rooms, mut found) = (Rooms::default(), Found::default());
    kept.vhost.may_go((&kept.queue, seen), to, (&mut rooms, &mut found), &mut |_, _| true)
}

#[test]
fn a_message_that_moves_is_in_one_place_whenever_the_power_goes() {
    let kept = Kept::new();
    let options = QueueOptions { durable: true, ..QueueOptions::default() };
    for name in ["to", "too"] {
        kept.vhost.queue_declare(Some(QueueName::from(name)), &options, MINE).unwrap();
    }
    for target in ["to", "too"] {
        let ends = BindingEnds {
            source: "amq.fanout",
            destination: Destination::Queue(target, MINE),
            binding_key: "",
            arguments: Table::EMPTY,
        };
        kept.vhost.bind(&ends).unwrap();
    }
    let bodies: Vec<String> = (0..30).map(|number| format!("{number:02}")).collect();
    for body in &bodies {
        kept.publish("", Duration::ZERO, body);
    }
    let check = |kept: &Kept, seed: u64, is_over: bool| {
        let found = kept.after_power_loss(seed);
        for (at, body) in bodies.iter().enumerate() {
            let of_it = found.iter().filter(|(found, _)| found == body).count();
            let copies = if at < 20 { 1 } else { 2 };
            let is_right = of_it == copies || (!is_over && of_it == 1);
            assert!(is_right, "{body} is there {of_it} times with seed {seed}");
        }
    };
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let by_exchange = MoveTo::Exchange { name: "amq.fanout".into(), routing_key: None };
            for (count, at_once, to) in [
                (10, 1, &MoveTo::Queue("to".into())),
                (10, 5, &MoveTo::Queue("too".into())),
                (10, 1, &by_exchange),
            ] {
                for _ in 0..count / at_once {
                    let wanted: Vec<Seen> = seen(&kept).into_iter().take(at_once).collect();
                    let going = wanted.iter().map(|seen| may_go(&kept, seen, to).unwrap()).collect();
                    let moved = kept.vhost.move_out(&kept.queue, going).unwrap();
                    assert_eq!((moved.count, moved.stay.len()), (at_once as u64, 0));
                    assert!(kept.vhost.stored().unwrap().journal.wait(moved.until.unwrap()));
                }
            }
            is_over.store(true, Ordering::Release);
        });
        for seed in 0.. {
            let was_over = is_over.load(Ordering::Acquire);
            check(&kept, seed, was_over);
            if was_over {
                break;
            }
        }
    });
    (0..WAYS).for_each(|seed| check(&kept, seed, true));
    assert_eq!(kept.queue.status().unwrap().ready, 0);
}

#[test]
fn what_is_gone_meanwhile_is_told_and_moved_once() {
    let kept = Kept::new();
    kept.vhost.queue_declare(Some(QueueName::from("to")), &QueueOptions::default(), MINE).unwrap();
    for body in ["a", "b"] {
        kept.publish("", Duration::ZERO, body);
    }
    let all = seen(&kept);
    let to = MoveTo::Queue("to".into());
    let going = || all.iter().map(|seen| may_go(&kept, seen, &to).unwrap()).collect::<Vec<_>>();
    let (first, second) = (going(), going());
    assert_eq!(kept.vhost.move_out(&kept.queue, first).unwrap().count, 2);
    let again = kept.vhost.move_out(&kept.queue, second).unwrap();
    assert_eq!((again.count, again.stay.get(&Stays::Gone)), (0, Some(&2)));
    assert_eq!(kept.vhost.queues().get("to").unwrap().status().unwrap().ready, 2);
    assert_eq!(may_go(&kept, &all[0], &MoveTo::Queue("q".into())).err(), Some(Stays::WouldComeBack));
    assert_eq!(may_go(&kept, &all[0], &MoveTo::Queue("none".into())).err(), Some(Stays::NoTarget));
}
