//! The registry of a client's scenarios, and the line protocol that the runner speaks with it.

use std::any::Any;
use std::env;
use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

const DEADLINE_SECONDS: u64 = 180;
/// For scenarios that restart a broker.
const RESTARTS_SECONDS: u64 = 300;

pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;
type Body = Box<dyn Fn(Run) -> Pin<Box<dyn Future<Output = Outcome>>>>;

/// The kinds of names that are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Queue,
    Exchange,
}

/// One run of one scenario: where the broker is, and names that nobody else uses.
#[derive(Clone)]
pub struct Run {
    client: &'static str,
    scenario: &'static str,
    made: Arc<Mutex<Vec<(Kind, String)>>>,
}

impl Run {
    /// Where the broker is.
    pub fn url(&self) -> String {
        variable("INTEROP_URL")
    }

    /// A broker of this client's own, which `control::restart` restarts.
    pub fn restart_url(&self) -> String {
        variable("INTEROP_RESTART_URL")
    }

    /// A new queue name, recorded so that the queue is deleted after the scenario.
    pub fn queue(&self, label: &str) -> String {
        self.name(Kind::Queue, "queue", label)
    }

    /// A new exchange name, recorded as a queue's is.
    pub fn exchange(&self, label: &str) -> String {
        self.name(Kind::Exchange, "exchange", label)
    }

    /// What was recorded.
    pub fn made(&self) -> Vec<(Kind, String)> {
        self.made.lock().unwrap().clone()
    }

    fn name(&self, kind: Kind, word: &str, label: &str) -> String {
        let mut made = self.made.lock().unwrap();
        let number = made.len();
        let name =
            format!("interop.{}.{}.{}.{label}.{number}", variable("INTEROP_RUN"), self.client, self.scenario);
        let line = json!({"scenario": self.scenario, "kind": word, "name": name});
        let mut names = OpenOptions::new().append(true).create(true).open(variable("INTEROP_NAMES")).unwrap();
        writeln!(names, "{line}").unwrap();
        made.push((kind, name.clone()));
        name
    }
}

/// A variable of the environment that the runner sets.
pub fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: the runner sets it"))
}

struct Row {
    name: &'static str,
    deadline_seconds: u64,
    own_broker: bool,
    body: Body,
}

/// The scenarios of one client. `clean` deletes a run's queues and exchanges with that client.
pub struct Scenarios {
    client: &'static str,
    clean: Body,
    rows: Vec<Row>,
}

impl Scenarios {
    pub fn new<F, R>(client: &'static str, clean: F) -> Self
    where
        F: Fn(Run) -> R + 'static,
        R: Future<Output = Outcome> + 'static,
    {
        Self { client, clean: boxed(clean), rows: Vec::new() }
    }

    /// Registers a function that fails, or panics, where the broker differs from it.
    pub fn row<F, R>(&mut self, name: &'static str, body: F)
    where
        F: Fn(Run) -> R + 'static,
        R: Future<Output = Outcome> + 'static,
    {
        self.rows.push(Row {
            name,
            deadline_seconds: DEADLINE_SECONDS,
            own_broker: false,
            body: boxed(body),
        });
    }

    /// As `row`, for one that restarts or blocks the client's own broker.
    pub fn own_broker_row<F, R>(&mut self, name: &'static str, body: F)
    where
        F: Fn(Run) -> R + 'static,
        R: Future<Output = Outcome> + 'static,
    {
        self.rows.push(Row { name, deadline_seconds: RESTARTS_SECONDS, own_broker: true, body: boxed(body) });
    }

    /// What `--list` prints.
    pub fn list(&self) -> Value {
        let entry = |row: &Row| json!({"name": row.name, "deadline_seconds": row.deadline_seconds, "own_broker": row.own_broker});
        self.rows.iter().map(entry).collect()
    }

    /// Runs the scenarios that are named on stdin, one a line, and answers each with a line.
    pub fn answer(self) -> Result<(), Box<dyn Error>> {
        let runtime = Builder::new_multi_thread().enable_all().worker_threads(2).build()?;
        for line in io::stdin().lines() {
            let line = line?;
            let row = self.rows.iter().find(|row| row.name == line.trim());
            let row = row.ok_or_else(|| format!("no scenario is called {line}"))?;
            writeln!(io::stdout(), "{}", self.outcome(&runtime, row))?;
        }
        Ok(())
    }

    fn outcome(&self, runtime: &Runtime, row: &Row) -> Value {
        let started = Instant::now();
        let scenario = row.name;
        let run = Run { client: self.client, scenario, made: Arc::default() };
        let mut detail = String::new();
        for step in [&row.body, &self.clean] {
            // A panic is an answer too.
            match catch_unwind(AssertUnwindSafe(|| runtime.block_on(step(run.clone())))) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => detail.push_str(&format!("{error}\n{error:?}\n")),
                Err(payload) => detail.push_str(text_of(&*payload)),
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        json!({"scenario": scenario, "passed": detail.is_empty(), "seconds": seconds, "detail": detail})
    }
}

/// What a panic said. Where it was is on stderr.
fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text")
}

fn boxed<F, R>(body: F) -> Body
where
    F: Fn(Run) -> R + 'static,
    R: Future<Output = Outcome> + 'static,
{
    Box::new(move |run| Box::pin(body(run)))
}
