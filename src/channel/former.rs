//! What consumers of a channel were given that are no more: told of the channel and the queue until either goes, as in
//! RabbitMQ. It is added up when consumers leave and when somebody asks, never for a message.

use std::sync::{Arc, Weak};

use foldhash::HashMap;

use crate::count::GivenCounts;
use crate::name::QueueName;
use crate::queue::Queue;
use crate::queue::subscriber::Subscriber;

/// Of so many queues it is known what former consumers were given; beyond that the one that was left first is forgotten.
pub(super) const QUEUES_MAX: usize = 1_000;

/// There are so many at least before it is looked who is settled, or which queues are gone.
const LOOK_MIN: usize = 16;

/// The former consumers of a channel.
#[derive(Debug, Default)]
pub(super) struct Former {
    /// They may acknowledge what they were given.
    leaving: Vec<Leaving>,
    /// When so many leave it is looked which of them have settled everything.
    look_at: usize,
    left: HashMap<QueueName, Left>,
    /// When there are so many queues it is looked which of them are gone: a part of their memory stays until then.
    sweep_at: usize,
    /// How often a consumer has left.
    times: u64,
}

/// A consumer that is cancelled.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    subscriber: Arc<Subscriber>,
    queue: Weak<Queue>,
}

/// What those of a queue were given that have nothing to settle.
#[derive(Clone, Debug)]
pub(super) struct Left {
    queue: Weak<Queue>,
    given: GivenCounts,
    last: u64,
}

impl Former {
    /// A consumer of this queue is no more.
    pub(super) fn add(&mut self, subscriber: Arc<Subscriber>, queue: &Arc<Queue>) {
        let queue = Arc::downgrade(queue);
        if is_settled(&subscriber) {
            return self.settle(&subscriber, queue);
        }
        self.leaving.push(Leaving { subscriber, queue });
        if self.leaving.len() < self.look_at.max(LOOK_MIN) {
            return;
        }
        let all = std::mem::take(&mut self.leaving);
        let (leaving, settled): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|leaving| !is_settled(&leaving.subscriber));
        self.leaving = leaving;
        // So that each is looked at twice on the average, whatever clients leave unsettled.
        self.look_at = 2 * self.leaving.len();
        for Leaving { subscriber, queue } in settled {
            self.settle(&subscriber, queue);
        }
    }

    fn settle(&mut self, subscriber: &Subscriber, queue: Weak<Queue>) {
        let given = subscriber.given();
        if given == GivenCounts::default() {
            return;
        }
        self.times += 1;
        let last = self.times;
        match self.left.get_mut(&subscriber.queue) {
            Some(left) if left.queue.ptr_eq(&queue) => {
                left.given += given;
                left.last = last;
            }
            Some(left) => *left = Left { queue, given, last },
            None => {
                self.make_room();
                self.left.insert(subscriber.queue.clone(), Left { queue, given, last });
            }
        }
    }

    fn make_room(&mut self) {
        if self.left.len() < self.sweep_at.clamp(LOOK_MIN, QUEUES_MAX) {
            return;
        }
        self.left.retain(|_, left| left.queue.strong_count() > 0);
        self.sweep_at = 2 * self.left.len();
        if self.left.len() >= QUEUES_MAX
            && let Some(first) =
                self.left.iter().min_by_key(|(_, left)| left.last).map(|(name, _)| name.clone())
        {
            self.left.remove(&first);
        }
    }

    /// What is known of them, or of those of one queue.
    pub(super) fn known(&self, wanted: Option<&str>) -> Known {
        let is_wanted = |name: &QueueName| wanted.is_none_or(|wanted| name.as_str() == wanted);
        let leaving = self.leaving.iter().filter(|leaving| is_wanted(&leaving.subscriber.queue));
        let left = self.left.iter().filter(|(name, _)| is_wanted(name));
        Known {
            leaving: leaving.cloned().collect(),
            left: left.map(|(name, left)| (name.clone(), left.clone())).collect(),
        }
    }
}

/// Whether it has nothing to settle: else its connection knows it as well.
fn is_settled(subscriber: &Arc<Subscriber>) -> bool {
    Arc::strong_count(subscriber) == 1
}

/// What was known of former consumers at a moment. It may be looked at without a lock.
pub(super) struct Known {
    leaving: Vec<Leaving>,
    left: Vec<(QueueName, Left)>,
}

impl Known {
    /// What they were given, by the queues that are still there.
    pub(super) fn given(self) -> impl Iterator<Item = (QueueName, GivenCounts)> {
        let leaving = self.leaving.into_iter().map(|Leaving { subscriber, queue }| {
            let name = subscriber.queue.clone();
            (name, queue, subscriber.given())
        });
        let left = self.left.into_iter().map(|(name, left)| (name, left.queue, left.given));
        let there = leaving.chain(left).filter(|(_, queue, _)| {
            // Others may hold one that is deleted.
            queue.upgrade().is_some_and(|queue| queue.terms().is_ok())
        });
        there.map(|(name, _, given)| (name, given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::entry::ChannelEntry;
    use crate::count::ChannelTally;
    use crate::name::{ConnectionId, ConsumerTag, UserName, VhostName};
    use crate::queue::options::QueueOptions;
    use crate::queue::subscriber::Whose;
    use crate::time::Time;
    use crate::vhost::Vhost;
    use leveret_protocol::table::Table;

    const MINE: ConnectionId = ConnectionId(1);

    fn opened() -> ChannelEntry {
        let whose = Whose {
            connection: MINE,
            connection_name: "c".to_owned(),
            peer: None,
            user: UserName::from("u"),
            vhost: VhostName::from("/"),
            number: 1,
        };
        ChannelEntry::new(Arc::new(whose), Arc::new(ChannelTally::default()), Time::default())
    }

    fn declared(vhost: &Vhost, name: &str) -> Arc<Queue> {
        let options = QueueOptions::restored(false, Table::EMPTY.to_owned());
        vhost.queue_declare(Some(QueueName::from(name)), &options, MINE).unwrap();
        vhost.queues().get(name).unwrap()
    }

    /// A consumer that was given so much.
    fn served(channel: &ChannelEntry, queue: &Arc<Queue>, deliver: u64) -> Arc<Subscriber> {
        let (whose, tag) = (Arc::clone(&channel.whose), ConsumerTag::from("t"));
        let subscriber = Arc::new(Subscriber::new(whose, tag, queue.name().clone()));
        subscriber.deliver.add(deliver);
        subscriber
    }

    /// A consumer comes and is given so much; what its connection knows of it.
    fn came(channel: &ChannelEntry, queue: &Arc<Queue>, deliver: u64) -> Arc<Subscriber> {
        let subscriber = served(channel, queue, deliver);
        channel.subscribe(&subscriber);
        subscriber
    }

    /// The same is cancelled with nothing to settle.
    fn came_and_went(channel: &ChannelEntry, queue: &Arc<Queue>, deliver: u64) {
        drop(came(channel, queue, deliver));
        channel.unsubscribe("t", Some(queue));
    }

    fn given(channel: &ChannelEntry, queue: &str) -> (u64, u64) {
        let given = channel.given(Some(queue)).get(queue).copied().unwrap_or_default();
        (given.deliver, given.ack)
    }

    #[test]
    fn what_cancelled_consumers_were_given_and_acknowledge_later_is_known_until_their_queue_is_gone() {
        let (vhost, channel) = (Vhost::new(VhostName::from("/")), opened());
        let queue = declared(&vhost, "q");
        let mut connection = Vec::new();
        for n in 1..=100 {
            connection.push(came(&channel, &queue, 2));
            channel.unsubscribe("t", Some(&queue));
            assert_eq!(given(&channel, "q").0, 2 * n);
        }
        connection[0].ack.add(2);
        connection[99].ack.add(1);
        assert_eq!((given(&channel, "q"), channel.consumers()), ((200, 3), 0));
        assert_eq!(given(&channel, "other"), (0, 0));
        connection.clear();
        for n in 1..=100 {
            came_and_went(&channel, &queue, 1);
            assert_eq!(given(&channel, "q"), (200 + n, 3));
        }
        // As long as somebody remembers it.
        vhost.queue_delete("q", MINE, false, false).unwrap();
        assert_eq!(channel.given(None).len(), 0);
        let again = declared(&vhost, "q");
        came_and_went(&channel, &again, 5);
        assert_eq!((given(&channel, "q"), queue.name().as_str()), ((5, 0), "q"));
    }

    #[test]
    fn a_channel_that_cancels_on_ever_more_queues_forgets_those_that_it_left_first() {
        let (vhost, channel) = (Vhost::new(VhostName::from("/")), opened());
        let queues: Vec<_> = (0..QUEUES_MAX + 10).map(|n| declared(&vhost, &format!("q{n}"))).collect();
        for queue in &queues {
            came_and_went(&channel, queue, 1);
            // It is left again and again, and stays.
            came_and_went(&channel, &queues[0], 1);
            // Nothing to tell takes no place.
            came_and_went(&channel, queue, 0);
        }
        let known = channel.given(None);
        assert_eq!(known.len(), QUEUES_MAX);
        for (n, queue) in queues.iter().enumerate() {
            assert_eq!(known.contains_key(queue.name()), n == 0 || n > 10, "{n}");
        }
    }

    #[test]
    fn queues_that_are_gone_make_room_first() {
        let (vhost, channel) = (Vhost::new(VhostName::from("/")), opened());
        came_and_went(&channel, &declared(&vhost, "first"), 1);
        for n in 0..2 * QUEUES_MAX {
            let name = format!("reply{n}");
            came_and_went(&channel, &declared(&vhost, &name), 1);
            vhost.queue_delete(&name, MINE, false, false).unwrap();
        }
        assert_eq!(channel.given(None).len(), 1);
        assert_eq!(given(&channel, "first"), (1, 0));
    }

    #[test]
    fn queues_that_are_gone_take_no_more_room_than_those_that_are_there() {
        let (vhost, channel, mut former) = (Vhost::new(VhostName::from("/")), opened(), Former::default());
        for n in 0..200 {
            let name = format!("reply{n}");
            let queue = declared(&vhost, &name);
            former.add(served(&channel, &queue, 1), &queue);
            if n >= 20 {
                vhost.queue_delete(&name, MINE, false, false).unwrap();
            }
            assert!(former.left.len() <= 2 * LOOK_MIN.max(20), "{n}");
        }
    }
}
