//! Looks at everything that a broker has after its start, and takes some of it away.

use crate::account::{Account, Stream};
use crate::checker::{Checker, End, Found};
use crate::churn::Churn;
use crate::client::{Client, Gone, Incoming};
use crate::features::Features;
use crate::load::{Fuse, Session};
use crate::publication::{Id, Queue};
use crate::random::Random;
use crate::support::{Broker, Message, Table, method};
use crate::topology;

/// So many messages of a queue are left for the next load at most.
const LEFT_MAX: usize = 300;

/// Holds a broker that nobody else talks to against the laws. `stream` is one that a barrier may use.
pub(crate) fn verify(
    broker: &Broker,
    checker: &mut Checker,
    (churns, features): (&mut [Churn], &mut Features),
    end: End,
    (seed, random): (u64, &mut Random),
    stream: u32,
) -> Result<(), Gone> {
    let fuse = Fuse::endless(broker);
    let mut session = Session {
        client: Client::connect(broker, 3),
        account: Account::new(seed),
        random: Random::new(random.next()),
        fuse: &fuse,
    };
    topology::check(&mut session.client)?;
    let mut barrier = Stream::new(2, stream);
    session.client.call(2, method::confirm_select())?;
    session.client.call(3, method::confirm_select())?;
    for churn in churns {
        churn.verify(&mut session)?;
    }
    features.verify(&mut session, end)?;
    let mut found = Found::new();
    let mut tags = Vec::new();
    for queue in Queue::ALL {
        for message in session.drain(1, queue.name())? {
            let Some(id) = session.account.inspected(queue, &message) else { continue };
            found.entry(queue).or_default().push((id, message.redelivered));
            tags.push((queue, message.delivery_tag, id));
        }
    }
    checker.check(&found, end);
    session.settle_some(&tags);
    session.barrier(&mut barrier, &mut Vec::new(), Queue::Idle)?;
    // What is not settled goes back to its place.
    session.client.call(1, method::close(method::CHANNEL_CLOSE))?;
    checker.absorb(vec![session.account]);
    Ok(())
}

impl Session<'_> {
    /// Takes all ready messages of a queue, none of which is settled.
    pub(crate) fn drain(&mut self, channel: u16, queue: &str) -> Result<Vec<Message>, Gone> {
        let count = self.client.message_count(channel, queue)? as usize;
        self.client.call(channel, method::basic_consume(queue, queue, 0, &Table::new()))?;
        let mut messages = Vec::with_capacity(count);
        while messages.len() < count {
            match self.client.next()? {
                Incoming::Deliver(tag, message) => {
                    assert_eq!(tag, queue, "a delivery to the wrong consumer");
                    messages.push(message);
                }
                other => panic!("{} of {count} messages of {queue}, then: {other:?}", messages.len()),
            }
        }
        self.client.call(channel, method::basic_cancel(queue))?;
        let late = self.client.take_early();
        assert!(late.is_empty(), "{queue} has more than the {count} messages that it said: {late:?}");
        Ok(messages)
    }

    fn settle_some(&mut self, tags: &[(Queue, u64, Id)]) {
        for queue in Queue::ALL {
            let tags: Vec<_> = tags.iter().filter(|(of, ..)| *of == queue).collect();
            let kept_of_10 = *self.random.choose(&[0, 1, 5, 10]);
            let mut left = LEFT_MAX;
            for (_, tag, id) in tags {
                if left > 0 && self.random.below(10) < kept_of_10 {
                    left -= 1;
                    continue;
                }
                self.account.settled.push((queue, *id));
                self.client.send(1, method::basic_ack(*tag, false));
            }
        }
    }
}
