//! The process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rabbitmq_http_client::blocking_api::Client;

use crate::Api;

/// How long a broker may take until it serves.
const START: Duration = Duration::from_secs(180);

/// A running broker on ports and with a data directory of its own; both end with it.
pub struct Broker {
    child: Child,
    directory: PathBuf,
    /// The port of AMQP.
    pub amqp: u16,
    /// The port of the HTTP API.
    pub management: u16,
}

impl Broker {
    /// Starts the program that `LEVERET_BIN` names.
    ///
    /// # Panics
    ///
    /// When there is none, or it does not serve.
    pub fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let program = std::env::var_os("LEVERET_BIN").expect("LEVERET_BIN: tests/contract/run sets it");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("leveret-contract-{}-{number}", std::process::id()));
        // A process of the same number may have been ended before it could.
        let _ = fs::remove_dir_all(&directory);
        let mut child = Command::new(program)
            .args([
                "--listen",
                "127.0.0.1:0",
                "--management-listen",
                "127.0.0.1:0",
                "--metrics-listen",
                "none",
            ])
            .arg("--data-dir")
            .arg(&directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the broker starts");
        let lines = lines(&mut child);
        let mut broker = Self { child, directory, amqp: 0, management: 0 };
        let until = Instant::now() + START;
        loop {
            let line = lines.recv_timeout(until - Instant::now()).expect("the broker says that it serves");
            if line.contains("Management plugin: HTTP (non-TLS) listener started on") {
                broker.management = port(&line);
            } else if line.contains("started TCP listener on") {
                broker.amqp = port(&line);
            } else if line.contains("Server startup complete") {
                return broker;
            }
        }
    }

    /// A client of its HTTP API.
    pub fn api(&self, user: &'static str, password: &'static str) -> Api {
        Client::new(format!("http://127.0.0.1:{}/api", self.management), user, password)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The port at the end of a line.
fn port(line: &str) -> u16 {
    line.rsplit(':').next().and_then(|port| port.trim().parse().ok()).expect("a port at the end of the line")
}

/// What the broker writes, read to its end so that it never waits for us.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = sync_channel(64);
    let output = child.stdout.take().expect("piped");
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody listens any more once it serves.
            let _ = sender.send(line);
        }
    });
    lines
}
