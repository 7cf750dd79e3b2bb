//! From what is asked for to the text of it, slice by slice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::attempts::{self, AttemptsRow};
use super::channels::{ChannelRow, FlowRow, GivenRow, RoutedRow};
use super::connections::ConnectionRow;
use super::exchanges::{ExchangeRow, PublishedRow, VhostRow};
use super::family::{CLUSTER, DETAILED, Group, LEVERET, RABBITMQ, Row, write_one};
use super::node::{self, Comings, Node};
use super::queues::{self, QueueInfoRow, QueueRow};
use super::scrapes::Scrapes;
use super::section::{Each, Section, Short};
use super::text::Text;
use super::wanted::{Endpoint, Wanted};
use super::{channels, connections, exchanges, global, identity, memory, own, totals};
use crate::channel::entry::ChannelEntry;
use crate::count::What;
use crate::management::Site;
use crate::store::Journal;
use crate::vhost::Vhost;

/// The size of a slice, in bytes.
const SLICE_BYTES: usize = 128 * 1024;

/// What is told of.
pub(super) struct Subject {
    /// The broker.
    pub(super) site: Arc<Site>,
    /// What was answered so far.
    pub(super) scrapes: Arc<Scrapes>,
}

/// The global parameter that has another name than the configuration says.
const CLUSTER_NAME: &str = "cluster_name";

impl Subject {
    /// The virtual hosts, in the order of their names.
    pub(super) fn vhosts(&self) -> Vec<Arc<Vhost>> {
        let mut vhosts = self.site.environment.vhosts.all();
        vhosts.sort_by(|one, other| one.name().cmp(other.name()));
        vhosts
    }

    /// The journal, if there is one.
    pub(super) fn journal(&self) -> Option<Arc<Journal>> {
        self.site.environment.vhosts.stored().map(|store| Arc::clone(&store.journal))
    }

    /// What tells this cluster from all others, for ever.
    pub(super) fn cluster_id(&self) -> String {
        self.site.environment.vhosts.global_parameters().cluster_id()
    }

    /// What the cluster is called.
    pub(super) fn cluster_name(&self) -> String {
        let renamed = self.site.environment.vhosts.global_parameters().get(CLUSTER_NAME);
        let renamed = renamed.as_ref().and_then(Value::as_str).map(str::to_owned);
        renamed.unwrap_or_else(|| self.site.environment.config().cluster_name.clone())
    }
}

/// The text of one answer, as far as it is not written yet.
pub(super) struct Scrape {
    sections: std::vec::IntoIter<Box<dyn Section>>,
    at: Option<Box<dyn Section>>,
    subject: Arc<Subject>,
    endpoint: Endpoint,
    took: Duration,
    bytes: u64,
}

impl Scrape {
    /// The answer to what is wanted of the subject.
    pub(super) fn new(subject: &Arc<Subject>, wanted: Wanted) -> Self {
        let mut plan = Plan { subject: Arc::clone(subject), wanted: Arc::new(wanted), sections: Vec::new() };
        match plan.wanted.endpoint {
            Endpoint::Aggregated => plan.aggregated(),
            Endpoint::PerObject => plan.per_object(),
            Endpoint::Detailed => plan.detailed(),
            Endpoint::MemoryBreakdown => plan.short(|subject, _, text| memory::write(subject, text)),
        }
        plan.identity();
        let endpoint = plan.wanted.endpoint;
        let mut sections = plan.sections.into_iter();
        let (took, bytes) = (Duration::ZERO, 0);
        Self { at: sections.next(), sections, subject: Arc::clone(subject), endpoint, took, bytes }
    }

    /// The next slice; nothing behind the last one. Looks at all queues when it comes to them: not for a thread that others
    /// wait for.
    pub(super) fn slice(&mut self) -> Option<String> {
        let begun = Instant::now();
        let mut text = Text::with_capacity(SLICE_BYTES + SLICE_BYTES / 8);
        while let Some(section) = &mut self.at {
            if !section.write(&mut text, SLICE_BYTES) {
                self.at = self.sections.next();
            }
            if text.len() >= SLICE_BYTES {
                break;
            }
        }
        self.took = self.took.saturating_add(begun.elapsed());
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        if self.at.is_none() && text.len() > 0 {
            self.subject.scrapes.add(self.endpoint, self.took, self.bytes);
        }
        (text.len() > 0).then(|| text.into_string())
    }
}

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scrape({} parts to come)", self.sections.len())
    }
}

/// The parts that an answer consists of, in their order.
struct Plan {
    subject: Arc<Subject>,
    wanted: Arc<Wanted>,
    sections: Vec<Box<dyn Section>>,
}

/// What belongs to no object. `queues` is all of them together.
fn write_rest(subject: &Subject, queues: &QueueRow, text: &mut Text) {
    let open = channels::open(subject);
    let counted = subject.site.environment.vhosts.counts().channels();
    totals::write(subject, open.len() as u64, queues.consumers(), text);
    let has_published = |channel: &&Arc<ChannelEntry>| channel.tally.messages.counts().of(What::Publish) > 0;
    let publishers = open.iter().filter(has_published).count() as u64;
    global::write(subject, &counted, publishers, queues.consumers(), text);
    global::write_sizes(&counted, text);
    node::write_state(subject, text);
    own::write(subject, queues, text);
}

/// What there is one of.
static NODE: [&Group<Node>; 3] = [&node::COARSE, &node::LIMITS, &node::PERSISTER];
static QUEUES: [&Group<QueueRow>; 4] =
    [&queues::COARSE, &queues::METRICS, &queues::DELIVERY, &queues::PUBLISHED];
static CHANNELS: [&Group<ChannelRow>; 2] = [&channels::METRICS, &channels::PROCESS];
static CONNECTIONS: [&Group<ConnectionRow>; 2] = [&connections::COARSE, &connections::METRICS];

impl Plan {
    fn short(&mut self, write: impl FnOnce(&Subject, &Wanted, &mut Text) + Send + 'static) {
        let (subject, wanted) = (Arc::clone(&self.subject), Arc::clone(&self.wanted));
        self.sections.push(Box::new(Short::new(move |text: &mut Text| write(&subject, &wanted, text))));
    }

    fn aggregated(&mut self) {
        self.short(|subject, _, text| {
            Comings::of(subject).write(RABBITMQ, text);
            write_one(RABBITMQ, &NODE, &Node::look(subject), text);
            let queues = QueueRow::sum(subject);
            write_one(RABBITMQ, &QUEUES, &queues, text);
            write_one(LEVERET, &[&own::QUEUES], &queues, text);
            let counted = subject.site.environment.vhosts.counts().channels().messages;
            write_one(RABBITMQ, &CHANNELS, &ChannelRow::sum(&channels::open(subject)), text);
            write_one(RABBITMQ, &[&channels::EXCHANGE], &FlowRow::sum(&counted), text);
            write_one(RABBITMQ, &[&channels::QUEUE], &GivenRow::sum(&counted), text);
            write_one(RABBITMQ, &CONNECTIONS, &ConnectionRow::sum(subject), text);
            write_one(RABBITMQ, &[&channels::ROUTED], &RoutedRow::sum(&counted), text);
            let published = PublishedRow::sum(channels::published(&counted));
            write_one(RABBITMQ, &[&exchanges::METRICS], &published, text);
            write_rest(subject, &queues, text);
        });
        self.attempts(RABBITMQ);
    }

    fn attempts(&mut self, prefix: &'static str) {
        self.each(&[(prefix, &attempts::METRICS)], |subject, _| AttemptsRow::look(subject));
    }

    fn per_object(&mut self) {
        self.short(|subject, _, text| {
            Comings::of(subject).write(RABBITMQ, text);
            write_one(RABBITMQ, &NODE, &Node::look(subject), text);
        });
        self.queues(RABBITMQ, &QUEUES, &[(LEVERET, &own::QUEUES)]);
        self.of_groups(RABBITMQ, |_| true);
        self.attempts(RABBITMQ);
        self.short(|subject, _, text| write_rest(subject, &QueueRow::sum(subject), text));
    }

    fn detailed(&mut self) {
        let wanted = Arc::clone(&self.wanted);
        let is_wanted = |group: &str| wanted.has_family(group);
        if is_wanted(node::CHURN) {
            self.short(|subject, _, text| Comings::of(subject).write(DETAILED, text));
        }
        let node: Vec<_> = NODE.iter().copied().filter(|group| is_wanted(group.name)).collect();
        if !node.is_empty() {
            self.short(move |subject, _, text| write_one(DETAILED, &node, &Node::look(subject), text));
        }
        if is_wanted(attempts::METRICS.name) {
            self.attempts(DETAILED);
        }
        let all = [
            &queues::COARSE,
            &queues::CONSUMER_COUNT,
            &queues::METRICS,
            &queues::DELIVERY,
            &queues::PUBLISHED,
        ];
        let mut queues: Vec<_> = all.into_iter().filter(|group| is_wanted(group.name)).collect();
        // All of what the one says is said by the other.
        if is_wanted(queues::METRICS.name) {
            queues.retain(|group| group.name != queues::CONSUMER_COUNT.name);
        }
        let own: Vec<_> =
            [(LEVERET, &own::QUEUES)].into_iter().filter(|(_, group)| is_wanted(group.name)).collect();
        if !queues.is_empty() || !own.is_empty() {
            self.queues(DETAILED, &queues, &own);
        }
        self.of_groups(DETAILED, is_wanted);
        if is_wanted(exchanges::VHOSTS.name) {
            self.each(&[(CLUSTER, &exchanges::VHOSTS)], |subject, _| VhostRow::look(subject));
        }
        for group in [&exchanges::BINDINGS, &exchanges::NAMES] {
            if is_wanted(group.name) {
                self.each(&[(CLUSTER, group)], |subject, _| ExchangeRow::look(subject));
            }
        }
    }

    /// Those of channels, connections and exchanges that are wanted.
    fn of_groups(&mut self, prefix: &'static str, is_wanted: impl Fn(&str) -> bool) {
        for group in CHANNELS {
            if is_wanted(group.name) {
                self.each(&[(prefix, group)], |subject, _| ChannelRow::look(subject));
            }
        }
        if is_wanted(channels::EXCHANGE.name) {
            self.each(&[(prefix, &channels::EXCHANGE)], |subject, _| FlowRow::look(subject));
        }
        if is_wanted(channels::QUEUE.name) {
            self.each(&[(prefix, &channels::QUEUE)], |subject, _| GivenRow::look(subject));
        }
        if is_wanted(channels::ROUTED.name) {
            self.each(&[(prefix, &channels::ROUTED)], |subject, _| RoutedRow::look(subject));
        }
        for group in CONNECTIONS {
            if is_wanted(group.name) {
                self.each(&[(prefix, group)], |subject, _| ConnectionRow::look(subject));
            }
        }
        if is_wanted(exchanges::METRICS.name) {
            self.each(&[(prefix, &exchanges::METRICS)], PublishedRow::look);
        }
    }

    fn each<R: Row>(
        &mut self,
        groups: &[(&'static str, &'static Group<R>)],
        look: impl FnOnce(&Subject, &Wanted) -> Vec<R> + Send + 'static,
    ) {
        let (subject, wanted) = (Arc::clone(&self.subject), Arc::clone(&self.wanted));
        self.sections.push(Box::new(Each::new(groups, move || look(&subject, &wanted))));
    }

    fn queues(
        &mut self,
        prefix: &'static str,
        groups: &[&'static Group<QueueRow>],
        own: &[(&'static str, &'static Group<QueueRow>)],
    ) {
        let groups: Vec<_> = groups.iter().map(|group| (prefix, *group)).chain(own.iter().copied()).collect();
        self.each(&groups, QueueRow::look);
        self.each(&[(prefix, &queues::INFO)], QueueInfoRow::look);
    }

    fn identity(&mut self) {
        self.short(|subject, wanted, text| {
            identity::write(subject, wanted.endpoint, text);
            subject.scrapes.write(wanted.endpoint, text);
        });
    }
}
