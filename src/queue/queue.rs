//! A queue: the lock around its core, and the performing of what the core decided.
//!
//! Lock order: a queue, then a leaf (a recipient, a shared credit). No method here is called with a leaf locked.
//! A queue dies under its lock: from then on every call says [`Gone`], and the caller looks the name up again.

mod browsing;
mod deduplicating;
mod delivering;
mod inspection;
mod published;
mod scheduling;
mod standing;
mod storing;
mod totalling;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};

use super::consumers::Consumer;
pub use super::core::Room;
use super::core::{Asker, Dead, QueueCore, Settlement, Taken};
use super::delivery::{Late, Recipient, SharedCredit};
use super::id::{ConsumerKey, QueueId, UnackedKey};
use super::options::QueueOptions;
use super::ready::Entry;
use super::undertaker::UndertakerCell;
use crate::count::QueueCounts;
use crate::message::Message;
use crate::name::{ConnectionId, QueueName};
use crate::place::{Home, JournalFile};
use crate::store::handle::StoreHandle;
use crate::store::op::Group;
use crate::time::Time;
pub use browsing::Walk;
pub use inspection::{Inspection, Observation};
pub use published::{Duplicate, NewKeys, Pressure, Published};
pub use scheduling::{ListedMessage, NotReached};
use standing::Standing;
use storing::Paging;
use totalling::Share;

/// The queue cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It was deleted.
    Deleted,
    /// The broker failed in the midst of a change to it; nothing of it can be trusted.
    Crashed,
}

/// Why a consumer was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumeRefused {
    /// There is no queue any more.
    Gone(Gone),
    /// Another consumer has it exclusively, or exclusive use was asked for beside others.
    ExclusiveUse,
}

/// Why a queue was not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteRefused {
    /// There is no queue any more.
    Gone(Gone),
    /// `if-unused` was asked for and it has consumers.
    InUse,
    /// `if-empty` was asked for and it has messages.
    NotEmpty,
}

/// What a `basic.get` finds.
#[derive(Debug)]
pub enum Got {
    /// A message.
    Message {
        /// It, with its place.
        entry: Entry,
        /// Where it is kept until it is settled; nothing when it is settled already.
        key: Option<UnackedKey>,
        /// How many are ready after it.
        left: usize,
    },
    /// Nothing is ready.
    Empty,
    /// The first message is being read from the disk; whoever asks is told when it has come.
    Loading,
}

/// What a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Ready messages.
    pub ready: usize,
    /// Unacked messages.
    pub unacked: usize,
    /// Consumers.
    pub consumers: usize,
    /// Messages that wait for their times: they are neither ready nor unacked.
    pub scheduled: usize,
    /// Messages that came back and wait to be tried again: they are neither ready nor unacked.
    pub retrying: usize,
}

/// A queue, shared by all that publish to it or consume from it.
pub struct Queue {
    id: QueueId,
    name: QueueName,
    standing: RwLock<Standing>,
    owner: Option<ConnectionId>,
    journalled: bool,
    deduplicates: bool,
    may_refuse: AtomicBool,
    store: StoreHandle,
    undertaker: UndertakerCell,
    me: OnceLock<Weak<Self>>,
    share: Share,
    state: Mutex<State>,
}

#[allow(clippy::large_enum_variant, reason = "nearly every queue is running, and the hot path reads it")]
enum State {
    Running(QueueCore, Paging),
    /// It is gone, and this is what it counted.
    Deleted(QueueCounts),
}

impl Queue {
    /// A queue without messages, all in memory and ending with the broker. An exclusive one has the connection that owns
    /// it.
    pub fn new(name: QueueName, options: QueueOptions, owner: Option<ConnectionId>) -> Self {
        let id = QueueId::fresh();
        Self {
            id,
            name,
            deduplicates: options.deduplication.is_some(),
            state: Mutex::new(State::Running(QueueCore::new(id, &options), Paging::default())),
            standing: RwLock::new(Standing::declared(options)),
            owner,
            journalled: false,
            may_refuse: AtomicBool::new(false),
            store: StoreHandle::in_memory(),
            undertaker: UndertakerCell::default(),
            me: OnceLock::new(),
            share: Share::default(),
        }
    }

    /// The same queue as it was in an earlier run: to be told before it is used.
    #[must_use]
    pub fn with_id(mut self, id: QueueId) -> Self {
        self.id = id;
        self.state = Mutex::new(State::Running(QueueCore::new(id, &self.options()), Paging::default()));
        self
    }

    /// The same queue with a store that its backlog goes to; see [`Self::register`].
    #[must_use]
    pub fn with_store(mut self, store: StoreHandle) -> Self {
        self.store = store;
        self
    }

    /// The same queue with its persistent messages journalled.
    #[must_use]
    pub fn journalled(mut self) -> Self {
        self.journalled = true;
        self
    }

    /// The same queue with somebody who sees to what it cannot do alone.
    #[must_use]
    pub fn with_undertaker(mut self, undertaker: UndertakerCell) -> Self {
        self.undertaker = undertaker;
        self
    }

    /// Makes the queue known to its store, and its terms come into force. Once, before it is used.
    pub fn register(self: &Arc<Self>) {
        if self.me.set(Arc::downgrade(self)).is_ok() {
            let me: Weak<Self> = Arc::downgrade(self);
            self.store.register(self.id, me);
            self.put_in_force();
        }
    }

    /// Whether its persistent messages outlive the broker.
    pub fn is_journalled(&self) -> bool {
        self.journalled
    }

    /// Which queue this is.
    pub fn id(&self) -> QueueId {
        self.id
    }

    /// Its name.
    pub fn name(&self) -> &QueueName {
        &self.name
    }

    /// The connection that it is exclusive to.
    pub fn owner(&self) -> Option<ConnectionId> {
        self.owner
    }

    /// Appends the messages in their order and leaves `messages` empty, or as they were when the queue is gone. Those of
    /// them that are persistent will have their records in `file`, if the queue [is journalled](Self::is_journalled).
    pub fn publish(
        self: &Arc<Self>,
        messages: &mut Vec<Message>,
        file: Option<JournalFile>,
    ) -> Result<Published, Gone> {
        self.publish_of(messages, file, true)
    }

    /// The same; unless `may_refuse`, whoever publishes did not know that any may be refused, and none is: it could not
    /// tell whose it was.
    pub fn publish_of(
        self: &Arc<Self>,
        messages: &mut Vec<Message>,
        file: Option<JournalFile>,
        may_refuse: bool,
    ) -> Result<Published, Gone> {
        if self.deduplicates {
            return self.publish_once(messages, file, may_refuse, None, false);
        }
        let file = file.filter(|_| self.journalled);
        self.with(|core| {
            let mut published = Published::from(core.next());
            let takes_all = !may_refuse && self.may_refuse();
            let (count, mut journalled) = (messages.len(), 0);
            for (index, message) in messages.drain(..).enumerate() {
                let home = home_of(&message, file);
                journalled += usize::from(home.is_journalled());
                if takes_all {
                    core.take_all(message, home);
                } else if !core.publish(message, home) {
                    published.refused.push(u32::try_from(index).unwrap_or(u32::MAX));
                }
            }
            core.count_published(count, journalled);
            self.perform(core);
            published.pressure = Pressure::of(core);
            published
        })
    }

    /// Whether publishers should still wait, see [`Pressure`].
    pub fn pressure(&self) -> Pressure {
        self.with(|core| Pressure::persisting(core)).unwrap_or(Pressure::None)
    }

    /// Settles deliveries and gives what that makes room for. Unknown keys and a queue that is gone are passed over:
    /// there is nothing left to settle. What becomes of journalled messages is written into `group`.
    pub fn settle(self: &Arc<Self>, keys: &[UnackedKey], settlement: Settlement, group: &mut Group) {
        let _gone = self.with(|core| {
            if !matches!(settlement, Settlement::Discard | Settlement::Reject) {
                core.at(Time::now());
            }
            core.settle(keys, settlement, group);
            self.perform(core);
        });
    }

    /// Messages have left: they are settled, which is written into `group`.
    pub fn left(&self, keys: &[UnackedKey], group: &mut Group) {
        let _gone = self.with(|core| core.left(keys.iter().copied(), group));
    }

    /// The same of dead letters that stayed until all that they were to go to had them.
    pub fn left_taken(&self, keys: &[UnackedKey], group: &mut Group) {
        let _gone = self.with(|core| core.left_taken(keys, group));
    }

    /// Messages could not leave: they are tried again in a while.
    pub fn stay(&self, dead: Vec<Dead>) {
        let _gone = self.with(|core| core.stay(dead, Time::now()));
    }

    /// Takes back messages that were on their way to an automatically acknowledging consumer and were not sent.
    pub fn give_back(self: &Arc<Self>, entries: impl Iterator<Item = Entry>) {
        let _gone = self.with(|core| {
            core.at(Time::now());
            for entry in entries {
                core.give_back(entry);
            }
            self.perform(core);
        });
    }

    /// Takes the first ready message. Without `no_ack` it is unacked from now on, with it it is settled, which is written
    /// into `group`. When it has to be read first, `recipient` is told so for `channel` once it has come.
    pub fn get(
        &self,
        no_ack: bool,
        recipient: &Arc<dyn Recipient>,
        channel: u16,
        group: &mut Group,
    ) -> Result<Got, Gone> {
        self.with(|core| {
            used(core);
            if !core.reads_clock() {
                core.at(Time::about());
            }
            match core.get(no_ack, group) {
                Taken::Message(entry, key) => Got::Message { entry, key, left: core.ready() },
                Taken::Empty => Got::Empty,
                Taken::OnDisk => {
                    core.await_load(Asker { recipient: Arc::clone(recipient), channel });
                    Got::Loading
                }
            }
        })
    }

    /// Adds a consumer and begins to deliver to it.
    pub fn consume(self: &Arc<Self>, consumer: Consumer) -> Result<ConsumerKey, ConsumeRefused> {
        self.with(|core| {
            // It may be the first one with a time for its deliveries, and gets what is ready already.
            core.at(Time::now());
            let key = core.consume(consumer).map_err(|_| ConsumeRefused::ExclusiveUse)?;
            self.perform(core);
            Ok(key)
        })
        .unwrap_or_else(|gone| Err(ConsumeRefused::Gone(gone)))
    }

    /// Delivers nothing to a consumer from now on. What it holds is to come back before [`Self::cancel`], so that a
    /// single active consumer that follows gets it in its place.
    pub fn stop(&self, key: ConsumerKey) {
        let _gone = self.with(|core| core.stop(key));
    }

    /// Removes a consumer: nothing is delivered to it from now on, what it holds stays unacked. Another one may become
    /// the single active consumer in its stead. Gives whether the queue deleted itself because this was the last one;
    /// whoever then forgets the queue writes that it is gone.
    pub fn cancel(self: &Arc<Self>, key: ConsumerKey) -> bool {
        let mut state = self.lock();
        let State::Running(core, paging) = &mut *state else { return false };
        read_clock(core);
        if core.cancel(key).is_none() {
            return false;
        }
        if core.consumers() > 0 || !self.options().auto_delete {
            used(core);
            self.perform(core);
            let work = self.work(core, paging);
            drop(state);
            self.carry_out(work);
            return false;
        }
        core.dissolve();
        self.end(&mut state, None);
        true
    }

    /// Makes a consumer share a prefetch, see [`QueueCore::share_credit`].
    pub fn share_credit(&self, key: ConsumerKey, credit: Arc<dyn SharedCredit>) -> Option<u32> {
        self.with(|core| core.share_credit(key, credit)).ok().flatten()
    }

    /// Whether a delivery that is said to be late is not settled yet.
    pub fn is_late(&self, late: &Late) -> bool {
        self.with(|core| core.is_late(late)) == Ok(true)
    }

    /// Drops the ready messages and gives their number; writes that into `group`.
    pub fn purge(&self, group: &mut Group) -> Result<usize, Gone> {
        self.undertaker.stir();
        self.with(|core| core.purge(group))
    }

    /// Deletes the queue, tells its consumers and gives the number of ready messages that went with it; writes into
    /// `group` that a journalled queue is gone.
    pub fn delete(&self, if_unused: bool, if_empty: bool, group: &mut Group) -> Result<usize, DeleteRefused> {
        if self.state.is_poisoned() {
            // Nobody can use it any more, but it can be got rid of.
            let mut state = self.lock();
            self.end(&mut state, Some(group));
            return Ok(0);
        }
        let mut state = self.lock();
        let State::Running(core, _) = &mut *state else { return Err(DeleteRefused::Gone(Gone::Deleted)) };
        if if_unused && core.consumers() > 0 {
            return Err(DeleteRefused::InUse);
        }
        if if_empty && core.ready().max(core.scheduled()).max(core.retrying()) > 0 {
            return Err(DeleteRefused::NotEmpty);
        }
        let ready = core.ready();
        for consumer in core.dissolve() {
            consumer.recipient.consumer_gone(consumer.slot, self.id);
        }
        self.end(&mut state, Some(group));
        Ok(ready)
    }

    /// What it holds.
    pub fn status(&self) -> Result<Status, Gone> {
        self.with(|core| status(core))
    }

    /// Somebody declares it again, and it stays for that; gives what it holds.
    pub fn renew(&self) -> Result<Status, Gone> {
        self.with(|core| {
            used(core);
            status(core)
        })
    }

    fn with<R>(&self, act: impl FnOnce(&mut QueueCore) -> R) -> Result<R, Gone> {
        let mut state = self.state.lock().map_err(|_| Gone::Crashed)?;
        let State::Running(core, paging) = &mut *state else { return Err(Gone::Deleted) };
        read_clock(core);
        let result = act(core);
        let work = self.work(core, paging);
        drop(state);
        self.carry_out(work);
        Ok(result)
    }

    /// From now on the queue is gone. Without a group whoever forgets it writes that it is.
    fn end(&self, state: &mut State, group: Option<&mut Group>) {
        let mut counts = QueueCounts::default();
        if let State::Running(core, paging) = state {
            counts = core.counts();
            for asker in core.take_askers() {
                asker.recipient.loaded(asker.channel);
            }
            self.share.gone(core, paging.told());
            self.store.budget().sub(paging.reported());
        }
        if let Some(group) = group.filter(|_| self.journalled) {
            group.queue_gone(self.id);
        }
        *state = State::Deleted(counts);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a message is kept that comes with records in this file.
#[inline]
fn home_of(message: &Message, file: Option<JournalFile>) -> Home {
    match file {
        Some(file) if message.is_persistent() => Home::Journal(file),
        Some(_) | None => Home::Transient,
    }
}

/// Tells a queue the time if something depends on it, and about what it is if only ages do.
#[inline]
fn read_clock(core: &mut QueueCore) {
    if core.reads_clock() {
        core.at(Time::now());
    } else if core.consumers() > 0 {
        core.at(Time::about());
    }
}

/// A queue is used. Only one that expires needs to know when.
fn used(core: &mut QueueCore) {
    if core.terms().expires.is_some() {
        core.renew(Time::now());
    }
}

fn status(core: &QueueCore) -> Status {
    Status {
        ready: core.ready(),
        unacked: core.unacked(),
        consumers: core.consumers(),
        scheduled: core.scheduled(),
        retrying: core.retrying(),
    }
}

impl PartialEq for Queue {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Queue {}

impl std::hash::Hash for Queue {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Queue({:?})", self.name)
    }
}
