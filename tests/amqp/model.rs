//! Random programs against a model of a queue: nothing is lost, nothing is doubled, the order is kept, and a message says truly whether it
//! was delivered before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::peer::Peer;
use crate::support::Broker;

const QUEUES: usize = 2;
/// The channels that consume. Publishing and counting have channels of their own.
const CHANNELS: std::ops::RangeInclusive<u16> = 1..=3;
const PUBLISH: u16 = 10;
const COUNT: u16 = 11;

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish { queue: usize, count: u32 },
    Consume { channel: u16, queue: usize, prefetch: usize },
    Cancel { channel: u16, queue: usize },
    Get { channel: u16, queue: usize },
    Ack { channel: u16, index: prop::sample::Index, multiple: bool },
    Nack { channel: u16, index: prop::sample::Index, multiple: bool, requeue: bool },
    Close { channel: u16 },
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => (0..QUEUES, 1..6u32).prop_map(|(queue, count)| Step::Publish { queue, count }),
        3 => (CHANNELS, 0..QUEUES, 1..5usize)
            .prop_map(|(channel, queue, prefetch)| Step::Consume { channel, queue, prefetch }),
        1 => (CHANNELS, 0..QUEUES).prop_map(|(channel, queue)| Step::Cancel { channel, queue }),
        2 => (CHANNELS, 0..QUEUES).prop_map(|(channel, queue)| Step::Get { channel, queue }),
        5 => (CHANNELS, index(), any::<bool>())
            .prop_map(|(channel, index, multiple)| Step::Ack { channel, index, multiple }),
        5 => (CHANNELS, index(), any::<bool>(), prop::bool::weighted(0.8))
            .prop_map(|(channel, index, multiple, requeue)| Step::Nack { channel, index, multiple, requeue }),
        1 => CHANNELS.prop_map(|channel| Step::Close { channel }),
    ]
}

/// A message that somebody holds.
struct Unacked {
    queue: usize,
    number: u32,
}

#[derive(Default)]
struct Channel {
    unacked: BTreeMap<u64, Unacked>,
    consumers: BTreeMap<usize, Consumer>,
    tags: u64,
}

/// A channel's consumer of one queue.
struct Consumer {
    tag: String,
    prefetch: usize,
    /// The delivery tags of what it has not settled.
    held: BTreeSet<u64>,
}

struct Model<'a> {
    peer: &'a mut Peer,
    names: Vec<String>,
    ready: Vec<BTreeSet<u32>>,
    delivered: BTreeSet<u32>,
    channels: BTreeMap<u16, Channel>,
    published: u32,
    consumed: u32,
}

impl<'a> Model<'a> {
    fn new(peer: &'a mut Peer) -> Self {
        static RUN: AtomicU32 = AtomicU32::new(0);
        let run = RUN.fetch_add(1, Ordering::Relaxed);
        let names: Vec<_> = (0..QUEUES).map(|n| format!("run-{run}-{n}")).collect();
        for channel in CHANNELS.skip(1).chain([PUBLISH, COUNT]) {
            peer.open(channel);
        }
        peer.ok(&format!("{PUBLISH}:confirm.select"));
        for name in &names {
            peer.ok(&format!("queue.declare queue={name}"));
        }
        Self {
            peer,
            names,
            ready: vec![BTreeSet::new(); QUEUES],
            delivered: BTreeSet::new(),
            channels: CHANNELS.map(|channel| (channel, Channel::default())).collect(),
            published: 0,
            consumed: 0,
        }
    }

    fn channel(&mut self, number: u16) -> &mut Channel {
        self.channels.get_mut(&number).expect("a channel")
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Publish { queue, count } => self.publish(queue, count),
            Step::Consume { channel, queue, prefetch } => self.consume(channel, queue, prefetch),
            Step::Cancel { channel, queue } => {
                if let Some(consumer) = self.channel(channel).consumers.remove(&queue) {
                    self.peer.ok(&format!("{channel}:basic.cancel consumer-tag={}", consumer.tag));
                }
            }
            Step::Get { channel, queue } => self.get(channel, queue),
            Step::Ack { channel, index, multiple } => self.settle(channel, index, multiple, "ack", false),
            Step::Nack { channel, index, multiple, requeue } => {
                self.settle(channel, index, multiple, "nack", requeue);
            }
            Step::Close { channel } => self.close(channel),
        }
    }

    /// Published in one go and delivered afterwards, so that the deliveries and the confirms may mix.
    fn publish(&mut self, queue: usize, count: u32) {
        for _ in 0..count {
            self.published += 1;
            let number = self.published;
            self.ready[queue].insert(number);
            let name = &self.names[queue];
            self.peer.send(&format!("{PUBLISH}:basic.publish routing-key={name} | | {number}"));
        }
        self.settled(&format!("{PUBLISH}:basic.ack {}", self.published));
    }

    fn consume(&mut self, channel: u16, queue: usize, prefetch: usize) {
        if self.channel(channel).consumers.contains_key(&queue) {
            return;
        }
        self.peer.ok(&format!("{channel}:basic.qos prefetch-count={prefetch}"));
        // A new tag each time: RabbitMQ credits a consumer with what an earlier one of the same tag had unsettled.
        self.consumed += 1;
        let tag = format!("c{}", self.consumed);
        self.peer.ok(&format!("{channel}:basic.consume queue={} consumer-tag={tag}", self.names[queue]));
        let consumer = Consumer { tag, prefetch, held: BTreeSet::new() };
        self.channel(channel).consumers.insert(queue, consumer);
        self.settled("");
    }

    fn get(&mut self, channel: u16, queue: usize) {
        self.peer.send(&format!("{channel}:basic.get queue={}", self.names[queue]));
        let line = self.peer.next();
        let Some(number) = self.ready[queue].pop_first() else {
            assert_eq!(line.method.name, "basic.get-empty", "got {line}");
            return;
        };
        assert_eq!((line.method.name, line.text()), ("basic.get-ok", number.to_string()), "got {line}");
        assert_eq!(line.number("message-count"), self.ready[queue].len() as u64, "left after {line}");
        self.took(channel, queue, number, line.number("delivery-tag"), line.get("redelivered"));
    }

    fn took(&mut self, channel: u16, queue: usize, number: u32, tag: u64, redelivered: &str) {
        assert_eq!(redelivered == "true", !self.delivered.insert(number), "redelivered, message {number}");
        let channel = self.channel(channel);
        channel.tags += 1;
        assert_eq!(tag, channel.tags, "delivery tags count up");
        channel.unacked.insert(tag, Unacked { queue, number });
    }

    fn settle(
        &mut self,
        channel: u16,
        index: prop::sample::Index,
        multiple: bool,
        method: &str,
        requeue: bool,
    ) {
        let unacked = &mut self.channel(channel).unacked;
        if unacked.is_empty() {
            return;
        }
        let tag = *unacked.keys().nth(index.index(unacked.len())).expect("a tag");
        let rest = if multiple { unacked.split_off(&(tag + 1)) } else { BTreeMap::new() };
        let gone = if multiple {
            std::mem::replace(unacked, rest)
        } else {
            unacked.remove_entry(&tag).into_iter().collect()
        };
        let flags =
            format!("{}{}", if multiple { " multiple" } else { "" }, if requeue { " requeue" } else { "" });
        self.peer.send(&format!("{channel}:basic.{method} delivery-tag={tag}{flags}"));
        self.release(channel, gone, requeue);
        self.settled("");
    }

    fn release(&mut self, channel: u16, gone: BTreeMap<u64, Unacked>, requeue: bool) {
        for (tag, message) in gone {
            if let Some(consumer) = self.channel(channel).consumers.get_mut(&message.queue) {
                consumer.held.remove(&tag);
            }
            if requeue {
                assert!(self.ready[message.queue].insert(message.number));
            }
        }
    }

    fn close(&mut self, channel: u16) {
        self.peer.send(&format!("{channel}:channel.close reply-code=200"));
        let closed = std::mem::take(self.channel(channel));
        self.release(channel, closed.unacked, true);
        // Deliveries to other channels may overtake the reply.
        self.settled(&format!("{channel}:channel.close-ok "));
        self.peer.open(channel);
    }

    /// Waits until the broker has done what follows from the last step, and checks that it is what the model says: each queue has
    /// delivered its oldest messages, as many as its consumers have credit for.
    /// Awaits `reply` too, if there is one: channel, method and delivery tag.
    fn settled(&mut self, reply: &str) {
        let mut expected: Vec<BTreeSet<u32>> = Vec::new();
        for queue in 0..QUEUES {
            let consumers = self.channels.values().filter_map(|channel| channel.consumers.get(&queue));
            let credit = consumers.map(|consumer| consumer.prefetch - consumer.held.len()).sum();
            let due: BTreeSet<u32> = self.ready[queue].iter().copied().take(credit).collect();
            self.ready[queue] = self.ready[queue].difference(&due).copied().collect();
            expected.push(due);
        }
        let mut replied = reply.is_empty();
        let mut last: BTreeMap<(u16, usize), u32> = BTreeMap::new();
        while !replied || expected.iter().any(|due| !due.is_empty()) {
            let line = self.peer.next();
            if line.method.name != "basic.deliver" {
                let seen = format!("{}:{} {}", line.channel, line.method.name, line.get("delivery-tag"));
                assert!(seen == reply || line.method.name == "basic.ack", "got {line}");
                replied |= seen == reply;
                continue;
            }
            let queue = self.names.iter().position(|name| name == line.get("routing-key")).expect("a queue");
            let number: u32 = line.text().parse().expect("a number");
            assert!(expected[queue].remove(&number), "not due: {line}");
            let before = last.insert((line.channel, queue), number);
            assert!(before.is_none_or(|before| before < number), "out of order: {line} after {before:?}");
            let tag = line.number("delivery-tag");
            self.took(line.channel, queue, number, tag, line.get("redelivered"));
            let consumer = self.channel(line.channel).consumers.get_mut(&queue).expect("a consumer");
            assert_eq!(consumer.tag, line.get("consumer-tag"), "of {line}");
            consumer.held.insert(tag);
            assert!(consumer.held.len() <= consumer.prefetch, "beyond its prefetch: {line}");
        }
        for queue in 0..QUEUES {
            // Nothing else comes: the count is what the model says, and a round trip of the channel brings no delivery.
            let counts = self.ready[queue].len() as u64;
            let deadline = Instant::now() + Duration::from_mins(1);
            while self.peer.counts(COUNT, &self.names[queue]).0 != counts {
                assert!(Instant::now() < deadline, "{counts} ready in {}", self.names[queue]);
            }
        }
    }

    /// Ends every channel; what is in the queues then is exactly what was published and neither acked nor dropped.
    fn finish(mut self) {
        for channel in CHANNELS {
            self.close(channel);
        }
        for queue in 0..QUEUES {
            for number in std::mem::take(&mut self.ready[queue]) {
                self.peer.send(&format!("basic.get queue={} no-ack", self.names[queue]));
                let line = self.peer.await_method("basic.get-ok");
                assert_eq!(line.text(), number.to_string());
                assert_eq!(line.get("redelivered") == "true", self.delivered.contains(&number), "{line}");
            }
            self.peer.send(&format!("basic.get queue={}", self.names[queue]));
            self.peer.await_method("basic.get-empty");
            self.peer.ok(&format!("queue.delete queue={}", self.names[queue]));
        }
    }
}

#[test]
fn a_random_program_loses_nothing_doubles_nothing_and_keeps_the_order() {
    let broker = Broker::start();
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let programs = prop::collection::vec(step(), 1..80);
    let result = runner.run(&programs, |program| {
        let mut peer = Peer::connect(&broker);
        let mut model = Model::new(&mut peer);
        for step in program {
            model.run(step);
        }
        model.finish();
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
