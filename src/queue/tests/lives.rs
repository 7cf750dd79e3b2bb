//! Random lives of a broker's queues, with the real queue and the real store on a simulated disk: everything that clients do to
//! queues, pages and blocks that come late, checkpoints, stops, kills and losses of power. Every step is compared with a model, and
//! every start with what was promised.
//!
//! There is one thread, and so each life is the same each time: the journal writes when the test says so. What the store asks of
//! a queue or tells it is overtaken by steps of clients. `LEVERET_LIVES` says how many lives there are, `LEVERET_LIFE` which one is the first.

mod clients;
mod log;
mod model;
mod store;

use std::sync::{Arc, Mutex, Weak};

use self::log::Log;
use self::model::{Held, Kept, ModelConsumer};
use self::store::Ended;
use super::*;
use crate::place::{Batch, Position, QueueId};
use crate::store::by_hand::{Between, ByHand};
use crate::store::simulated::{Random, SimDisk};

/// Which message, of all that were published.
type Number = u64;

const INBOXES: usize = 3;
const NAMES: usize = 3;

/// One after the other, brokers on one disk.
struct Lives {
    run: Mutex<Run>,
    me: Weak<Self>,
}

/// The broker at present.
struct Run {
    random: Random,
    disk: Arc<SimDisk>,
    /// What was done on the disks before.
    operations: u64,
    store: Option<Arc<ByHand>>,
    log: Log,
    /// The queue of each name.
    names: [Option<QueueId>; NAMES],
    queues: Vec<Kept>,
    next_queue: u64,
    inboxes: Vec<Arc<Inbox>>,
    getter: Arc<Inbox>,
    /// By their slots.
    consumers: Vec<ModelConsumer>,
    held: Vec<Held>,
    /// Units that touched their queues and are not appended.
    units: Vec<clients::Open>,
    /// Of each message, by its number: how long its body is, and whether it is persistent.
    published: Vec<(usize, bool)>,
    /// How much of each inbox was looked at.
    seen: [usize; INBOXES],
    /// An inbox that was emptied, of which those who wait for room are not told yet.
    emptied: Option<usize>,
    /// The store is at work, and a client comes in between.
    between: bool,
    /// Nobody comes any more.
    is_over: bool,
    steps: u32,
}

impl Lives {
    fn new(seed: u64) -> Arc<Self> {
        let run = Run {
            random: Random::new(seed),
            disk: SimDisk::new(seed),
            operations: 0,
            store: None,
            log: Log::default(),
            names: [None; NAMES],
            queues: Vec::new(),
            next_queue: 0,
            inboxes: Vec::new(),
            getter: Inbox::new(99, 0),
            consumers: Vec::new(),
            held: Vec::new(),
            units: Vec::new(),
            published: Vec::new(),
            seen: [0; INBOXES],
            emptied: None,
            between: false,
            is_over: false,
            steps: 0,
        };
        Arc::new_cyclic(|me| Self { run: Mutex::new(run), me: Weak::clone(me) })
    }

    /// A store is at work: now and then somebody overtakes it.
    fn overtake(&self) {
        let mut run = self.run.try_lock().expect("a call to a queue runs the store");
        if !run.is_over && run.random.one_in(3) && !run.disk.is_crashed() {
            run.between = true;
            for _ in 0..=run.random.below(2) {
                run.client_step();
            }
            run.between = false;
        }
    }

    fn between(&self) -> Between {
        let me = Weak::clone(&self.me);
        Arc::new(move || {
            if let Some(lives) = me.upgrade() {
                lives.overtake();
            }
        })
    }

    /// A life with so many steps, and the end of it.
    fn live(&self, steps: u32) {
        self.start(Ended::NeverBegan, Batch(0));
        for _ in 0..steps {
            self.step();
        }
        self.finish();
    }

    fn step(&self) {
        let mut run = self.run.lock().unwrap();
        run.steps += 1;
        if run.disk.is_crashed() {
            drop(run);
            return self.end();
        }
        match run.random.below(100) {
            0..70 => run.client_step(),
            99 => {
                drop(run);
                self.end();
            }
            which => {
                if which >= 90 {
                    // Else these would wait for units that nobody ends.
                    run.release_units();
                }
                let (store, random) = (Arc::clone(run.store()), run.random.number());
                let queue = run.any_queue().map(|at| run.queues[at].id);
                drop(run);
                self.store_step(&store, which, queue, random);
                self.run.lock().unwrap().observe();
            }
        }
    }

    fn store_step(&self, store: &ByHand, which: u64, queue: Option<QueueId>, random: u64) {
        match which {
            70..76 => {
                if let Some(queue) = queue {
                    store.page_out(queue);
                }
            }
            76..79 => {
                store.page_out_asked();
            }
            79..90 => {
                let reading = store.reading() as u64;
                if reading > 0 {
                    store.load(usize::try_from(random % reading).unwrap());
                }
            }
            90..93 => store.clear_away(),
            93..97 => store.checkpoint(random.is_multiple_of(3)),
            _ => {
                let mut run = self.run.lock().unwrap();
                let operation = run.disk.operations() + run.random.below(40);
                run.disk.crash_at(operation);
            }
        }
    }

    /// Everything is consumed or thrown away: nothing is left of it, on the disk or in memory.
    fn finish(&self) {
        let mut run = self.run.lock().unwrap();
        run.disk.crash_at(u64::MAX);
        if run.disk.is_crashed() {
            drop(run);
            self.end();
            run = self.run.lock().unwrap();
        }
        run.release_units();
        for inbox in 0..INBOXES {
            run.lose(inbox);
        }
        run.end_gets();
        let purges = run.random.one_in(2);
        while run.queues.iter().any(|kept| !kept.ready.is_empty()) {
            for at in 0..run.queues.len() {
                if purges { run.purge(at) } else { run.get(at, true, false) }
            }
            let store = Arc::clone(run.store());
            drop(run);
            while store.reading() > 0 {
                store.load(0);
            }
            run = self.run.lock().unwrap();
            // Somebody may have come in between.
            for inbox in 0..INBOXES {
                run.lose(inbox);
            }
            run.end_gets();
            run.release_units();
        }
        let store = Arc::clone(run.store());
        run.is_over = true;
        drop(run);
        store.clear_away();
        store.checkpoint_current();
        store.clear_away();
        drop(store);
        self.run.lock().unwrap().nothing_is_left();
        self.end();
        let mut run = self.run.lock().unwrap();
        run.nothing_is_left();
        while !run.queues.is_empty() {
            run.delete(0);
        }
        run.store().clear_away();
        run.nothing_is_left();
        assert_eq!(run.store().budget_used(), 0, "queues that are gone take nothing");
    }
}

#[test]
fn the_same_seed_is_the_same_life() {
    for seed in 1..4 {
        let [one, other] = [(), ()].map(|()| {
            let lives = Lives::new(seed);
            lives.live(400);
            let mut run = lives.run.lock().unwrap();
            (run.random.number(), run.operations + run.disk.operations(), run.published.len())
        });
        assert_eq!(one, other, "life {seed}");
    }
}

#[test]
fn nothing_confirmed_is_lost_and_nothing_settled_comes_back_whatever_is_done_and_however_the_broker_ends() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let (first, lives) = (number("LEVERET_LIFE").unwrap_or(1), number("LEVERET_LIVES").unwrap_or(20));
    for seed in first..first + lives {
        let lives = Lives::new(seed);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lives.live(400)));
        if let Err(panic) = outcome {
            let steps = lives.run.lock().unwrap_or_else(std::sync::PoisonError::into_inner).steps;
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
            panic!("LEVERET_LIFE={seed} LEVERET_LIVES=1, in step {steps}: {text}");
        }
    }
}
