use std::sync::atomic::AtomicUsize;
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::*;
use crate::channel::qos::GlobalPrefetch;
use crate::message::Message;
use crate::name::{ConsumerTag, QueueName};
use crate::queue::Queue;
use crate::queue::consumers::Consumer;
use crate::queue::core::Settlement;
use crate::queue::delivery::SharedCredit;
use crate::queue::options::QueueOptions;
use crate::queue::queue::Status;
use crate::store::op::Group;

const PUBLISHERS: usize = 3;
const OUTBOXES: usize = 3;
/// Of each publisher to each queue.
const MESSAGES: usize = 400;
const BATCH: usize = 8;
/// So large that the room is used up again and again.
const BODY_BYTES: usize = 8_000;
/// Only a test that fails waits for so long.
const DEADLINE: Duration = Duration::from_mins(5);

/// How the consumers of a run take their messages.
#[derive(Clone, Copy, Debug)]
struct Way {
    no_ack: bool,
    prefetch: u16,
    /// The limit of a prefetch that the consumers of an outbox share.
    shared: Option<u32>,
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A message that arrived: the queue, the publisher, and which of its messages to that queue.
type Arrived = (usize, usize, usize);

struct Run {
    way: Way,
    /// Each outbox has two queues of its own, and all have the last one: nobody steps in for a consumer that is forgotten.
    queues: Vec<Arc<Queue>>,
    outboxes: Vec<Outboxed>,
    settled: AtomicUsize,
}

struct Outboxed {
    outbox: Arc<Outbox>,
    prefetch: Option<Arc<GlobalPrefetch>>,
}

impl Run {
    fn new(way: Way) -> Self {
        let queues: Vec<Arc<Queue>> = (0..=2 * OUTBOXES)
            .map(|at| Arc::new(Queue::new(QueueName::from(&*at.to_string()), QueueOptions::default(), None)))
            .collect();
        let outboxes: Vec<Outboxed> = (0..OUTBOXES)
            .map(|_| {
                let prefetch = way.shared.map(|limit| {
                    let prefetch = Arc::new(GlobalPrefetch::default());
                    assert_eq!(prefetch.set_limit(limit).len(), 0);
                    prefetch
                });
                Outboxed { outbox: Arc::new(Outbox::new()), prefetch }
            })
            .collect();
        let run = Self { way, queues, outboxes, settled: AtomicUsize::new(0) };
        for at in 0..OUTBOXES {
            for queue in run.queues_of(at) {
                for _ in 0..2 {
                    run.queues[queue].consume(run.consumer(at, queue)).unwrap();
                }
            }
        }
        run
    }

    fn queues_of(&self, outbox: usize) -> [usize; 3] {
        [2 * outbox, 2 * outbox + 1, self.queues.len() - 1]
    }

    /// The slot is the queue's number.
    fn consumer(&self, outbox: usize, queue: usize) -> Consumer {
        let Outboxed { outbox, prefetch } = &self.outboxes[outbox];
        Consumer {
            tag: ConsumerTag::from("c"),
            slot: u32::try_from(queue).unwrap(),
            recipient: Arc::<Outbox>::clone(outbox),
            no_ack: self.way.no_ack,
            exclusive: false,
            priority: 0,
            prefetch: self.way.prefetch,
            timeout: None,
            shared_credit: prefetch.clone().map(|prefetch| prefetch as Arc<dyn SharedCredit>),
            subscriber: None,
        }
    }

    fn total(&self) -> usize {
        self.queues.len() * PUBLISHERS * MESSAGES
    }

    fn publish(&self, publisher: usize) {
        let mut batch = Vec::new();
        for first in (0..MESSAGES).step_by(BATCH) {
            for queue in &self.queues {
                for number in first..first + BATCH {
                    let mut body = [publisher.to_be_bytes(), number.to_be_bytes()].concat();
                    body.resize(BODY_BYTES, 0);
                    batch.push(Message::compose("", "q", &[0, 0], &body).unwrap());
                }
                queue.publish(&mut batch, None).unwrap();
            }
        }
    }

    /// Serves an outbox as a connection does until all is settled, and gives what was.
    fn serve(&self, at: usize, deadline: Instant) -> Vec<Arrived> {
        let waker = Waker::from(Arc::new(Parked(thread::current())));
        let mut cx = Context::from_waker(&waker);
        let (mut contents, mut arrived) = (Contents::default(), Vec::new());
        loop {
            while self.outboxes[at].outbox.poll_take(&mut cx, &mut contents).is_pending() {
                let left = deadline.saturating_duration_since(Instant::now());
                assert!(!left.is_zero(), "outbox {at} was forgotten: {}", self.account());
                thread::park_timeout(left);
            }
            if !contents.notices.is_empty() {
                return arrived;
            }
            let deliveries = std::mem::take(&mut contents.deliveries);
            self.settle(at, deliveries, &mut arrived);
            for queue in contents.queues.drain(..) {
                queue.room_made(self.outboxes[at].outbox.id());
            }
        }
    }

    /// Settles; what comes for the first time is now and then returned instead.
    fn settle(&self, at: usize, deliveries: Vec<Delivery>, arrived: &mut Vec<Arrived>) {
        let mut settled = 0;
        for delivery in deliveries {
            let queue = delivery.slot as usize;
            let word =
                |at: usize| usize::from_be_bytes(delivery.message.body()[at..at + 8].try_into().unwrap());
            let message = (queue, word(0), word(8));
            let again = delivery.returns.is_none() && message.2 % 7 == 0 && delivery.unacked.is_some();
            if !again {
                arrived.push(message);
                settled += 1;
            }
            if let Some(key) = delivery.unacked {
                let settlement = if again { Settlement::Requeue } else { Settlement::Discard };
                self.queues[queue].settle(&[key], settlement, &mut Group::default());
                if let Some(prefetch) = &self.outboxes[at].prefetch {
                    for queue in prefetch.release(1) {
                        queue.credit_made();
                    }
                }
            }
        }
        if settled > 0 && self.settled.fetch_add(settled, Ordering::AcqRel) + settled == self.total() {
            for Outboxed { outbox, .. } in &self.outboxes {
                outbox.notify(Notice::Close(ReplyCode::ConnectionForced, String::new()));
            }
        }
    }

    fn account(&self) -> String {
        let statuses: Vec<_> = self.queues.iter().map(|queue| queue.status()).collect();
        let rooms: Vec<i64> =
            self.outboxes.iter().map(|boxed| boxed.outbox.room.load(Ordering::Acquire)).collect();
        format!("{:?}, rooms {rooms:?}, queues {statuses:?}", self.way)
    }
}

#[test]
fn all_that_many_threads_publish_arrives_once_and_no_outbox_is_forgotten() {
    for (no_ack, prefetch, shared) in [
        (true, 0, None),
        (false, 0, None),
        (false, 3, None),
        (false, 0, Some(2)),
        // About as many as there is room for: now the one is missing, now the other.
        (false, 0, Some(60)),
    ] {
        let run = Run::new(Way { no_ack, prefetch, shared });
        let deadline = Instant::now() + DEADLINE;
        let served: Vec<Vec<Arrived>> = thread::scope(|scope| {
            let run = &run;
            let outboxes: Vec<_> =
                (0..OUTBOXES).map(|at| scope.spawn(move || run.serve(at, deadline))).collect();
            for publisher in 0..PUBLISHERS {
                scope.spawn(move || run.publish(publisher));
            }
            outboxes.into_iter().map(|outbox| outbox.join().unwrap()).collect()
        });
        let mut arrived = served.concat();
        arrived.sort_unstable();
        let all = (0..run.queues.len()).flat_map(|queue| {
            (0..PUBLISHERS)
                .flat_map(move |publisher| (0..MESSAGES).map(move |number| (queue, publisher, number)))
        });
        assert!(arrived.iter().copied().eq(all), "lost or doubled: {} of {}", arrived.len(), run.total());
        let spent = Status { ready: 0, unacked: 0, consumers: 2, ..Status::default() };
        for queue in &run.queues[..2 * OUTBOXES] {
            assert_eq!(queue.status(), Ok(spent), "{}", run.account());
        }
        for Outboxed { outbox, .. } in &run.outboxes {
            assert_eq!(outbox.room.load(Ordering::Acquire), ROOM_BYTES, "room was lost: {:?}", run.way);
        }
    }
}

#[test]
fn a_queue_that_finds_no_room_is_told_even_if_nothing_else_comes() {
    let outbox = Outbox::new();
    let queue = Arc::new(Queue::new(QueueName::from("q"), QueueOptions::default(), None));
    let waker = Waker::from(Arc::new(Parked(thread::current())));
    let (mut cx, mut contents) = (Context::from_waker(&waker), Contents::default());
    assert!(!outbox.await_room(Arc::<Queue>::clone(&queue)), "there is room");
    assert!(outbox.poll_take(&mut cx, &mut contents).is_pending());
    assert!(outbox.reserve(usize::try_from(ROOM_BYTES).unwrap()));
    assert!(!outbox.reserve(1));
    assert!(outbox.await_room(Arc::<Queue>::clone(&queue)));
    outbox.unreserve(1);
    assert!(outbox.poll_take(&mut cx, &mut contents).is_ready());
    assert_eq!(contents.queues.iter().map(|waiter| waiter.id()).collect::<Vec<_>>(), [queue.id()]);
    assert!(outbox.has_room());
}

#[test]
fn an_outbox_of_a_connection_that_is_about_to_be_closed_takes_nothing_and_nobody_waits_for_its_room() {
    let outbox = Arc::new(Outbox::new());
    let queue = Arc::new(Queue::new(QueueName::from("q"), QueueOptions::default(), None));
    let consumer = |tag: &'static str| Consumer {
        tag: ConsumerTag::from(tag),
        slot: 0,
        recipient: Arc::<Outbox>::clone(&outbox),
        no_ack: false,
        exclusive: false,
        priority: 0,
        prefetch: 0,
        timeout: None,
        shared_credit: None,
        subscriber: None,
    };
    let publish = || {
        let mut messages = vec![Message::compose("", "q", &[0, 0], b"body").unwrap()];
        queue.publish(&mut messages, None).unwrap();
    };
    queue.consume(consumer("before")).unwrap();
    publish();
    outbox.end();
    publish();
    queue.consume(consumer("after")).unwrap();
    let mut contents = Contents::default();
    outbox.take(&mut contents);
    assert_eq!((contents.deliveries.len(), contents.queues.len()), (1, 0));
    assert_eq!(queue.status(), Ok(Status { ready: 1, unacked: 1, consumers: 2, ..Status::default() }));
}
