//! Random programs on a queue with random combinations of all features, each step compared with a model: priorities, time to
//! live, limits, dead letters, delivery limits, delayed retries, schedules, groups, single active consumers, consumer
//! priorities and timeouts, pauses, changes of the terms, and kills.
//!
//! Time is a number. What leaves memory comes back as soon as it is asked for; what can happen until then, and between blocks and
//! segments, the programs beside this vary, and rooms and shared credits as well.
//! `LEVERET_PROGRAMS` says how many programs there are, `LEVERET_PROGRAM` which one is the first.

mod clients;
mod message;
mod model;
mod paging;
mod plan;
mod run;
mod upkeep;

use std::panic::{AssertUnwindSafe, catch_unwind};

use plan::{Plan, Step};
use run::Run;

/// Carries a plan out. `Err` says at which step what went wrong.
fn carried_out(plan: &Plan) -> Result<(), (usize, String)> {
    let mut run = Run::new(plan);
    for (at, step) in plan.steps.iter().enumerate() {
        let outcome = catch_unwind(AssertUnwindSafe(|| run.step(step)));
        outcome.unwrap_or_else(|_| Err("it panics".to_owned())).map_err(|wrong| (at, wrong))?;
    }
    Ok(())
}

/// The same plan with as few steps as still go wrong.
fn shortened(mut plan: Plan) -> Plan {
    let mut width = plan.steps.len();
    while width > 0 {
        let mut from = 0;
        while from < plan.steps.len() {
            let mut shorter = plan.clone();
            shorter.steps.drain(from..(from + width).min(plan.steps.len()));
            if carried_out(&shorter).is_err() { plan = shorter } else { from += width }
        }
        width /= 2;
    }
    for at in 0..plan.steps.len() {
        let mut from = 0;
        while let Step::Publish(publications) = &plan.steps[at]
            && from < publications.len()
        {
            let mut fewer = publications.clone();
            fewer.remove(from);
            let mut shorter = plan.clone();
            shorter.steps[at] = Step::Publish(fewer);
            if carried_out(&shorter).is_err() { plan = shorter } else { from += 1 }
        }
    }
    plan
}

#[test]
fn whatever_features_are_combined_each_does_what_it_does_alone() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = number("LEVERET_PROGRAM").unwrap_or(1);
    for seed in first..first + number("LEVERET_PROGRAMS").unwrap_or(2000) {
        let plan = Plan::drawn(seed);
        if carried_out(&plan).is_err() {
            let plan = shortened(plan);
            let (at, wrong) = carried_out(&plan).unwrap_err();
            let steps = plan.steps.iter().enumerate().map(|(at, step)| format!("{at}: {step:?}\n"));
            let steps: String = steps.collect();
            let plan = Plan { steps: Vec::new(), ..plan };
            panic!("LEVERET_PROGRAM={seed} LEVERET_PROGRAMS=1, in step {at}: {wrong}\n{plan:?}\n{steps}");
        }
    }
}
