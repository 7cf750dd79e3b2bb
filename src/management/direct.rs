//! A channel without a socket: what a client of AMQP can do is done as it would do it, with its permissions, its checks and
//! its texts.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use leveret_protocol::method::{Method, basic};

use super::call::Call;
use super::failure::Failure;
use crate::channel::answer::Served;
use crate::channel::authority::Authority;
use crate::channel::exception::Exception;
use crate::channel::{Channel, Peer, Session};
use crate::message::Message;
use crate::name::ConnectionId;
use crate::queue::QueueId;
use crate::queue::delivery::{Delivery, Late, Recipient, Waiter};
use crate::store::journal::Synced;
use crate::vhost::Vhost;

/// No connection has this number.
const NO_CONNECTION: ConnectionId = ConnectionId(0);
/// The one channel.
const CHANNEL: u16 = 1;

/// A channel of the user that asks, in a virtual host.
pub(super) struct Direct {
    session: Session,
    channel: Channel,
    bell: Arc<Bell>,
    told: Told,
}

/// A message that was got.
pub(super) struct Taken {
    pub(super) delivery_tag: u64,
    pub(super) redelivered: bool,
    pub(super) message_count: u32,
    pub(super) message: Message,
    pub(super) properties: Vec<u8>,
}

/// What became of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    Routed,
    Unroutable,
    /// A queue did not take it.
    Rejected,
}

impl Direct {
    pub(super) fn open(call: &Call, vhost: &Arc<Vhost>) -> Result<Self, Failure> {
        let (environment, authority) = (call.environment(), authority(call, vhost)?);
        let bell = Arc::new(Bell::default());
        let recipient: Arc<dyn Recipient> = Arc::<Bell>::clone(&bell);
        let session = Session::new(
            NO_CONNECTION,
            format!("{} (HTTP)", call.peer),
            authority,
            Arc::clone(vhost),
            recipient,
            false,
            environment.config().max_message_size,
        );
        let session = session.told_by_the_journal(Arc::<Bell>::clone(&bell));
        let channel = Channel::new(CHANNEL).seen(&session);
        Ok(Self { session, channel, bell, told: Told::default() })
    }

    /// Whether the user may be in the virtual host at all; administrators may ask without that, and may do nothing with
    /// messages then.
    pub(super) fn entered(mut self) -> Result<Self, Failure> {
        match self.session.authority.lost_access() {
            None => Ok(self),
            Some(text) => Err(Failure::not_authorised(text)),
        }
    }

    /// Has a method done, and waits until that is on the disk if it is to be there.
    pub(super) fn call<'m>(&mut self, method: impl Into<Method<'m>>) -> Result<(), Exception> {
        let served = self.channel.method(method.into(), &mut self.session, &mut self.told)?;
        self.end(served)
    }

    fn end(&mut self, mut served: Served) -> Result<(), Exception> {
        loop {
            match served {
                Served::Done => return Ok(()),
                Served::Awaits(until, answer) => {
                    while !self.session.is_reached(until) {
                        if self.session.unit.journal().is_none_or(|journal| journal.failure().is_some()) {
                            self.told.disk_failed = true;
                            return Ok(());
                        }
                        self.bell.wait();
                    }
                    answer.tell(CHANNEL, &mut self.told);
                    return Ok(());
                }
                Served::Loads(getting) => {
                    self.bell.wait();
                    served = self.channel.get(&getting, &mut self.session, &mut self.told)?;
                }
            }
        }
    }

    /// Whether a change was made that the disk did not take.
    pub(super) fn check_disk(&self) -> Result<(), Failure> {
        if self.told.disk_failed { Err(Failure::disk_failed()) } else { Ok(()) }
    }

    /// Publishes a message, and waits until it is as durable as is promised.
    pub(super) fn publish(&mut self, call: &Call, message: Message) -> Result<Published, PublishRefused> {
        self.channel
            .publish(true, message, &mut self.session, &mut self.told)
            .map_err(PublishRefused::Exception)?;
        self.session.flush();
        let until = self.session.end_unit();
        if !call.environment().wait(until) {
            return Err(PublishRefused::DiskFailed);
        }
        if !self.session.publisher.take_refused().is_empty() {
            return Ok(Published::Rejected);
        }
        Ok(if self.told.returned { Published::Unroutable } else { Published::Routed })
    }

    /// Takes a message, if there is one.
    pub(super) fn get(&mut self, queue: &str, no_ack: bool) -> Result<Option<Taken>, Exception> {
        self.told.taken = None;
        self.call(basic::Get { queue, no_ack })?;
        Ok(self.told.taken.take())
    }

    /// What was settled goes to the queues.
    pub(super) fn flush(&mut self) {
        self.session.flush();
        self.session.end_unit();
    }
}

impl Drop for Direct {
    /// What was taken and not settled goes back.
    fn drop(&mut self) {
        self.channel.requeue_all(&mut self.session);
        self.session.flush();
        self.session.end_unit();
        self.channel.close(&mut self.session);
    }
}

/// The rights of whoever asks, in a virtual host.
pub(super) fn authority(call: &Call, vhost: &Vhost) -> Result<Authority, Failure> {
    let (access, user) = (Arc::clone(&call.environment().access), call.user()?.name.as_str());
    if call.is_operator {
        return Ok(Authority::of_operator(access, vhost.name()));
    }
    let authority = Authority::new(access, user, vhost.name());
    authority.ok_or_else(|| Failure::not_authenticated("Not_Authorized"))
}

/// Why a message was not published.
pub(super) enum PublishRefused {
    Exception(Exception),
    DiskFailed,
}

/// What the channel says.
#[derive(Default)]
struct Told {
    taken: Option<Taken>,
    returned: bool,
    disk_failed: bool,
}

impl Peer for Told {
    fn method(&mut self, _: u16, _: Method<'_>) {}

    fn content(&mut self, _: u16, method: Method<'_>, message: &Message, properties: &[u8]) {
        match method {
            Method::Basic(basic::Method::Return(_)) => self.returned = true,
            Method::Basic(basic::Method::GetOk(got)) => {
                self.taken = Some(Taken {
                    delivery_tag: got.delivery_tag,
                    redelivered: got.redelivered,
                    message_count: got.message_count,
                    message: message.clone(),
                    properties: properties.to_vec(),
                });
            }
            _ => {}
        }
    }

    fn deliver(&mut self, _: u16, _: &str, _: u64, _: bool, _: &Message, _: &[u8]) {}
}

/// Wakes a thread that waits for the journal, or for what is read. It consumes from nothing, so that nothing is delivered to it.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_one();
    }

    fn wait(&self) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rung = self.heard.wait_while(rung, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

impl Synced for Bell {
    fn synced(&self) {
        self.ring();
    }
}

impl Recipient for Bell {
    fn id(&self) -> u64 {
        0
    }
    fn reserve(&self, _: usize) -> bool {
        false
    }
    fn unreserve(&self, _: usize) {}
    fn has_room(&self) -> bool {
        false
    }
    fn overdrawn(&self) -> usize {
        0
    }
    fn charge(&self, _: usize) {}
    fn await_room(&self, _: Arc<dyn Waiter>) -> bool {
        true
    }
    fn deliver(&self, _: &mut Vec<Delivery>) {}
    fn consumer_gone(&self, _: u32, _: QueueId) {}
    fn delivery_late(&self, _: Late) {}

    fn loaded(&self, _: u16) {
        self.ring();
    }
}
