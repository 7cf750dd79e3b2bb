//! What a channel counts, message by message, and shows of itself.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::HashMap;

use super::entry::{COMMITS, CONFIRMS, ChannelEntry};
use super::{Channel, Mode, Session};
use crate::count::{ChannelTally, Flow, Seat, What};
use crate::message::Message;
use crate::name::{UserName, VhostName};
use crate::queue::subscriber::Whose;
use crate::time::Time;
use crate::vhost::publisher::{ExchangeNumber, Routed};

/// So many exchanges are told apart; with more all but the last are forgotten, and what they have counted stays with them.
const FLOWS_MAX: usize = 1024;

/// What a channel counts.
pub(super) struct Counting {
    pub(super) entry: Arc<ChannelEntry>,
    /// The same as the entry's, where it is found at once.
    pub(super) tally: Arc<ChannelTally>,
    /// As long as it is there, its virtual host counts what the tally does.
    seat: Option<Seat<ChannelTally>>,
    /// The exchange that was published to last.
    exchange: ExchangeNumber,
    flow: Option<Arc<Flow>>,
    /// All of them, by where they are counted.
    flows: HashMap<usize, Seat<Flow>>,
    /// From which publish on messages that are to be confirmed went to which exchange.
    confirming: VecDeque<(u64, Arc<Flow>)>,
}

impl Counting {
    /// Of a channel that nobody sees.
    pub(super) fn unseen(number: u16) -> Self {
        let whose = Whose {
            connection: crate::name::ConnectionId(0),
            connection_name: String::new(),
            peer: None,
            user: UserName::default(),
            vhost: VhostName::default(),
            number,
        };
        let tally = Arc::<ChannelTally>::default();
        let entry = Arc::new(ChannelEntry::new(Arc::new(whose), Arc::clone(&tally), Time::default()));
        Self {
            entry,
            tally,
            seat: None,
            exchange: ExchangeNumber::NONE,
            flow: None,
            flows: HashMap::default(),
            confirming: VecDeque::new(),
        }
    }

    /// Messages were confirmed, or refused, the last of them under this number.
    pub(super) fn answered(&mut self, through: u64, refused: bool) {
        let before = self.entry.answered.get();
        let count = through.saturating_sub(before);
        self.entry.answered.set(through);
        if !refused {
            self.tally.messages.add(What::Confirm, count);
        }
        let mut from = before.saturating_add(1);
        while from <= through
            && let Some((_, flow)) = self.confirming.front()
        {
            let next = self.confirming.get(1).map_or(u64::MAX, |(first, _)| *first);
            let end = through.saturating_add(1).min(next);
            if !refused {
                flow.confirm.add(end.saturating_sub(from));
            }
            from = end;
            if next <= from {
                self.confirming.pop_front();
            }
        }
    }
}

impl Channel {
    /// The same; it is seen, and counts in its virtual host.
    #[must_use]
    pub fn seen(mut self, session: &Session) -> Self {
        let whose = Whose {
            connection: session.connection,
            connection_name: session.name.clone(),
            peer: session.peer,
            user: session.authority.user().clone(),
            vhost: session.vhost.name().clone(),
            number: self.number,
        };
        let seat = session.vhost.count_channel();
        let tally = Arc::clone(seat.part());
        let entry = Arc::new(ChannelEntry::new(Arc::new(whose), Arc::clone(&tally), Time::now()));
        self.counting = Counting { entry, tally, seat: Some(seat), ..Counting::unseen(self.number) };
        self
    }

    /// What is seen of it.
    pub fn entry(&self) -> &Arc<ChannelEntry> {
        &self.counting.entry
    }

    /// A message is about to be gathered.
    #[inline]
    pub(super) fn count_publish(&mut self, routed: Routed, message: &Message, session: &Session) {
        let (exchange, queues) = routed.counted();
        if exchange != self.counting.exchange {
            self.publish_elsewhere(exchange, message, session);
        }
        let tally = &self.counting.tally;
        tally.messages.add(What::Publish, 1);
        tally.messages.add(What::Routed, u64::from(queues));
        tally.sizes.add(message.body_len() as u64);
        if let Some(flow) = &self.counting.flow {
            flow.publish.add(1);
            flow.routed.add(u64::from(queues));
        }
    }

    /// What follows is published to another exchange than what came before.
    #[inline(never)]
    fn publish_elsewhere(&mut self, exchange: ExchangeNumber, message: &Message, session: &Session) {
        let Counting { entry, flow, flows, confirming, exchange: last, .. } = &mut self.counting;
        *last = exchange;
        *flow = session.publisher.published_to(exchange).map(|sum| {
            if flows.len() >= FLOWS_MAX {
                flows.clear();
                entry.forget_flows();
            }
            let seat = flows.entry(Arc::as_ptr(sum).addr()).or_insert_with(|| {
                let seat = sum.join(Arc::default());
                entry.begin_flow(message.exchange(), seat.part());
                seat
            });
            Arc::clone(seat.part())
        });
        if let (Mode::Confirm(confirms), Some(flow)) = (&self.mode, flow)
            && confirming.back().is_none_or(|(_, last)| !Arc::ptr_eq(last, flow))
        {
            confirming.push_back((confirms.next(), Arc::clone(flow)));
        }
    }

    /// A publish led nowhere.
    #[cold]
    pub(super) fn count_unroutable(&self, returned: bool) {
        let what = if returned { What::ReturnUnroutable } else { What::DropUnroutable };
        self.counting.tally.messages.add(what, 1);
        if let Some(flow) = &self.counting.flow {
            if returned { &flow.return_unroutable } else { &flow.drop_unroutable }.add(1);
        }
    }

    /// The channel confirms from now on.
    pub(super) fn count_confirms(&mut self) {
        self.counting.entry.mode.set(CONFIRMS);
        if let Some(flow) = &self.counting.flow {
            self.counting.confirming.push_back((1, Arc::clone(flow)));
        }
    }

    /// The channel commits from now on.
    pub(super) fn count_commits(&mut self) {
        self.counting.entry.mode.set(COMMITS);
    }

    /// Shows how much is out.
    #[inline]
    pub(super) fn show_unacked(&self) {
        self.counting.entry.unacked.set(self.outstanding.len() as u64);
    }

    /// Shows what may have changed with a method.
    pub(super) fn show(&self) {
        self.show_unacked();
        let entry = &self.counting.entry;
        entry.prefetch.set(u64::from(self.prefetch));
        entry.global_prefetch.set(self.global_prefetch.as_ref().map_or(0, |global| global.limit()));
        if let Mode::Transaction(transaction) = &self.mode {
            let (publications, settlements) = transaction.waiting();
            entry.uncommitted.set(publications as u64);
            entry.uncommitted_acks.set(settlements as u64);
        }
    }

    /// What is told of a consumer to come.
    pub(super) fn whose(&self) -> &Arc<Whose> {
        &self.counting.entry.whose
    }

    /// Where consumers count what they get, and messages what they are got by.
    pub(super) fn count(&self, what: What, messages: u64) {
        self.counting.tally.messages.add(what, messages);
    }

    /// The queue of a get is not what is told of; that it found something is.
    pub(super) fn count_got(&self, no_ack: bool, redelivered: bool) {
        self.count(if no_ack { What::GetNoAck } else { What::Get }, 1);
        self.count(What::Redeliver, u64::from(redelivered));
    }

    /// The end of the channel: what it has counted stays with its virtual host.
    pub(super) fn end_counting(&mut self) {
        self.counting.seat = None;
        self.counting.flow = None;
        self.counting.flows.clear();
        self.counting.confirming.clear();
    }
}
