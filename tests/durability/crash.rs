//! Crashes: the broker is killed while clients do everything at once, started again, and held against what the clients
//! know; again and again on the same directory.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::account::Account;
use crate::checker::{Checker, End};
use crate::churn::Churn;
use crate::client::Client;
use crate::features::Features;
use crate::load::{Fuse, Role, Session};
use crate::random::{Random, seed, setting};
use crate::support::{Broker, TempDir};
use crate::{topology, verification};

/// So many cycles in all, unless `LEVERET_CRASH_CYCLES` asks for others.
const CYCLES: u64 = 100;
/// Tests below, each with a directory of its own.
const HISTORIES: u64 = 4;

/// Those that wait for one answer after the other: publishers, transactions, declares, features.
const ANSWERED: [usize; 6] = [0, 7, 8, 9, 10, 11];

/// So many lines of a broker's log are shown with what is wrong: those of its start.
const LOG_MAX: usize = 40;

/// One data directory and what is known about it.
struct History {
    seed: u64,
    random: Random,
    data: TempDir,
    arguments: &'static [&'static str],
    /// Whether every end is a clean one.
    is_gentle: bool,
    checker: Checker,
    churns: [Churn; 2],
    features: Features,
    next_stream: u32,
}

/// What becomes of a broker.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Kill,
    Stop,
    /// Told to stop, and killed after a time.
    StopAndKill(Duration),
}

impl History {
    fn new(seed: u64, arguments: &'static [&'static str], is_gentle: bool) -> Self {
        Self {
            seed,
            random: Random::new(seed),
            data: TempDir::new(),
            arguments,
            is_gentle,
            checker: Checker::new(seed),
            churns: [Churn::new("churn.a"), Churn::new("churn.b")],
            features: Features::new("features"),
            next_stream: 0,
        }
    }

    fn run(&mut self, cycles: u64) {
        let started = Instant::now();
        let mut broker = Broker::start_on(self.data.path(), self.arguments);
        let mut client = Client::connect(&broker, 1);
        topology::declare(&mut client).expect("a broker that goes on");
        self.features.declare(&mut client).expect("a broker that goes on");
        drop(client);
        let mut published = 0;
        for cycle in 0..cycles {
            let plan = self.plan();
            let mut end = self.load(broker, plan);
            published += self.checker.len();
            if !self.is_gentle && self.random.once_in(4) {
                end = self.start_and_kill(end);
            }
            broker = Broker::start_on(self.data.path(), self.arguments);
            self.verify(&broker, end, &format!("cycle {cycle}, {plan:?}, {end:?}"));
        }
        drop(broker);
        let (of_features, letters) = (self.features.len(), self.features.letters());
        eprintln!(
            "seed {}: {cycles} cycles, {published} messages, {of_features} with features, {letters} dead letters, {:?}",
            self.seed,
            started.elapsed()
        );
    }

    fn plan(&mut self) -> Plan {
        match self.random.below(10) {
            _ if self.is_gentle => Plan::Stop,
            0 => Plan::Stop,
            1..=2 => Plan::StopAndKill(self.some_time(40)),
            _ => Plan::Kill,
        }
    }

    fn some_time(&mut self, milliseconds: u64) -> Duration {
        Duration::from_micros(self.random.below(milliseconds * 1000))
    }

    /// Lets clients loose on the broker until it has ended, and takes over what they know.
    fn load(&mut self, mut broker: Broker, plan: Plan) -> End {
        let signal = if matches!(plan, Plan::Kill) { Signal::KILL } else { Signal::TERM };
        // At the last step of all of them together, or of one: then at once when that one has an answer.
        let whose = self.random.once_in(2).then(|| *self.random.choose(&ANSWERED));
        let steps_max = if whose.is_some() { 1000 } else { 20_000 };
        let fuse = Fuse::new(&broker, 20 + self.random.magnitude(steps_max), signal);
        let accounts = self.play(&fuse, whose);
        let end = match plan {
            Plan::Kill => {
                broker.kill();
                End::Killed
            }
            Plan::Stop => {
                let ended = broker.ended();
                assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
                End::Clean
            }
            Plan::StopAndKill(after) => {
                std::thread::park_timeout(after);
                let is_clean = broker.has_ended();
                broker.kill();
                if is_clean { End::Clean } else { End::Unknown }
            }
        };
        self.checker.absorb(accounts);
        end
    }

    /// Plays all roles, and burns the fuse by the steps of all of them or of one.
    fn play(&mut self, fuse: &Fuse<'_>, whose: Option<usize>) -> Vec<Account> {
        let endless = Fuse::endless(fuse.broker());
        let sessions: Vec<Session<'_>> = (0..=Role::ALL.len() + self.churns.len())
            .map(|role| Session {
                client: Client::connect(fuse.broker(), Role::CHANNELS),
                account: Account::new(self.seed),
                random: Random::new(self.random.next()),
                fuse: if whose.is_none_or(|whose| whose == role) { fuse } else { &endless },
            })
            .collect();
        let first = self.next_stream;
        self.next_stream += 4 * u32::try_from(sessions.len()).unwrap();
        let Self { churns, features, .. } = self;
        std::thread::scope(|scope| {
            let mut streams = (first..).step_by(4);
            let mut sessions = sessions.into_iter();
            let mut threads = Vec::new();
            for (role, session) in Role::ALL.into_iter().zip(&mut sessions) {
                let stream = streams.next().unwrap();
                threads.push(scope.spawn(move || session.play(role, stream)));
            }
            for (churn, session) in churns.iter_mut().zip(&mut sessions) {
                let stream = streams.next().unwrap();
                threads.push(scope.spawn(move || churn.play(session, stream)));
            }
            let session = sessions.next().expect("one more");
            threads.push(scope.spawn(move || features.play(session)));
            threads.into_iter().map(|thread| thread.join().expect("a client")).collect()
        })
    }

    /// Starts that come to nothing: killed before the port opens, or soon after.
    fn start_and_kill(&mut self, end: End) -> End {
        for _ in 0..=self.random.below(3) {
            let starting = Broker::spawn_on(self.data.path(), self.arguments);
            let time = self.some_time(60);
            std::thread::park_timeout(time);
            starting.kill();
        }
        if end == End::Killed { End::Killed } else { End::Unknown }
    }

    fn verify(&mut self, broker: &Broker, end: End, when: &str) {
        let stream = self.next_stream + 1;
        self.next_stream += 2;
        let Self { checker, churns, features, random, seed, .. } = self;
        verification::verify(broker, checker, (churns, features), end, (*seed, random), stream)
            .expect("a broker that goes on");
        let violations = self.checker.violations();
        assert!(
            violations.is_empty(),
            "seed {}, {when}: {} violations, of which {:#?}\n{:#?}",
            self.seed,
            violations.len(),
            &violations[..violations.len().min(10)],
            broker.log().into_iter().take(LOG_MAX).collect::<Vec<_>>()
        );
    }
}

/// One history, of a share of all the cycles.
fn crash(arguments: &'static [&'static str], is_gentle: bool) {
    let cycles = setting("LEVERET_CRASH_CYCLES").unwrap_or(CYCLES).div_ceil(HISTORIES);
    let seed = seed("LEVERET_CRASH_SEED");
    History::new(seed, arguments, is_gentle).run(cycles);
}

#[test]
fn nothing_confirmed_is_lost_when_the_broker_is_killed() {
    crash(&[], false);
}

#[test]
fn nothing_confirmed_is_lost_when_a_broker_with_a_single_worker_is_killed() {
    crash(&["--workers", "1"], false);
}

#[test]
fn nothing_confirmed_is_lost_when_the_broker_is_killed_while_backlogs_are_paged_out() {
    crash(&["--backlog-memory", "1MiB"], false);
}

#[test]
fn nothing_is_lost_or_marked_without_reason_when_the_broker_is_stopped_under_load() {
    crash(&[], true);
}
