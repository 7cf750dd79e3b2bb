//! A message's way through the exchanges, as it would go, told step by step. Nothing is published.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::HashSet;

use super::Vhost;
use super::exchange::{Exchange, Target};
use crate::exchange::explain::{Verdict, explain};
use crate::exchange::{Binding, ExchangeType, Routable};
use crate::queue::due::due;

/// An exchange on the way.
#[derive(Debug)]
pub struct Step {
    /// Its name; nothing is the default exchange.
    pub exchange: String,
    /// Its type.
    pub exchange_type: ExchangeType,
    /// How it was reached.
    pub by: By,
    /// Its bindings: those that match first, then by where they lead.
    pub bindings: Vec<(Binding<Target>, Verdict)>,
    /// Names that the default exchange looked for, and whether there is such a queue.
    pub names: Vec<(String, bool)>,
    /// Bindings that are not told, since there are too many.
    pub untold: usize,
    /// Where messages go that match none.
    pub alternate: Option<String>,
    /// Whether that is used.
    pub goes_to_alternate: bool,
    /// The message waits here until it is due.
    pub waits: bool,
}

/// How an exchange was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The message is published to it.
    Publish,
    /// A binding of this exchange leads there.
    Binding(String),
    /// It is the alternate exchange of this one, where the message matched nothing.
    Alternate(String),
}

/// The whole way.
#[derive(Debug, Default)]
pub struct Way {
    /// Each exchange, in the order in which they are reached.
    pub steps: Vec<Step>,
    /// The queues that the message comes to, as far as chance does not decide.
    pub queues: Vec<String>,
    /// Alternate exchanges that do not exist.
    pub missing: Vec<String>,
}

impl Vhost {
    /// The way of a message that is published to an exchange, with so many bindings of each told. Nothing when there is no
    /// such exchange.
    pub fn explain(&self, exchange: &str, message: &Routable<'_>, told_max: usize) -> Option<Way> {
        let mut way = Way::default();
        let mut walk = VecDeque::new();
        let mut seen = HashSet::default();
        if exchange.is_empty() {
            way.steps.push(self.by_name(message, By::Publish, &mut way.queues));
        } else {
            let first = self.exchanges().get(exchange)?;
            seen.insert(first.id());
            walk.push_back((first, By::Publish));
        }
        while let Some((exchange, by)) = walk.pop_front() {
            let step = step(&exchange, by, message, told_max, &mut |target| match target {
                Target::Queue(queue) => way.queues.push(queue.name().to_string()),
                Target::Exchange(next) => {
                    if seen.insert(next.id()) {
                        walk.push_back((Arc::clone(next), By::Binding(exchange.name().to_string())));
                    }
                }
            });
            let alternate = step.alternate.clone().filter(|_| step.goes_to_alternate);
            way.steps.push(step);
            let Some(name) = alternate else { continue };
            let by = By::Alternate(exchange.name().to_string());
            if name.is_empty() {
                way.steps.push(self.by_name(message, by, &mut way.queues));
            } else if let Some(next) = self.exchanges().get(&name) {
                if seen.insert(next.id()) {
                    walk.push_back((next, by));
                }
            } else {
                way.missing.push(name);
            }
        }
        way.queues.sort_unstable();
        way.queues.dedup();
        Some(way)
    }

    fn by_name(&self, message: &Routable<'_>, by: By, queues: &mut Vec<String>) -> Step {
        let look_up = |key: &str| (key.to_owned(), self.queues().get(key).is_some());
        let names: Vec<(String, bool)> = message.keys().map(look_up).collect();
        queues.extend(names.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name.clone()));
        Step {
            exchange: String::new(),
            exchange_type: ExchangeType::Direct,
            by,
            bindings: Vec::new(),
            names,
            untold: 0,
            alternate: None,
            goes_to_alternate: false,
            waits: false,
        }
    }
}

/// What becomes of a message at one exchange; `leads_to` is told where it goes on.
fn step(
    exchange: &Arc<Exchange>,
    by: By,
    message: &Routable<'_>,
    told_max: usize,
    leads_to: &mut dyn FnMut(&Target),
) -> Step {
    let waits = exchange.delays() && message.message.is_some_and(|message| due(message).is_some());
    let routes_by = exchange.options().routes_by();
    let is_drawn = matches!(routes_by, ExchangeType::Random | ExchangeType::LocalRandom);
    let (mut chosen, all): (HashSet<Target>, Vec<Binding<Target>>) = {
        let (routes, mut chosen) = (exchange.routes(), HashSet::default());
        routes.route(message, &mut |target| _ = chosen.insert(target.clone()));
        (chosen, routes.iter().cloned().collect())
    };
    let goes_to_alternate = chosen.is_empty() && !waits;
    if is_drawn {
        // Another one the next time: all are told, and where exchanges lead on is shown.
        chosen = all.iter().map(|binding| binding.target.clone()).collect();
        for target in chosen.iter().filter(|target| matches!(target, Target::Exchange(_))) {
            leads_to(target);
        }
    } else {
        chosen.iter().for_each(leads_to);
    }
    let mut bindings: Vec<(Binding<Target>, Verdict)> = all
        .into_iter()
        .map(|binding| {
            let verdict = explain(routes_by, &binding, message, |target| chosen.contains(target));
            (binding, verdict)
        })
        .collect();
    bindings.sort_by_cached_key(|(binding, verdict)| {
        let name = crate::exchange::Target::name(&binding.target);
        (verdict.matches == Some(false), format!("{name:?}"), std::sync::Arc::clone(&binding.key))
    });
    let untold = bindings.len().saturating_sub(told_max);
    bindings.truncate(told_max);
    Step {
        exchange: exchange.name().to_string(),
        exchange_type: exchange.options().exchange_type,
        by,
        bindings,
        names: Vec::new(),
        untold,
        alternate: exchange.alternate_exchange().map(|name| name.to_string()),
        goes_to_alternate,
        waits,
    }
}
