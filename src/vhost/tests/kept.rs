//! What of a virtual host is there again after the broker was started anew.

use std::collections::BTreeSet;
use std::path::Path;

use leveret_protocol::table::{TableBuf, TableBuilder};
use proptest::prelude::*;

use super::*;
use crate::queue::QueueId;
use crate::store::Journal;
use crate::store::definitions::Opened;
use crate::store::journal::{Limits, Start};
use crate::store::simulated::SimDisk;
use crate::store::temporary::Temporary;
use crate::vhost::restore::Restored;
use crate::vhost::topology::Destination;

/// A store whose journal is on a simulated disk, so that only definitions outlive it.
fn store(data_dir: &Path) -> (VhostStore, Restored) {
    let opened = Opened::open(data_dir, &[]).unwrap();
    let restored =
        Restored::new(opened.definitions().unwrap(), Durability::Fsync, &StoreHandle::in_memory(), &|_| {
            false
        });
    let limits = Limits { file_bytes: 1 << 20, margin_bytes: 1 << 16, ..Limits::default() };
    let journal = Journal::open(SimDisk::new(1), &Start::default(), limits, Arc::new(())).unwrap();
    let definitions = opened.start(Arc::clone(&journal)).unwrap();
    (VhostStore { journal, definitions, handle: StoreHandle::in_memory() }, restored)
}

/// One line for everything durable in a virtual host.
fn durable(vhost: &Vhost, names: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in names {
        if let Some(queue) = vhost.queues().get(name).filter(|queue| queue.options().durable) {
            let journalled = queue.is_journalled();
            found.insert(format!("{queue:?} {} {:?} {journalled}", queue.id(), queue.options()));
        }
        let Some(exchange) = vhost.exchanges().get(name).filter(|exchange| exchange.options().durable) else {
            continue;
        };
        found.insert(format!("{exchange:?} {:?}", exchange.options()));
        assert_eq!(exchange.waiting().is_some(), exchange.delays());
        if let Some(queue) = exchange.waiting() {
            let journalled = queue.is_journalled();
            found.insert(format!(
                "{exchange:?} waits in {queue:?} {} {:?} {journalled}",
                queue.id(),
                queue.options()
            ));
        }
        for binding in exchange.routes().iter() {
            if records::is_durable(&exchange, &binding.target) {
                let (target, key, arguments) = (&binding.target, &binding.key, &binding.arguments);
                found.insert(format!("{exchange:?} -> {target:?} {key} {arguments:?}"));
            }
        }
    }
    found
}

/// Runs `change` on a virtual host, stops in order, starts again: gives what was durable before and after.
fn restarted(
    data_dir: &Path,
    names: &[String],
    change: impl FnOnce(&Vhost),
) -> (BTreeSet<String>, BTreeSet<String>) {
    let (store, restored) = store(data_dir);
    let vhost = match restored.kept_in(&store).next() {
        Some(vhost) => vhost,
        None => Vhost::define("/".into(), Some(Durability::Os), Durability::Fsync, store.clone()).0,
    };
    change(&vhost);
    let before = durable(&vhost, names);
    store.definitions.close();
    store.journal.close();
    let opened = Opened::open(data_dir, &[]).unwrap();
    let restored =
        Restored::new(opened.definitions().unwrap(), Durability::Memory, &StoreHandle::in_memory(), &|_| {
            false
        });
    let vhost = restored.vhosts.values().next().unwrap();
    assert_eq!(vhost.durability(), Durability::Os, "its own, whatever the broker's is");
    (before, durable(vhost, names))
}

#[derive(Clone, Debug)]
enum Step {
    DeclareExchange {
        name: usize,
        exchange_type: ExchangeType,
        durable: bool,
        auto_delete: bool,
        internal: bool,
    },
    DeclareQueue {
        name: usize,
        durable: bool,
        auto_delete: bool,
    },
    Bind {
        source: usize,
        to_queue: bool,
        to: usize,
        key: String,
        argument: bool,
    },
    Unbind {
        source: usize,
        to_queue: bool,
        to: usize,
        key: String,
        argument: bool,
    },
    DeleteExchange {
        name: usize,
    },
    DeleteQueue {
        name: usize,
    },
    Vanish {
        name: usize,
    },
    Restart,
}

const NAMES: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES;
    let key = || "[ab12]?";
    let exchange_type = prop::sample::select(ExchangeType::ALL.to_vec());
    prop_oneof![
        6 => (name(), exchange_type, prop::bool::weighted(0.8), prop::bool::weighted(0.3), any::<bool>())
            .prop_map(|(name, exchange_type, durable, auto_delete, internal)| {
                Step::DeclareExchange { name, exchange_type, durable, auto_delete, internal }
            }),
        6 => (name(), prop::bool::weighted(0.8), any::<bool>())
            .prop_map(|(name, durable, auto_delete)| Step::DeclareQueue { name, durable, auto_delete }),
        16 => (name(), any::<bool>(), name(), key(), any::<bool>())
            .prop_map(|(source, to_queue, to, key, argument)| {
                Step::Bind { source, to_queue, to, key, argument }
            }),
        6 => (name(), any::<bool>(), name(), key(), any::<bool>())
            .prop_map(|(source, to_queue, to, key, argument)| {
                Step::Unbind { source, to_queue, to, key, argument }
            }),
        2 => name().prop_map(|name| Step::DeleteExchange { name }),
        2 => name().prop_map(|name| Step::DeleteQueue { name }),
        1 => name().prop_map(|name| Step::Vanish { name }),
        1 => Just(Step::Restart),
    ]
}

fn arguments(some: bool) -> TableBuf {
    if some { TableBuilder::new().string("x-match", "all").int("a", 1).finish() } else { TableBuf::default() }
}

fn take(vhost: &Vhost, names: &[String], step: Step) {
    let to = |to_queue: bool, to: usize| match names[to].as_str() {
        name if to_queue => Destination::Queue(name, MINE),
        name => Destination::Exchange(name),
    };
    // Whether it is refused is of no account: it must be the same afterwards as it was before.
    match step {
        Step::DeclareExchange { name, exchange_type, durable, auto_delete, internal } => {
            let arguments = match exchange_type {
                ExchangeType::DelayedMessage => {
                    TableBuilder::new().string("x-delayed-type", "topic").finish()
                }
                ExchangeType::MessageDeduplication => TableBuilder::new().int("x-cache-size", 5).finish(),
                _ => TableBuf::default(),
            };
            let parsed = ExchangeOptions::parse(exchange_type.as_str(), arguments.as_table()).unwrap();
            let options = ExchangeOptions { durable, auto_delete, internal, ..parsed };
            let _ = vhost.exchange_declare(&ExchangeName::from(names[name].as_str()), options);
        }
        Step::DeclareQueue { name, durable, auto_delete } => {
            let arguments = TableBuilder::new().int("x-max-length", 5).finish();
            let options = QueueOptions { durable, ..QueueOptions::restored(auto_delete, arguments) };
            let _ = vhost.queue_declare(Some(QueueName::from(names[name].as_str())), &options, MINE);
        }
        Step::Bind { source, to_queue, to: target, key, argument } => {
            let arguments = arguments(argument);
            let _ = vhost.bind(&BindingEnds {
                source: &names[source],
                destination: to(to_queue, target),
                binding_key: &key,
                arguments: arguments.as_table(),
            });
        }
        Step::Unbind { source, to_queue, to: target, key, argument } => {
            let arguments = arguments(argument);
            let _ = vhost.unbind(&BindingEnds {
                source: &names[source],
                destination: to(to_queue, target),
                binding_key: &key,
                arguments: arguments.as_table(),
            });
        }
        Step::DeleteExchange { name } => {
            let _ = vhost.exchange_delete(&names[name], false);
        }
        Step::DeleteQueue { name } => {
            let _ = vhost.queue_delete(&names[name], MINE, false, false);
        }
        Step::Vanish { name } => {
            // As a queue does that deletes itself: it is gone before its virtual host knows.
            if let Some(queue) = vhost.queues().get(&names[name]) {
                queue.delete(false, false, &mut crate::store::op::Group::default()).unwrap();
                vhost.forget_queue(&queue);
            }
        }
        Step::Restart => {}
    }
}

fn names() -> Vec<String> {
    // One of them looks like the end of a name in a key.
    ["a", "ab", "a\0\u{1}", "amq.topic"].into_iter().map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_restored_equals_what_was_durable(steps in prop::collection::vec(step(), 0..120)) {
        let (data, names) = (Temporary::new(), names());
        for steps in steps.split(|step| matches!(step, Step::Restart)) {
            let (before, after) = restarted(data.path(), &names, |vhost| {
                for step in steps {
                    take(vhost, &names, step.clone());
                }
            });
            prop_assert_eq!(before, after);
        }
    }
}

#[test]
fn exchanges_that_are_bound_in_a_cycle_are_restored() {
    let (data, names) = (Temporary::new(), names());
    let (before, after) = restarted(data.path(), &names, |vhost| {
        for name in 0..3 {
            let exchange_type = ExchangeType::Fanout;
            let (durable, auto_delete, internal) = (true, name == 1, false);
            take(
                vhost,
                &names,
                Step::DeclareExchange { name, exchange_type, durable, auto_delete, internal },
            );
        }
        for source in 0..3 {
            let (to, key) = ((source + 1) % 3, String::new());
            take(vhost, &names, Step::Bind { source, to_queue: false, to, key, argument: false });
        }
    });
    assert_eq!(before, after);
    assert_eq!(after.iter().filter(|line| line.contains("->")).count(), 3);
}

#[test]
fn a_queue_that_is_made_after_a_restart_is_another_one_than_all_before() {
    let (data, names) = (Temporary::new(), names());
    let step = |name| Step::DeclareQueue { name, durable: true, auto_delete: false };
    let id = |vhost: &Vhost, name: usize| vhost.queues().get(&names[name]).unwrap().id();
    // An id as of a broker that has run for long.
    QueueId::stored(1_000_000).reserve();
    restarted(data.path(), &names, |vhost| take(vhost, &names, step(0)));
    restarted(data.path(), &names, |vhost| {
        take(vhost, &names, step(1));
        assert!(id(vhost, 1) > id(vhost, 0));
    });
}

#[test]
fn a_binding_whose_end_is_not_defined_is_left_out_and_the_rest_is_restored() {
    let data = Temporary::new();
    let lost = crate::store::definitions::BindingDefinition {
        vhost: "/".into(),
        source: "amq.direct".into(),
        to: crate::store::definitions::BoundTo::Queue("nowhere".into()),
        binding_key: "k".to_owned(),
        arguments: TableBuf::default(),
    };
    let (store, _) = store(data.path());
    let (vhost, _) = Vhost::define("/".into(), None, Durability::Os, store.clone());
    let mut record = store.definitions.record();
    record.define(&Definition::Binding(lost));
    record.commit().unwrap();
    take(&vhost, &names(), Step::DeclareQueue { name: 0, durable: true, auto_delete: false });
    store.definitions.close();
    let opened = Opened::open(data.path(), &[]).unwrap();
    let restored =
        Restored::new(opened.definitions().unwrap(), Durability::Fsync, &StoreHandle::in_memory(), &|_| {
            false
        });
    assert_eq!(
        restored.to_string(),
        "virtual hosts: 1, durable exchanges: 0, durable queues: 1, bindings between them: 0"
    );
}

#[test]
fn a_hundred_thousand_queues_and_bindings_are_one_epoch() {
    let mut definitions =
        vec![Definition::Vhost(VhostDefinition { name: "/".into(), ..VhostDefinition::default() })];
    let queue = |number: u32| QueueName::from(format!("queue-{number}"));
    definitions.extend((0..100_000).map(|number| {
        Definition::Queue(crate::store::definitions::QueueDefinition {
            vhost: "/".into(),
            name: queue(number),
            id: QueueId::stored(u64::from(number)),
            auto_delete: false,
            arguments: TableBuf::default(),
            paused: false,
        })
    }));
    definitions.extend((0..100_000).map(|number| {
        Definition::Binding(crate::store::definitions::BindingDefinition {
            vhost: "/".into(),
            source: "amq.direct".into(),
            to: crate::store::definitions::BoundTo::Queue(queue(number)),
            binding_key: number.to_string(),
            arguments: TableBuf::default(),
        })
    }));
    let restored = Restored::new(definitions, Durability::Fsync, &StoreHandle::in_memory(), &|_| false);
    let vhost = restored.vhosts.values().next().unwrap();
    assert_eq!((vhost.epoch(), vhost.queues().len(), vhost.remembered_sources()), (1, 100_000, 100_000));
    assert_eq!(vhost.exchanges().get("amq.direct").unwrap().routes().len(), 100_000);
}
