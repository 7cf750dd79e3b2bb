//! Random programs on a queue, each step compared with the model.

mod removing;
mod writing;

use std::sync::Weak;
use std::time::Duration;

use leveret_protocol::properties::PropertiesBuilder;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::core::{Removed, Settlement};
use super::super::groups::{GroupBy, MessageGroups};
use super::super::queue::{ConsumeRefused, Got, Status};
use super::super::undertaker::UndertakerCell;
use super::disk::{Disk, Requests};
use super::model::{Held, Model, ModelConsumer, Number, Stage};
use super::steps::{INBOXES, Outgoing, Published, Step, step};
use super::*;
use crate::place::{JournalFile, Position};
use crate::store::handle::{Pages, StoreHandle};
use crate::store::stored::{Damage, Returns, Stored};
use crate::time::Time;

/// When nothing has happened yet: so late that the timer of this process never comes to it.
fn beginning() -> Time {
    Time::now().plus(Duration::from_secs(1_000_000))
}

/// A queue whose groups, if it has any, are named by the property `type`.
fn kept(
    id: QueueId,
    single_active_consumer: bool,
    grouped: bool,
    requests: &Arc<Requests>,
    graves: &Arc<Graves>,
) -> Arc<Queue> {
    let groups = MessageGroups { by: GroupBy::named("type"), look_ahead: 100_000 };
    let message_groups = grouped.then_some(groups);
    let options = QueueOptions { single_active_consumer, message_groups, ..QueueOptions::default() };
    let store: Arc<dyn Pages> = Arc::<Requests>::clone(requests);
    let cell = UndertakerCell::default();
    let undertaker: Weak<Graves> = Arc::downgrade(graves);
    cell.appoint(undertaker);
    let queue = Queue::new(QueueName::from("q"), options, None).with_undertaker(cell);
    let queue = Arc::new(queue.with_id(id).with_store(StoreHandle::new(store)).journalled());
    queue.register();
    queue
}

struct Run {
    queue: Arc<Queue>,
    grouped: bool,
    inboxes: Vec<Arc<Inbox>>,
    credit: Arc<Credit>,
    keys: Vec<ConsumerKey>,
    model: Model,
    /// How much of each inbox was looked at.
    seen: Vec<usize>,
    requests: Arc<Requests>,
    disk: Disk,
    graves: Arc<Graves>,
    now: Time,
    /// What is on its way to the disk.
    outgoing: Option<Outgoing>,
    /// What an operator has taken out.
    removed: Vec<Removed>,
    /// Whoever gets messages, to be told that they came.
    getter: Arc<Inbox>,
    /// Whether he waits.
    waits: bool,
}

impl Run {
    fn new(rooms: &[i64], credit_limit: u32, single_active_consumer: bool, grouped: bool) -> Self {
        let (requests, graves) = (Requests::new(1 << 40), Arc::default());
        Self {
            queue: kept(QueueId::fresh(), single_active_consumer, grouped, &requests, &graves),
            grouped,
            graves,
            now: beginning(),
            inboxes: rooms.iter().zip(0..).map(|(room, id)| Inbox::new(id, *room)).collect(),
            credit: Credit::new(credit_limit),
            keys: Vec::new(),
            model: Model::new(rooms.to_vec(), credit_limit, single_active_consumer),
            seen: vec![0; rooms.len()],
            requests,
            disk: Disk::default(),
            outgoing: None,
            removed: Vec::new(),
            getter: Inbox::new(99, 0),
            waits: false,
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Publish(sizes) => self.publish(sizes),
            Step::Time(milliseconds) => self.time_goes_by(Duration::from_millis(*milliseconds))?,
            Step::Consume { inbox, prefetch, no_ack, priority, exclusive, shares_credit } => {
                let mut wanted = ModelConsumer::new(*inbox, *prefetch, *no_ack, *priority);
                (wanted.exclusive, wanted.shares_credit) = (*exclusive, *shares_credit);
                self.consume(wanted);
            }
            Step::Settle(which, settlement) => self.settle(which, *settlement)?,
            Step::Stop(which) => {
                if let Some(at) = self.pick(*which) {
                    self.queue.stop(self.keys[at]);
                    self.model.consumers[at].stage = Stage::Stopped;
                }
            }
            Step::Cancel(which) => {
                if let Some(at) = self.pick(*which) {
                    assert!(!self.queue.cancel(self.keys[at]), "it deleted itself");
                    self.model.cancel(at);
                }
            }
            Step::Get { no_ack } => self.get(*no_ack)?,
            Step::Purge => {
                let purged = self.with_group(|queue, group| queue.purge(group)).unwrap();
                assert_eq!(purged, self.model.ready.len());
                self.model.done.extend(std::mem::take(&mut self.model.ready));
                self.model.unsure.append(&mut self.model.lost);
            }
            Step::Send(inbox) => self.send(*inbox)?,
            Step::End(inbox) => self.end(*inbox)?,
            Step::ShareCredit(which) => self.share_credit(*which),
            Step::NextFile => self.disk.next_file(),
            Step::PageOut { keep, bytes_max } => {
                // One at a time, as the store has it.
                let idle = || self.queue.outgoing_idle(*bytes_max);
                self.outgoing.get_or_insert_with(|| Outgoing {
                    blocks: keep.map_or_else(idle, |keep| self.queue.outgoing(keep, *bytes_max)),
                    through: None,
                    file: self.disk.file,
                });
            }
            Step::Checkpoint => self.checkpoint(),
            Step::TakeOut(which) => self.take_out(which)?,
            Step::PutBack { which, back } => self.put_back(which, *back)?,
            Step::Write { carry, fails } => self.write(*carry, *fails)?,
            Step::Read { which, damaged } => self.read(|loads| which.index(loads), *damaged)?,
            Step::Restart => self.restart(),
        }
        self.observe()
    }

    fn pick(&self, which: Index) -> Option<usize> {
        let live: Vec<usize> = self.model.live().collect();
        (!live.is_empty()).then(|| *which.get(&live))
    }

    /// What has to be read for it is read.
    fn time_goes_by(&mut self, after: Duration) -> Result<(), String> {
        self.now = self.now.plus(after);
        let late = |number: &Number| self.model.deadlines[usize::try_from(*number).unwrap()] <= self.now;
        self.model.late = self.model.ready.iter().copied().filter(late).collect();
        self.model.ready.retain(|number| !self.model.late.contains(number));
        loop {
            self.queue.do_due(self.now);
            self.observe_deliveries()?;
            self.bury();
            if !self.requests.any_load() {
                break;
            }
            self.read(|_| 0, false)?;
        }
        self.model.done.extend(std::mem::take(&mut self.model.late));
        Ok(())
    }

    fn bury(&mut self) {
        let graves = Arc::clone(&self.graves);
        self.with_group(|queue, group| graves.dig(queue, group));
    }

    fn publish(&mut self, published: &[Published]) {
        let mut messages = Vec::new();
        for Published { body, persistent, expiration, group } in published {
            let group = group.filter(|_| self.grouped);
            let number = self.model.returns.len() as Number;
            let size_of_body = *body;
            let mut body = number.to_be_bytes().to_vec();
            body.resize(size_of_body, 0);
            let (type_, expiration) =
                (group.map(|group| group.to_string()), expiration.map(|ms| ms.to_string()));
            let properties = PropertiesBuilder {
                delivery_mode: persistent.then_some(2),
                expiration: expiration.as_deref(),
                type_: type_.as_deref(),
                ..PropertiesBuilder::default()
            };
            let mut message = Message::compose("", "q", &properties.finish(), &body).unwrap();
            message.arrive(self.now);
            self.model.deadlines.push(message.deadline());
            if *persistent {
                self.disk.published_in(self.disk.file, Position(number), &message, Returns::default());
            }
            self.model.persistent.push(*persistent);
            self.model.groups.push(group);
            self.model.taken_by.push(None);
            self.model.sizes.push(size(&message));
            self.model.returns.push(Returns::default());
            self.model.ready.insert(number);
            messages.push(message);
        }
        let first = self.queue.publish(&mut messages, Some(self.disk.file)).unwrap().first;
        assert_eq!(first.plus(published.len() as u64), Position(self.model.returns.len() as u64));
    }

    fn consume(&mut self, wanted: ModelConsumer) {
        let credit: Arc<dyn SharedCredit> = Arc::<Credit>::clone(&self.credit);
        let slot = u32::try_from(self.keys.len()).unwrap();
        let asked = Consumer {
            no_ack: wanted.no_ack,
            exclusive: wanted.exclusive,
            priority: wanted.priority,
            prefetch: wanted.prefetch,
            timeout: None,
            shared_credit: wanted.shares_credit.then_some(credit),
            ..consumer(&self.inboxes[wanted.inbox], slot)
        };
        let may = self.model.may_consume(wanted.exclusive);
        match self.queue.consume(asked) {
            Ok(key) => {
                assert!(may, "an exclusive consumer beside another");
                self.keys.push(key);
                self.model.add(wanted);
            }
            Err(refused) => {
                assert!(!may, "refused without a reason");
                assert_eq!(refused, ConsumeRefused::ExclusiveUse);
            }
        }
    }

    fn settle(&mut self, which: &[Index], settlement: Settlement) -> Result<(), String> {
        let mut taken = Vec::new();
        for which in which {
            let sent: Vec<usize> =
                (0..self.model.held.len()).filter(|at| self.model.held[*at].sent).collect();
            if !sent.is_empty() {
                taken.push(self.model.held.remove(*which.get(&sent)));
            }
        }
        self.give_back(&taken, settlement)
    }

    fn give_back(&mut self, taken: &[Held], settlement: Settlement) -> Result<(), String> {
        let mut credit = 0;
        for held in taken {
            credit += u32::from(held.consumer.is_some_and(|at| self.model.consumers[at].shares_credit));
            match settlement {
                Settlement::Discard | Settlement::Reject => self.model.done.push(held.number),
                Settlement::Requeue | Settlement::Return | Settlement::Unsent => {
                    self.model.came_back(&[held.number]);
                    let returns = &mut self.model.returns[usize::try_from(held.number).unwrap()];
                    returns.acquired += u32::from(settlement != Settlement::Unsent);
                    returns.deliveries += u32::from(settlement == Settlement::Requeue);
                }
            }
        }
        let keys: Vec<_> = taken.iter().map(|held| held.key).collect();
        self.with_group(|queue, group| queue.settle(&keys, settlement, group));
        self.observe_deliveries()?;
        self.model.credit_used -= credit;
        self.credit.release(credit);
        self.observe_deliveries()
    }

    fn get(&mut self, no_ack: bool) -> Result<(), String> {
        let getter: Arc<dyn Recipient> = Arc::<Inbox>::clone(&self.getter);
        let got = self.with_group(|queue, group| queue.get(no_ack, &getter, 7, group)).unwrap();
        if matches!(got, Got::Empty) {
            assert_eq!(self.model.first_for(None), None);
        } else {
            assert!(!self.model.ready.is_empty());
        }
        if matches!(got, Got::Loading) {
            assert!(self.requests.any_load(), "waits for nothing");
            self.waits = true;
        }
        let Got::Message { entry, key, left } = got else { return Ok(()) };
        let number = self.model.first_for(None).unwrap();
        self.model.ready.remove(&number);
        self.model.taken_by[usize::try_from(number).unwrap()] = None;
        assert_eq!((entry.position.0, left), (number, self.model.ready.len()));
        assert_eq!(entry.returns, self.model.returns[usize::try_from(number).unwrap()]);
        assert_eq!(key.is_none(), no_ack);
        match key {
            Some(key) => self.model.held.push(Held { number, key, consumer: None, sent: true }),
            None => self.model.done.push(number),
        }
        self.observe_deliveries()
    }

    /// An inbox is emptied by its connection.
    fn take(&mut self, inbox: usize) -> (Vec<Delivery>, Vec<Arc<dyn Waiter>>) {
        let (deliveries, waiting) = self.inboxes[inbox].take();
        self.seen[inbox] = 0;
        self.model.untold = Some(inbox);
        self.model.rooms[inbox] += deliveries.iter().map(|delivery| size(&delivery.message)).sum::<i64>();
        (deliveries, waiting)
    }

    fn send(&mut self, inbox: usize) -> Result<(), String> {
        let (deliveries, waiting) = self.take(inbox);
        for delivery in deliveries {
            let number = delivery.position.0;
            if self.model.consumers[delivery.slot as usize].no_ack {
                self.model.leaving.retain(|other| *other != number);
                self.model.done.push(number);
                let keys: Vec<_> = delivery.unacked.into_iter().collect();
                self.with_group(|queue, group| queue.settle(&keys, Settlement::Discard, group));
                self.observe_deliveries()?;
                continue;
            }
            for held in self.model.held.iter_mut().filter(|held| held.number == number) {
                held.sent = true;
            }
        }
        self.pump(inbox, waiting);
        Ok(())
    }

    /// A connection ends before it has sent what is in its inbox: what it sent goes back, then what it did not, and then
    /// its consumers go.
    fn end(&mut self, inbox: usize) -> Result<(), String> {
        let leaves: Vec<usize> =
            self.model.live().filter(|at| self.model.consumers[*at].inbox == inbox).collect();
        for at in &leaves {
            self.queue.stop(self.keys[*at]);
            self.model.consumers[*at].stage = Stage::Stopped;
        }
        let (deliveries, waiting) = self.take(inbox);
        let consumers = &self.model.consumers;
        let sent =
            |held: &mut Held| held.sent && held.consumer.is_some_and(|at| consumers[at].inbox == inbox);
        let sent: Vec<Held> = self.model.held.extract_if(.., sent).collect();
        self.give_back(&sent, Settlement::Requeue)?;
        for delivery in deliveries {
            let number = delivery.position.0;
            if !self.model.consumers[delivery.slot as usize].no_ack {
                let held: Vec<Held> = self.model.held.extract_if(.., |held| held.number == number).collect();
                self.give_back(&held, Settlement::Unsent)?;
                continue;
            }
            self.model.leaving.retain(|other| *other != number);
            self.model.came_back(&[number]);
            match delivery.unacked {
                Some(key) => {
                    self.with_group(|queue, group| queue.settle(&[key], Settlement::Unsent, group));
                }
                None => self.queue.give_back(std::iter::once(delivery.into_entry())),
            }
            self.observe_deliveries()?;
        }
        for at in leaves {
            self.queue.cancel(self.keys[at]);
            self.model.cancel(at);
            self.observe_deliveries()?;
        }
        self.pump(inbox, waiting);
        Ok(())
    }

    fn read(&mut self, which: impl FnOnce(usize) -> usize, damaged: bool) -> Result<(), String> {
        let place = {
            let loads = &mut self.requests.asked.lock().unwrap().loads;
            if loads.is_empty() {
                return Ok(());
            }
            loads.remove(which(loads.len()))
        };
        if !self.disk.has(place) {
            // Purged, and removed.
            self.queue.loaded(place, Err(Damage("no such block".to_owned())));
        } else if damaged {
            let awaited = self.queue.uses_segment(place.segment, place.journalled);
            let before = self.queue.status().unwrap().ready;
            // One of these may be given to somebody as soon as the block is known to be lost.
            let singles = self.queue.single();
            self.queue.loaded(place, Err(Damage("flipped".to_owned())));
            let mut lost = self.disk.alive_in(place);
            // What was taken out of it, since it expires soon or by an operator, is not lost with it.
            for single in singles {
                lost.remove_range(single, single);
            }
            let lost: Vec<Number> =
                self.model.ready.iter().copied().filter(|n| lost.contains(Position(*n))).collect();
            if awaited && self.queue.status().unwrap().ready + lost.len() <= before {
                for number in lost {
                    self.model.ready.remove(&number);
                    self.model.lost.push(number);
                }
            }
        } else {
            self.queue.loaded(place, Ok(self.disk.read(place)));
        }
        self.observe_deliveries()
    }

    /// Whatever is needed is on the disk, and nothing else for long.
    fn segments_are_needed(&self) {
        for (segment, journalled) in self.disk.segments() {
            assert!(
                self.queue.uses_segment(segment, journalled),
                "{segment:?} {journalled} is needed by nobody"
            );
        }
    }

    fn restart(&mut self) {
        let requests = Requests::new(1 << 40);
        // Those that are buried after the step have left.
        self.bury();
        let queue = kept(self.queue.id(), self.model.single_active, self.grouped, &requests, &self.graves);
        let all = self.disk.restore(&queue, Position(self.model.returns.len() as u64));
        let found: Vec<Number> = all.ranges().flat_map(|(from, to)| from.0..=to.0).collect();
        let rooms: Vec<i64> = self
            .inboxes
            .iter()
            .map(|inbox| {
                inbox.take();
                inbox.state.lock().unwrap().room
            })
            .collect();
        let expected = self.model.restart(rooms, &found);
        assert_eq!(found, expected, "not what was alive");
        self.credit = Credit::new(self.model.credit_limit);
        self.seen.fill(0);
        (self.queue, self.requests, self.outgoing, self.waits) = (queue, requests, None, false);
        self.removed.clear();
    }

    fn pump(&mut self, inbox: usize, waiting: Vec<Arc<dyn Waiter>>) {
        for queue in waiting {
            queue.room_made(self.inboxes[inbox].id);
        }
        self.model.untold = None;
    }

    fn share_credit(&mut self, which: Index) {
        let Some(at) = self.pick(which).filter(|at| !self.model.consumers[*at].shares_credit) else { return };
        let used = self.queue.share_credit(self.keys[at], Arc::<Credit>::clone(&self.credit));
        let unacked = u32::try_from(self.model.unacked_of(at)).unwrap();
        assert_eq!(used, (!self.model.consumers[at].no_ack).then_some(unacked));
        if let Some(used) = used {
            self.model.consumers[at].shares_credit = true;
            self.model.credit_used += used;
            self.credit.add_used(used);
        }
    }

    /// Looks at what came into the inboxes.
    fn observe_deliveries(&mut self) -> Result<(), String> {
        let mut came = Vec::new();
        for (inbox, seen) in self.inboxes.iter().zip(&mut self.seen) {
            let state = inbox.state.lock().unwrap();
            assert_eq!(state.reserved, 0, "room was taken and not used");
            for delivery in &state.deliveries[*seen..] {
                let number = Number::from_be_bytes(delivery.message.body()[..8].try_into().unwrap());
                assert_eq!(delivery.position.0, number);
                assert_eq!(delivery.returns, self.model.returns[usize::try_from(number).unwrap()]);
                let at = delivery.slot as usize;
                assert_eq!(self.inboxes[self.model.consumers[at].inbox].id, inbox.id);
                let (no_ack, persistent) = (
                    self.model.consumers[at].no_ack,
                    self.model.persistent[usize::try_from(number).unwrap()],
                );
                assert_eq!(delivery.unacked.is_some(), !no_ack || persistent || self.grouped);
                assert_eq!(
                    delivery.redelivered,
                    !delivery.returns.is_none() || number < self.model.redelivered_below
                );
                came.push((number, at, delivery.unacked.filter(|_| !no_ack)));
            }
            for slot in 0..self.keys.len() {
                let of_slot =
                    state.deliveries[*seen..].iter().filter(|delivery| delivery.slot as usize == slot);
                assert!(of_slot.is_sorted_by_key(|delivery| delivery.position), "not in order");
            }
            *seen = state.deliveries.len();
        }
        self.model.tick();
        came.sort_unstable_by_key(|(number, ..)| *number);
        for (number, at, key) in came {
            self.model.delivered(number, at, key)?;
        }
        Ok(())
    }

    fn observe(&mut self) -> Result<(), String> {
        self.observe_deliveries()?;
        let held = Status {
            ready: self.model.ready.len(),
            unacked: self.model.held.len(),
            consumers: self.model.live().count(),
            ..Status::default()
        };
        assert_eq!(self.queue.status().unwrap(), held);
        assert_eq!(self.credit.used(), self.model.credit_used);
        if self.waits {
            let told = !std::mem::take(&mut self.getter.state.lock().unwrap().loaded).is_empty();
            self.waits = !told;
            assert!(told || self.requests.any_load(), "waits for nothing");
        }
        let dead = std::mem::take(&mut self.requests.asked.lock().unwrap().dead);
        self.disk.remove(&self.queue, dead);
        self.model.check(self.requests.any_load())
    }

    /// What a call to the queue writes is appended to the journal.
    fn with_group<R>(&mut self, act: impl FnOnce(&Arc<Queue>, &mut Group) -> R) -> R {
        let mut group = Group::default();
        let result = act(&self.queue, &mut group);
        self.disk.append(&group);
        result
    }

    /// All connections send what they have, and the queue is deleted.
    fn finish(&mut self) -> Result<(), String> {
        self.put_all_back()?;
        self.step(&Step::Write { carry: false, fails: false })?;
        while self.requests.any_load()
            || self.inboxes.iter().any(|inbox| !inbox.state.lock().unwrap().deliveries.is_empty())
        {
            for inbox in 0..INBOXES {
                self.step(&Step::Send(inbox))?;
            }
            self.read(|_| 0, false)?;
            self.observe()?;
        }
        self.segments_are_needed();
        assert_eq!(self.queue.delete(false, false, &mut Group::default()).unwrap(), self.model.ready.len());
        let mut told: Vec<usize> = Vec::new();
        for inbox in &self.inboxes {
            told.extend(inbox.state.lock().unwrap().gone.iter().map(|slot| *slot as usize));
        }
        told.sort_unstable();
        assert_eq!(told, self.model.live().collect::<Vec<_>>());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_nothing_is_lost_doubled_overtaken_unfair_or_stalled(
        steps in prop::collection::vec(step(), 1..120),
        rooms in prop::collection::vec(prop_oneof![3 => 100..1_500_i64, 1 => Just(1_000_000)], INBOXES),
        credit_limit in 1..5_u32,
        single_active in prop::bool::weighted(0.25),
        grouped in any::<bool>(),
    ) {
        let mut run = Run::new(&rooms, credit_limit, single_active, grouped);
        for (at, step) in steps.iter().enumerate() {
            if let Err(wrong) = run.step(step) {
                return Err(TestCaseError::fail(format!("step {at}, {step:?}: {wrong}")));
            }
        }
        run.finish().map_err(TestCaseError::fail)?;
    }
}
