//! A connection that consumes: reads much at a time, looks at deliveries in place and acknowledges a read at once.

use super::connection::{CHANNEL, Connection, Filled};
use super::failure::Failure;
use super::image::STAMP_BYTES;
use super::options::BenchOptions;
use super::run::{LOOK_UP, Lane, Run, Stage};
use super::topology::Topology;
use bytes::BytesMut;
use leveret_protocol::method::basic;
use leveret_protocol::{Event, Method, TableBuilder, encode};
use rustix::event::PollFlags;
use std::sync::Arc;

const INPUT_BYTES: usize = 256 * 1024;

/// A consumer, connected and ready.
#[derive(Debug)]
pub(super) struct Consumer {
    connection: Connection,
    queues: Vec<String>,
    acks: Option<Acks>,
    delivery: Delivery,
    consumed: u64,
    lane: Arc<Lane>,
}

/// Acknowledgements that wait to be sent.
#[derive(Debug)]
struct Acks {
    bytes: BytesMut,
    /// Acknowledge this many at once.
    batch: u32,
    /// Deliveries since the last acknowledgement.
    since: u32,
    last_tag: u64,
}

/// What has come of the delivery that is being read.
#[derive(Debug, Default)]
struct Delivery {
    tag: u64,
    /// Octets of the body that have not come.
    missing: u64,
    stamp: Option<[u8; STAMP_BYTES]>,
    /// The start of a body that came in small pieces.
    start: Vec<u8>,
}

impl Consumer {
    /// Connects consumer `number` of those that `options` ask for; [`Self::subscribe`] starts it.
    pub(super) fn open(
        options: &BenchOptions,
        topology: &Topology,
        number: usize,
        lane: Arc<Lane>,
    ) -> Result<Self, Failure> {
        let mut connection = Connection::open(&options.url, INPUT_BYTES)?;
        connection.open_channel()?;
        if options.prefetch > 0 {
            let qos = basic::Qos { prefetch_size: 0, prefetch_count: options.prefetch, global: false };
            connection
                .call(qos, |method| matches!(method, Method::Basic(basic::Method::QosOk(_))).then_some(()))?;
        }
        let queues = topology.consumed(number, options.consumers).into_iter().map(str::to_owned).collect();
        let acks = (!options.auto_ack).then(|| Acks {
            bytes: BytesMut::with_capacity(INPUT_BYTES),
            batch: options.ack_batch.get(),
            since: 0,
            last_tag: 0,
        });
        Ok(Self { connection, queues, acks, delivery: Delivery::default(), consumed: 0, lane })
    }

    /// Asks for deliveries.
    pub(super) fn subscribe(&mut self) -> Result<(), Failure> {
        let none = TableBuilder::new().finish();
        for (number, queue) in self.queues.iter().enumerate() {
            // Without waiting: deliveries may come before the answer.
            self.connection.send(
                CHANNEL,
                basic::Consume {
                    queue,
                    consumer_tag: &format!("c{number}"),
                    no_local: false,
                    no_ack: self.acks.is_none(),
                    exclusive: false,
                    no_wait: true,
                    arguments: none.as_table(),
                },
            );
        }
        self.connection.flush()
    }

    /// Consumes until the run ends.
    pub(super) fn work(mut self, run: &Run) -> Result<(), Failure> {
        while run.stage() != Stage::End {
            if self.connection.fill()? == Filled::Some {
                self.consume(run)?;
                self.send_acks()?;
            } else {
                self.acknowledge_the_rest();
                self.send_acks()?;
                let interest = if self.owes_acks() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
                self.connection.wait(interest, LOOK_UP)?;
            }
        }
        // What a broker answers to a goodbye does not change what was measured.
        let _ = self.connection.close();
        Ok(())
    }

    fn consume(&mut self, run: &Run) -> Result<(), Failure> {
        let (now_ns, from_ns) = (run.now_ns(), run.measured_from_ns());
        let mut latency = self.lane.latency();
        let delivery = &mut self.delivery;
        loop {
            if delivery.missing == 0
                && let Some(skimmed) = self.connection.skim()
            {
                delivery.tag = skimmed.tag;
                delivery.stamp = skimmed.stamp;
            } else {
                match self.connection.next()? {
                    Some(event) if delivery.is_ended_by(&event)? => {}
                    Some(_) => continue,
                    None => break,
                }
            }
            self.consumed += 1;
            if let Some(stamp) = delivery.stamp {
                let stamp_ns = u64::from_be_bytes(stamp);
                if stamp_ns >= from_ns {
                    latency.record(now_ns.saturating_sub(stamp_ns));
                }
            }
            if let Some(acks) = &mut self.acks {
                acks.settle(delivery.tag);
            }
        }
        drop(latency);
        self.lane.counted(self.consumed, now_ns);
        Ok(())
    }

    fn owes_acks(&self) -> bool {
        self.acks.as_ref().is_some_and(|acks| !acks.bytes.is_empty())
    }

    /// Nothing more may come before these are acknowledged: the prefetch may be smaller than a batch.
    fn acknowledge_the_rest(&mut self) {
        if let Some(acks) = &mut self.acks
            && acks.since > 0
        {
            acks.put();
        }
    }

    fn send_acks(&mut self) -> Result<(), Failure> {
        let Some(acks) = &mut self.acks else { return Ok(()) };
        while !acks.bytes.is_empty() {
            match self.connection.write(&acks.bytes)? {
                0 => break,
                written if written == acks.bytes.len() => acks.bytes.clear(),
                written => drop(acks.bytes.split_to(written)),
            }
        }
        Ok(())
    }
}

impl Acks {
    #[inline]
    fn settle(&mut self, tag: u64) {
        self.since += 1;
        self.last_tag = tag;
        if self.since >= self.batch {
            self.put();
        }
    }

    fn put(&mut self) {
        encode::ack(CHANNEL, self.last_tag, self.since > 1, &mut self.bytes);
        self.since = 0;
    }
}

impl Delivery {
    /// Takes an event and says whether the delivery is complete with it.
    fn is_ended_by(&mut self, event: &Event<'_>) -> Result<bool, Failure> {
        match event {
            Event::Method { method: Method::Basic(basic::Method::Deliver(deliver)), .. } => {
                self.tag = deliver.delivery_tag;
                Ok(false)
            }
            Event::Method { method: Method::Basic(basic::Method::Cancel(_)), .. } => {
                Err(Failure::new("the broker cancelled a consumer: is its queue gone?"))
            }
            Event::Header { body_size, .. } => {
                self.missing = *body_size;
                self.stamp = None;
                self.start.clear();
                Ok(self.missing == 0)
            }
            // The end of a frame may come alone, after all of its payload.
            Event::Body { payload, .. } if !payload.is_empty() => {
                self.take(payload);
                Ok(self.missing == 0)
            }
            _ => Ok(false),
        }
    }

    /// Takes a piece of the body. The stamp may be cut anywhere.
    fn take(&mut self, payload: &[u8]) {
        self.missing = self.missing.saturating_sub(payload.len() as u64);
        if self.stamp.is_none() {
            let wanted = STAMP_BYTES - self.start.len();
            self.start.extend_from_slice(payload.get(..wanted).unwrap_or(payload));
            self.stamp = self.start.first_chunk().copied();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_however_the_body_is_cut() {
        let body: Vec<u8> = (1..=20).collect();
        for first in 0..body.len() {
            for second in first..body.len() {
                let mut delivery = Delivery { missing: 20, ..Delivery::default() };
                delivery.take(&body[..first]);
                delivery.take(&body[first..second]);
                delivery.take(&body[second..]);
                assert_eq!(
                    (delivery.stamp, delivery.missing),
                    (Some([1, 2, 3, 4, 5, 6, 7, 8]), 0),
                    "{first} {second}"
                );
            }
        }
    }

    #[test]
    fn acknowledgements_are_multiple_only_where_they_settle_several() {
        for (batch, deliveries, expected) in
            [(1, 3, &[(1, false), (2, false), (3, false)][..]), (2, 3, &[(2, true)])]
        {
            let mut acks = Acks { bytes: BytesMut::new(), batch, since: 0, last_tag: 0 };
            (1..=deliveries).for_each(|tag| acks.settle(tag));
            let mut wanted = BytesMut::new();
            for (tag, multiple) in expected {
                encode::ack(CHANNEL, *tag, *multiple, &mut wanted);
            }
            assert_eq!(acks.bytes, wanted, "{batch}");
        }
    }
}
