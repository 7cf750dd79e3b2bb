//! Random lives of a queue in which messages wait for their times: scheduled ones, and ones that are to be tried again. With the
//! real store on a simulated disk: what waits leaves memory and comes back, is listed, taken back and brought to other times,
//! through checkpoints, stops, kills and losses of power. Every step is compared with a model.
//!
//! Time is that of the test: everything waits for a minute or more, and no life takes half of one.

use std::collections::BTreeMap;
use std::sync::{Mutex, Weak};
use std::time::Duration;

use leveret_protocol::properties::Properties;
use leveret_protocol::table::TableBuilder;

use super::super::core::Due;
use super::super::due::woken;
use super::super::queue::Status;
use super::super::retry::{Retry, Which};
use super::super::scheduled::ScheduledId;
use super::super::terms::Terms;
use super::super::undertaker::UndertakerCell;
use super::*;
use crate::config::Durability;
use crate::place::{Batch, Position, QueueId};
use crate::store::by_hand::{Between, ByHand};
use crate::store::handle::StoreHandle;
use crate::store::segment_store::SegmentLimits;
use crate::store::simulated::{Random, SimDisk};
use crate::store::stored::Returns;
use crate::store::unit::Unit;
use crate::time::Time;

const MINUTE: u64 = 60_000;
const STEPS: u32 = 400;

/// Where a message of the model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ready,
    Unacked(UnackedKey),
    Scheduled(Time),
    /// It was due, and is not behind the ready ones yet.
    OnItsWay(Time),
    /// Until this minute.
    Retrying(u64),
}

#[derive(Clone, Debug)]
struct Known {
    body: Vec<u8>,
    /// For how many minutes it waits when it came back.
    retry: u64,
    persistent: bool,
    place: Place,
}

/// Keeps what is due until the test moves it.
#[derive(Default)]
struct Awake(Mutex<Vec<Due>>);

impl Undertaker for Awake {
    fn bury(&self, _: &Arc<Queue>, dead: Vec<Dead>) {
        assert!(dead.is_empty(), "nothing dies");
    }

    fn settle(&self, _: QueueId, gone: Vec<Position>) {
        assert!(gone.is_empty(), "nothing dies");
    }

    fn due(&self, _: &Arc<Queue>, due: Vec<Due>) {
        self.0.lock().unwrap().extend(due);
    }

    fn expired(&self, _: &Arc<Queue>) {
        unreachable!("it stays");
    }
}

struct Life {
    run: Mutex<Run>,
    me: Weak<Self>,
}

struct Run {
    random: Random,
    disk: Arc<SimDisk>,
    store: Option<Arc<ByHand>>,
    queue: Arc<Queue>,
    awake: Arc<Awake>,
    messages: BTreeMap<Position, Known>,
    /// When the life began.
    start: Time,
    /// So many minutes have passed.
    minute: u64,
    made: u64,
    /// What was appended last, and not waited for.
    appended: Option<Batch>,
    /// The store is at work.
    between: bool,
    /// Nobody comes any more.
    is_over: bool,
}

/// Which message has this body.
fn number(body: &[u8]) -> u64 {
    u64::from_be_bytes(*body.first_chunk().unwrap())
}

fn queue_with(handle: &StoreHandle, awake: &Arc<Awake>) -> Arc<Queue> {
    let cell = UndertakerCell::default();
    let undertaker: Weak<Awake> = Arc::downgrade(awake);
    cell.appoint(undertaker);
    let queue = Queue::new(QueueName::from("q"), QueueOptions::default(), None).with_id(QueueId::stored(1));
    let queue = Arc::new(queue.with_store(handle.clone()).with_undertaker(cell).journalled());
    queue.register();
    let hour = Duration::from_hours(1);
    let retry = Retry { which: Which::All, min: hour, max: hour, factor: None, jitter: 0 };
    queue.set_terms(Arc::new(Terms { scheduled: true, retry: Some(retry), ..Terms::default() }));
    queue
}

impl Life {
    fn new(seed: u64) -> Arc<Self> {
        let awake = Arc::new(Awake::default());
        let run = Run {
            random: Random::new(seed),
            disk: SimDisk::new(seed),
            store: None,
            queue: queue_with(&StoreHandle::in_memory(), &awake),
            awake,
            messages: BTreeMap::new(),
            start: Time::now(),
            minute: 0,
            made: 0,
            appended: None,
            between: false,
            is_over: false,
        };
        Arc::new_cyclic(|me| Self { run: Mutex::new(run), me: Weak::clone(me) })
    }

    fn between(&self) -> Between {
        let me = Weak::clone(&self.me);
        Arc::new(move || {
            let Some(life) = me.upgrade() else { return };
            // While it starts nobody comes.
            let Ok(mut run) = life.run.try_lock() else { return };
            if !run.is_over && run.random.one_in(3) {
                run.between = true;
                run.client_step();
                run.between = false;
            }
        })
    }

    fn start(&self) {
        let mut run = self.run.lock().unwrap();
        let (disk, limits) = (Arc::clone(&run.disk), run.limits());
        let awake = Arc::new(Awake::default());
        let mut made = None;
        let (store, found) = ByHand::open(&disk, limits, self.between(), |handle, _| {
            let queue = queue_with(handle, &awake);
            made = Some(Arc::clone(&queue));
            vec![queue]
        });
        run.messages.retain(|_, known| known.persistent);
        for known in run.messages.values_mut() {
            known.place = match known.place {
                Place::Unacked(_) => Place::Ready,
                Place::OnItsWay(due) => Place::Scheduled(due),
                place => place,
            };
        }
        let found = &found.queues[&QueueId::stored(1)];
        let found: Vec<_> = found.iter().map(|(at, (body, _))| (*at, number(body), body.len())).collect();
        let known = run.messages.iter();
        let known: Vec<_> = known.map(|(at, known)| (*at, number(&known.body), known.body.len())).collect();
        assert_eq!(found, known);
        (run.queue, run.awake, run.store) = (made.unwrap(), awake, Some(Arc::new(store)));
        // What waited until some time in the past does so once more.
        run.pass(0);
        run.check();
    }

    fn end(&self) {
        let mut run = self.run.lock().unwrap();
        run.wait();
        let store = run.store.take().unwrap();
        if run.random.one_in(3) {
            store.close();
        }
        run.disk.crash();
        let seed = run.random.number();
        let is_killed = run.random.one_in(2);
        run.disk = if is_killed { run.disk.after_kill() } else { run.disk.after_crash(seed) };
        drop((run, store));
        self.start();
    }

    fn step(&self) {
        let mut run = self.run.lock().unwrap();
        let which = run.random.below(100);
        if which < 66 {
            return run.client_step();
        }
        let (store, random) = (Arc::clone(run.store()), run.random.number());
        drop(run);
        match which {
            66..82 => store.page_out(QueueId::stored(1)),
            82..90 => {
                if let Some(which) = random.checked_rem(store.reading() as u64) {
                    store.load(usize::try_from(which).unwrap());
                }
            }
            90..93 => store.clear_away(),
            93..97 => store.checkpoint(random.is_multiple_of(3)),
            97 => store.checkpoint_current(),
            _ => self.end(),
        }
        self.run.lock().unwrap().check();
    }

    /// All of it becomes ready and is taken, and nothing is left.
    fn finish(&self) {
        let mut run = self.run.lock().unwrap();
        loop {
            run.pass(60 * 24);
            let Some(at) = run.messages.keys().next().copied() else { break };
            if let Place::Unacked(key) = run.messages[&at].place {
                run.settle(at, key, Settlement::Discard);
            } else {
                run.get();
            }
        }
        run.is_over = true;
        let store = Arc::clone(run.store());
        drop(run);
        store.clear_away();
        store.checkpoint_current();
        store.clear_away();
        let run = self.run.lock().unwrap();
        assert_eq!(run.queue.status().unwrap(), Status::default());
        let others: Vec<_> =
            run.disk.files().into_iter().filter(|(path, _)| !path.starts_with("journal")).collect();
        assert!(others.is_empty(), "left over: {others:?}");
    }
}

impl Run {
    fn store(&self) -> &Arc<ByHand> {
        self.store.as_ref().unwrap()
    }

    fn limits(&mut self) -> SegmentLimits {
        let random = &mut self.random;
        let mut any = |of: [u64; 3]| of[usize::try_from(random.below(3)).unwrap()];
        SegmentLimits {
            backlog_bytes: any([1, 4_000, 1 << 30]),
            segment_bytes: any([2_048, 8_192, 100_000]),
            open_files: 2,
            blocks_kept: 0,
            page_bytes: usize::try_from(any([1_000, 4_000, 100_000])).unwrap(),
            window_files: usize::try_from(any([0, 1, 2])).unwrap(),
            carried_bytes: any([0, 700, 20_000]),
            journal_bytes: 1 << 30,
        }
    }

    fn client_step(&mut self) {
        match self.random.below(20) {
            0..6 => self.publish(),
            6..9 => self.get(),
            9..13 => {
                let unacked = self.those(|place| matches!(place, Place::Unacked(_)));
                if let Some(at) = self.any(&unacked)
                    && let Place::Unacked(key) = self.messages[&at].place
                {
                    let settlement =
                        if self.random.one_in(4) { Settlement::Discard } else { Settlement::Requeue };
                    self.settle(at, key, settlement);
                }
            }
            13..15 => self.take_back(),
            15 => self.reschedule(),
            16 => self.list(),
            17 => self.go_on(),
            18 if self.random.one_in(6) => self.purge(),
            _ if self.between => {}
            _ => {
                let minutes = self.random.below(12);
                self.pass(minutes);
            }
        }
        for _ in 0..self.random.below(3) {
            self.store().journal.work();
        }
        self.store().journal.prepare_spare();
        self.check();
    }

    fn unit(&self) -> Unit {
        Unit::new(Some(Arc::clone(&self.store().journal)), Durability::Fsync)
    }

    fn end_unit(&mut self, mut unit: Unit) {
        unit.group().require_sync();
        self.appended = unit.end().or(self.appended);
        // Else the journal could wait for a ticket that the store holds.
        if !self.between {
            self.wait();
        }
    }

    /// Until all that was done is on the disk.
    fn wait(&mut self) {
        if let Some(batch) = self.appended.take() {
            assert!(self.store().journal.wait(batch));
        }
    }

    fn those(&self, wanted: impl Fn(Place) -> bool) -> Vec<Position> {
        self.messages.iter().filter(|(_, known)| wanted(known.place)).map(|(at, _)| *at).collect()
    }

    fn any(&mut self, of: &[Position]) -> Option<Position> {
        of.get(usize::try_from(self.random.below(of.len() as u64)).unwrap()).copied()
    }

    /// Some moment, most of them to come: never the middle of a minute, since that is when it is looked.
    fn moment(&mut self) -> Time {
        let minutes = self.minute + 1 + self.random.below(100);
        self.start.plus(Duration::from_millis(minutes * MINUTE + self.random.below(1000)))
    }

    fn publish(&mut self) {
        let mut unit = self.unit();
        let (file, mut known, mut messages, mut places) = (unit.file(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..=self.random.below(6) {
            let (due, retry) = (self.moment(), 1 + self.random.below(50));
            let (is_scheduled, persistent) = (!self.random.one_in(3), !self.random.one_in(5));
            let mut headers = TableBuilder::new().long("x-retry-delay", (retry * MINUTE).cast_signed());
            if is_scheduled {
                headers = headers.long("x-deliver-at", due.as_millis().cast_signed());
            }
            let properties: &[u8] = if persistent { &[0x10, 0, 2] } else { &[0, 0] };
            let headers = headers.finish();
            let properties = Properties::parse(properties).unwrap().with_headers(headers.as_table());
            let len = if self.random.one_in(20) { 9_000 } else { 8 + self.random.below(400) };
            let mut body = self.made.to_be_bytes().to_vec();
            body.resize(usize::try_from(len).unwrap(), 7);
            self.made += 1;
            let mut message = Message::compose("", "q", &properties, &body).unwrap();
            message.arrive(Time::now());
            if persistent {
                places.push((
                    known.len(),
                    unit.group().publish(&message, Returns::default(), [self.queue.id()]),
                ));
            }
            messages.push(message);
            let place = if is_scheduled { Place::Scheduled(due) } else { Place::Ready };
            known.push(Known { body, retry, persistent, place });
        }
        let first = self.queue.publish(&mut messages, file).unwrap().first;
        for (index, at) in places {
            unit.group().place(at, first.plus(index as u64));
        }
        for (index, known) in (0..).zip(known) {
            assert!(self.messages.insert(first.plus(index), known).is_none());
        }
        self.end_unit(unit);
    }

    fn get(&mut self) {
        let first = self.those(|place| place == Place::Ready).first().copied();
        let recipient: Arc<dyn Recipient> = Inbox::new(99, 0);
        let mut group = Group::default();
        match self.queue.get(false, &recipient, 1, &mut group).unwrap() {
            Got::Empty => assert_eq!(first, None),
            Got::Message { entry, key, .. } => {
                assert_eq!(Some(entry.position), first);
                let known = self.messages.get_mut(&entry.position).unwrap();
                assert_eq!(entry.message.body(), known.body);
                known.place = Place::Unacked(key.unwrap());
            }
            Got::Loading if self.between => {}
            Got::Loading => {
                self.load_all();
                self.get();
            }
        }
    }

    fn settle(&mut self, at: Position, key: UnackedKey, settlement: Settlement) {
        let mut unit = self.unit();
        unit.begin();
        self.queue.settle(&[key], settlement, unit.group());
        if settlement == Settlement::Discard {
            self.messages.remove(&at);
        } else {
            let waited = Time::now().since(self.start);
            assert!(waited < Duration::from_millis(MINUTE / 2), "a life is shorter than that");
            let known = self.messages.get_mut(&at).unwrap();
            known.place = Place::Retrying(known.retry);
        }
        self.end_unit(unit);
    }

    fn scheduled(&mut self) -> Option<ScheduledId> {
        let scheduled = self.those(|place| matches!(place, Place::Scheduled(_)));
        let position = self.any(&scheduled)?;
        let Place::Scheduled(due) = self.messages[&position].place else { return None };
        Some(ScheduledId { due, position })
    }

    fn take_back(&mut self) {
        let Some(id) = self.scheduled() else { return };
        let mut unit = self.unit();
        let cancelled = self.queue.cancel_scheduled(id, &mut unit).unwrap().unwrap();
        assert_eq!(cancelled.body(), self.messages.remove(&id.position).unwrap().body);
        self.end_unit(unit);
    }

    fn reschedule(&mut self) {
        let (Some(id), due) = (self.scheduled(), self.moment()) else { return };
        let mut unit = self.unit();
        let moved = self.queue.reschedule(id, due, &mut unit).unwrap().unwrap();
        assert_eq!(moved.due, due);
        let known = self.messages.remove(&id.position).unwrap();
        self.messages.insert(moved.position, Known { place: Place::Scheduled(due), ..known });
        self.end_unit(unit);
    }

    fn list(&mut self) {
        let listed = self.queue.scheduled(None, usize::MAX).unwrap();
        let listed: Vec<_> =
            listed.into_iter().map(|one| (one.id, one.message.unwrap().body().to_vec())).collect();
        let mut known: Vec<_> = self
            .messages
            .iter()
            .filter_map(|(at, known)| match known.place {
                Place::Scheduled(due) => Some((ScheduledId { due, position: *at }, known.body.clone())),
                _ => None,
            })
            .collect();
        known.sort_unstable_by_key(|(id, _)| *id);
        assert_eq!(listed, known);
    }

    /// What was due goes behind what is ready.
    fn go_on(&mut self) {
        let due = std::mem::take(&mut *self.awake.0.lock().unwrap());
        if due.is_empty() {
            return;
        }
        let mut unit = self.unit();
        let (file, mut messages, mut places) = (unit.file(), Vec::new(), Vec::new());
        for due in &due {
            let message = woken(&due.message, self.now());
            places.push(
                message
                    .is_persistent()
                    .then(|| unit.group().publish(&message, Returns::default(), [self.queue.id()])),
            );
            messages.push(message);
        }
        let first = self.queue.publish(&mut messages, file).unwrap().first;
        for (index, (due, at)) in (0..).zip(due.iter().zip(places)) {
            if let Some(at) = at {
                unit.group().place(at, first.plus(index));
            }
            let known = self.messages.remove(&due.position).unwrap();
            assert!(matches!(known.place, Place::OnItsWay(_)));
            self.messages.insert(first.plus(index), Known { place: Place::Ready, ..known });
        }
        self.queue.left(&due.iter().map(|due| due.key).collect::<Vec<_>>(), unit.group());
        self.end_unit(unit);
    }

    /// What is ready goes, and nothing else.
    fn purge(&mut self) {
        let mut unit = self.unit();
        let purged = self.queue.purge(unit.group_without_ticket()).unwrap();
        let ready = self.those(|place| place == Place::Ready);
        assert_eq!(purged, ready.len());
        self.messages.retain(|_, known| known.place != Place::Ready);
        self.end_unit(unit);
    }

    fn now(&self) -> Time {
        self.start.plus(Duration::from_millis(self.minute * MINUTE + MINUTE / 2))
    }

    fn load_all(&mut self) {
        let store = Arc::clone(self.store());
        while store.reading() > 0 {
            store.load(0);
        }
    }

    /// So many minutes pass, and what is due then is.
    fn pass(&mut self, minutes: u64) {
        self.minute += minutes;
        let now = self.now();
        for _ in 0..1000 {
            let before = self.awake.0.lock().unwrap().len();
            self.queue.do_due(now);
            let woken: Vec<_> =
                self.awake.0.lock().unwrap().iter().skip(before).map(|due| due.position).collect();
            for position in woken {
                let next = self.messages.iter().filter_map(|(at, known)| match known.place {
                    Place::Scheduled(due) => Some((due, *at)),
                    _ => None,
                });
                let (due, at) = next.min().unwrap();
                assert!(due <= now);
                assert_eq!(position, at, "in the order of their times");
                self.messages.get_mut(&at).unwrap().place = Place::OnItsWay(due);
            }
            let is_due = |place| matches!(place, Place::Scheduled(due) if due <= now);
            let retried = self.those(|place| matches!(place, Place::Retrying(until) if until <= self.minute));
            let waits = self.those(|place| matches!(place, Place::Retrying(_))).len();
            let is_over = self.queue.status().unwrap().retrying + retried.len() == waits;
            if self.those(is_due).is_empty() && is_over {
                for at in retried {
                    self.messages.get_mut(&at).unwrap().place = Place::Ready;
                }
                if !self.random.one_in(3) {
                    self.go_on();
                }
                return;
            }
            assert!(self.store().reading() > 0, "what is due is neither here nor being read");
            self.load_all();
        }
        panic!("what is due does not come");
    }

    fn check(&self) {
        let count = |wanted: &dyn Fn(Place) -> bool| self.those(wanted).len();
        let expected = Status {
            ready: count(&|place| place == Place::Ready),
            unacked: count(&|place| matches!(place, Place::Unacked(_))),
            consumers: 0,
            scheduled: count(&|place| matches!(place, Place::Scheduled(_))),
            retrying: count(&|place| matches!(place, Place::Retrying(_))),
        };
        assert_eq!(self.queue.status().unwrap(), expected);
    }
}

#[test]
fn what_waits_is_where_it_was_and_comes_when_it_is_due_however_the_broker_ends() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let (first, lives) = (number("LEVERET_WAIT").unwrap_or(1), number("LEVERET_WAITS").unwrap_or(10));
    for seed in first..first + lives {
        let life = Life::new(seed);
        life.start();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (0..STEPS).for_each(|_| life.step());
            life.finish();
        }));
        assert!(outcome.is_ok(), "LEVERET_WAIT={seed} LEVERET_WAITS=1");
    }
}
