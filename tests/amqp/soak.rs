//! Everything at once, on several connections: whatever they do, no message is lost or settled twice, and when they
//! rest the broker rests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::line::Line;
use crate::peer::Peer;
use crate::support::Broker;

const WORKERS: u64 = 6;
const STEPS: usize = 1000;
const QUEUES: [&str; 4] = ["plain", "single", "other", "spread"];
/// Confirms, transactions, consumers, gets.
const CONFIRM: u16 = 1;
const TX: u16 = 2;
const CONSUME: std::ops::RangeInclusive<u16> = 3..=5;
const GET: u16 = 6;

/// What became of the messages, as far as the clients know for sure.
#[derive(Default)]
struct Fates {
    /// A confirm or a commit came.
    accepted: BTreeSet<String>,
    /// Rolled back.
    refused: BTreeSet<String>,
    /// Acknowledged, and a later request on that channel was answered.
    acked: BTreeSet<String>,
    /// Acknowledged, and the connection was lost before anything came back.
    perhaps_acked: BTreeSet<String>,
}

struct Worker<'a> {
    broker: &'a Broker,
    fates: &'a Mutex<Fates>,
    peer: Peer,
    number: u64,
    random: u64,
    published: u64,
    /// Published on the confirm channel, by delivery tag.
    unconfirmed: BTreeMap<u64, String>,
    tag: u64,
    transaction: Vec<String>,
    /// Delivered and not settled, by channel and delivery tag.
    held: BTreeMap<(u16, u64), String>,
    /// Acknowledged, nothing came back yet.
    acking: BTreeMap<u16, Vec<String>>,
    consumers: BTreeSet<(u16, &'static str)>,
    /// The channel that was asked to give back all that it holds and has not answered. What is still on its way to us
    /// is requeued with the rest, so that another worker may have acknowledged it before we read it.
    giving_back: Option<u16>,
}

impl<'a> Worker<'a> {
    fn new(broker: &'a Broker, fates: &'a Mutex<Fates>, number: u64) -> Self {
        let mut worker = Self {
            broker,
            fates,
            peer: Peer::connect(broker),
            number,
            random: (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15),
            published: 0,
            unconfirmed: BTreeMap::new(),
            tag: 0,
            transaction: Vec::new(),
            held: BTreeMap::new(),
            acking: BTreeMap::new(),
            consumers: BTreeSet::new(),
            giving_back: None,
        };
        worker.prepare();
        worker
    }

    fn prepare(&mut self) {
        self.peer.ok("confirm.select");
        for channel in TX..=GET {
            self.peer.open(channel);
        }
        self.peer.ok("2:tx.select");
        self.await_former_connection();
    }

    /// An exclusive queue goes last when a connection ends: once its name is free, all that the former one held is back.
    fn await_former_connection(&mut self) {
        let (mark, channel) = (format!("mark-{}", self.number), GET + 1);
        loop {
            self.peer.open(channel);
            self.peer.send(&format!("{channel}:queue.declare queue={mark} exclusive"));
            if self.peer.next().method.name == "queue.declare-ok" {
                return;
            }
            self.peer.send(&format!("{channel}:channel.close-ok"));
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    fn queue(&mut self) -> &'static str {
        QUEUES[usize::try_from(self.below(4)).unwrap()]
    }

    fn channel(&mut self) -> u16 {
        CONSUME.start() + u16::try_from(self.below(3)).unwrap()
    }

    fn body(&mut self) -> (String, Vec<u8>) {
        self.published += 1;
        let id = format!("{}:{}", self.number, self.published);
        let padding = match self.below(20) {
            0 => 20_000,
            1..=4 => 1_000,
            _ => 0,
        };
        let body = [format!("{id} ").into_bytes(), vec![b'x'; padding]].concat();
        (id, body)
    }

    /// Reads up to the method of this name on this channel, and serves what comes before it.
    fn until(&mut self, channel: u16, name: &str) -> Line {
        loop {
            let line = self.peer.next();
            if (line.channel, line.method.name) == (channel, name) {
                return line;
            }
            self.serve(&line);
        }
    }

    fn serve(&mut self, line: &Line) {
        match line.method.name {
            "basic.deliver" => self.hold(line),
            "basic.ack" => {
                let tag = line.number("delivery-tag");
                let later = self.unconfirmed.split_off(&(tag + 1));
                let confirmed = std::mem::replace(&mut self.unconfirmed, later);
                // They come in order, so that one that is not multiple is the next.
                assert!(confirmed.len() == 1 || !line.get("multiple").is_empty(), "{line}");
                self.fates.lock().unwrap().accepted.extend(confirmed.into_values());
            }
            "basic.cancel" => {}
            _ => panic!("worker {}: {line}", self.number),
        }
    }

    fn hold(&mut self, line: &Line) {
        let body = line.text();
        let id = body.split(' ').next().unwrap().to_owned();
        if id.starts_with("own") || line.get("consumer-tag") == "brief" {
            return;
        }
        let tag = line.number("delivery-tag");
        if self.giving_back != Some(line.channel) {
            assert!(!self.fates.lock().unwrap().acked.contains(&id), "{id} comes after its ack");
        }
        assert_eq!(self.held.insert((line.channel, tag), id), None);
    }

    /// A request and its answer: whatever was sent on the channel before has been done.
    fn fence(&mut self, channel: u16) {
        self.peer.send(&format!("{channel}:access.request realm=x"));
        self.until(channel, "access.request-ok");
        self.acks_are_in(channel);
    }

    /// Asks the channel to give back all that it holds, and reads up to the answer.
    fn give_back(&mut self, channel: u16, request: &str, answer: &str) {
        self.giving_back = Some(channel);
        self.peer.send(&format!("{channel}:{request}"));
        self.until(channel, answer);
        self.giving_back = None;
        self.held.retain(|(of, _), _| *of != channel);
    }

    fn acks_are_in(&mut self, channel: u16) {
        let mut fates = self.fates.lock().unwrap();
        for id in self.acking.remove(&channel).unwrap_or_default() {
            assert!(fates.acked.insert(id.clone()), "{id} was acked twice");
        }
    }

    fn step(&mut self) {
        match self.below(100) {
            0..25 => self.publish(),
            25..33 => self.transact(),
            33..48 => self.consume(),
            48..54 => self.cancel(),
            54..74 => self.settle(),
            74..80 => self.get(),
            80..83 => self.recover(),
            83..87 => self.close_channel(),
            87..89 => self.raise(),
            89..91 => self.reconnect(),
            91..95 => self.own_queue(),
            95..98 => self.brief_queue(),
            _ => {
                let channel = self.channel();
                self.fence(channel);
            }
        }
    }

    fn publish(&mut self) {
        let queue = self.queue();
        for _ in 0..=self.below(12) {
            let (id, body) = self.body();
            self.tag += 1;
            self.unconfirmed.insert(self.tag, id);
            let mandatory = if self.below(2) == 0 { "mandatory" } else { "" };
            self.peer.publish(&format!("basic.publish routing-key={queue} {mandatory}"), &body);
        }
        if self.below(3) == 0 {
            self.fence(CONFIRM);
        }
    }

    fn transact(&mut self) {
        let queue = self.queue();
        for _ in 0..=self.below(5) {
            let (id, body) = self.body();
            self.transaction.push(id);
            self.peer.publish(&format!("2:basic.publish routing-key={queue}"), &body);
        }
        let ids = std::mem::take(&mut self.transaction);
        if self.below(3) == 0 {
            self.peer.send("2:tx.rollback");
            self.until(TX, "tx.rollback-ok");
            self.fates.lock().unwrap().refused.extend(ids);
        } else {
            self.peer.send("2:tx.commit");
            self.until(TX, "tx.commit-ok");
            self.fates.lock().unwrap().accepted.extend(ids);
        }
    }

    fn consume(&mut self) {
        let (channel, queue) = (self.channel(), self.queue());
        if !self.consumers.insert((channel, queue)) {
            return self.fence(channel);
        }
        let prefetch = 1 + self.below(40);
        let global = if self.below(4) == 0 { "global" } else { "" };
        let priority = self.below(3);
        self.peer.send(&format!("{channel}:basic.qos prefetch-count={prefetch} {global}"));
        self.until(channel, "basic.qos-ok");
        self.acks_are_in(channel);
        self.peer.send(&format!(
            "{channel}:basic.consume queue={queue} consumer-tag={queue} arguments={{x-priority:{priority}}}"
        ));
        self.until(channel, "basic.consume-ok");
    }

    fn cancel(&mut self) {
        let Some((channel, queue)) = self.consumers.pop_last() else { return };
        self.peer.send(&format!("{channel}:basic.cancel consumer-tag={queue}"));
        self.until(channel, "basic.cancel-ok");
        self.acks_are_in(channel);
    }

    fn settle(&mut self) {
        let channel = self.channel();
        for _ in 0..=self.below(40) {
            let of_channel: Vec<u64> =
                self.held.range((channel, 0)..(channel + 1, 0)).map(|((_, tag), _)| *tag).collect();
            let Ok(count) = u64::try_from(of_channel.len()) else { return };
            if count == 0 {
                return self.fence(channel);
            }
            let tag = of_channel[usize::try_from(self.below(count)).unwrap()];
            let multiple = self.below(4) == 0;
            let settled: Vec<u64> = of_channel
                .iter()
                .copied()
                .filter(|other| *other == tag || (multiple && *other < tag))
                .collect();
            let ids = settled.iter().filter_map(|tag| self.held.remove(&(channel, *tag))).collect::<Vec<_>>();
            let bit = if multiple { "multiple" } else { "" };
            if self.below(4) == 0 {
                self.peer.send(&format!("{channel}:basic.nack delivery-tag={tag} {bit} requeue"));
            } else {
                self.acking.entry(channel).or_default().extend(ids);
                self.peer.send(&format!("{channel}:basic.ack delivery-tag={tag} {bit}"));
            }
        }
        if self.below(2) == 0 {
            self.fence(channel);
        }
    }

    fn get(&mut self) {
        let queue = self.queue();
        self.peer.send(&format!("{GET}:basic.get queue={queue}"));
        let got = loop {
            let line = self.peer.next();
            if line.channel == GET {
                break line;
            }
            self.serve(&line);
        };
        if got.method.name == "basic.get-ok" {
            let body = got.text();
            let id = body.split(' ').next().unwrap().to_owned();
            self.peer.send(&format!("{GET}:basic.ack delivery-tag={}", got.number("delivery-tag")));
            self.acking.entry(GET).or_default().push(id);
            self.fence(GET);
        }
    }

    fn recover(&mut self) {
        let channel = self.channel();
        self.give_back(channel, "basic.recover requeue", "basic.recover-ok");
        self.acks_are_in(channel);
    }

    fn close_channel(&mut self) {
        let channel = self.channel();
        self.give_back(channel, "channel.close reply-code=200 reply-text=bye", "channel.close-ok");
        self.channel_is_gone(channel);
    }

    /// A channel exception.
    fn raise(&mut self) {
        let channel = self.channel();
        self.give_back(channel, "queue.declare queue=absent passive", "channel.close");
        self.peer.send(&format!("{channel}:channel.close-ok"));
        self.channel_is_gone(channel);
    }

    fn channel_is_gone(&mut self, channel: u16) {
        self.acks_are_in(channel);
        self.consumers.retain(|(of, _)| *of != channel);
        self.peer.send(&format!("{channel}:channel.open"));
        self.until(channel, "channel.open-ok");
    }

    fn reconnect(&mut self) {
        if self.below(2) == 0 {
            self.leave();
        }
        self.peer = Peer::connect(self.broker);
        let lost = std::mem::take(&mut self.acking).into_values().flatten();
        self.fates.lock().unwrap().perhaps_acked.extend(lost);
        self.unconfirmed.clear();
        self.tag = 0;
        self.held.clear();
        self.consumers.clear();
        self.prepare();
    }

    /// Ends the connection so that all is known.
    fn leave(&mut self) {
        for channel in CONFIRM..=GET {
            self.fence(channel);
        }
        self.peer.send("0:connection.close reply-code=200 reply-text=bye");
        self.until(0, "connection.close-ok");
        assert_eq!(self.unconfirmed, BTreeMap::new());
    }

    /// A queue of its own that comes and goes with messages in it.
    fn own_queue(&mut self) {
        let queue = format!("own-{}", self.number);
        self.peer.send(&format!("6:queue.declare queue={queue} exclusive"));
        self.until(GET, "queue.declare-ok");
        for _ in 0..self.below(5) {
            self.peer.send(&format!("6:basic.publish routing-key={queue} | | own"));
        }
        self.peer.send(&format!("6:queue.delete queue={queue}"));
        self.until(GET, "queue.delete-ok");
    }

    /// A queue that all share and that goes with its last consumer.
    fn brief_queue(&mut self) {
        self.peer.send("6:queue.declare queue=brief auto-delete");
        self.until(GET, "queue.declare-ok");
        self.peer.send("6:basic.publish routing-key=brief | | brief");
        // Another one's cancel may have deleted it in between.
        self.peer.send("6:basic.consume queue=brief consumer-tag=brief no-ack");
        let answer = loop {
            let line = self.peer.next();
            if line.channel == GET
                && line.method.name != "basic.deliver"
                && line.method.name != "basic.cancel"
            {
                break line;
            }
            if line.channel != GET {
                self.serve(&line);
            }
        };
        if answer.method.name == "channel.close" {
            self.peer.send("6:channel.close-ok");
            return self.channel_is_gone(GET);
        }
        self.peer.send("6:basic.cancel consumer-tag=brief");
        self.until(GET, "basic.cancel-ok");
    }
}

/// The processor time that a process has had, in ticks of 10 ms.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

#[test]
fn whatever_several_connections_do_no_message_is_lost_or_settled_twice_and_then_the_broker_rests() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for queue in QUEUES {
        let arguments = if queue == "single" { "arguments={x-single-active-consumer:true}" } else { "" };
        peer.ok(&format!("queue.declare queue={queue} {arguments}"));
    }
    let fates = Mutex::new(Fates::default());
    let stay: Vec<Worker<'_>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| {
                let (broker, fates) = (&broker, &fates);
                scope.spawn(move || {
                    let mut worker = Worker::new(broker, fates, number);
                    for _ in 0..STEPS {
                        worker.step();
                    }
                    worker
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    if !broker.is_external() {
        // All are connected still, with consumers, and nobody says a word.
        // It may have something to do still; what never rests is never at rest for a second.
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let before = ticks(broker.pid());
            let since = Instant::now();
            assert!(peer.try_next(|| since.elapsed() < Duration::from_secs(1)).is_none());
            let used = ticks(broker.pid()) - before;
            if used < 10 {
                break;
            }
            assert!(Instant::now() < deadline, "{used} ticks of 10 ms in a second of rest");
        }
    }
    for mut worker in stay {
        worker.leave();
    }
    let mut left = BTreeSet::new();
    for queue in QUEUES {
        let ready = peer.counts(1, queue).0;
        let bodies = peer.drain(1, queue);
        assert_eq!(bodies.len() as u64, ready, "{queue}");
        for body in bodies {
            let id = body.split(' ').next().unwrap().to_owned();
            assert!(left.insert(id.clone()), "{id} is there twice");
        }
    }
    let fates = fates.into_inner().unwrap();
    let both: Vec<_> = left.intersection(&fates.acked).collect();
    assert!(both.is_empty(), "acked and there again: {both:?}");
    let undone: Vec<_> =
        fates.refused.iter().filter(|id| left.contains(*id) || fates.acked.contains(*id)).collect();
    assert!(undone.is_empty(), "rolled back and there: {undone:?}");
    let gone =
        |id: &String| left.contains(id) || fates.acked.contains(id) || fates.perhaps_acked.contains(id);
    let lost: Vec<_> = fates.accepted.iter().filter(|id| !gone(id)).collect();
    assert!(lost.is_empty(), "of {} accepted messages lost: {lost:?}", fates.accepted.len());
}
