//! A broker process of the test's own.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::TempDir;

/// How long a broker may take until it accepts connections, and until it has ended when it was told to.
const START_DEADLINE: Duration = Duration::from_secs(10);
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// Names a broker that runs already, as `host:port`. Tests that need nothing but the defaults then talk to
/// that one, so that their expectations can be held against a real RabbitMQ.
const EXTERNAL: &str = "LEVERET_TEST_ADDR";

/// A running broker. On drop its process is killed and its data directory removed.
pub(crate) struct Broker {
    addr: SocketAddr,
    process: Option<Process>,
}

struct Process {
    child: Child,
    output: Arc<Output>,
    // Dropped after the child has been killed.
    data: TempDir,
}

/// The lines that a process has written so far, to either stream.
#[derive(Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    written: Condvar,
}

impl Broker {
    /// A broker with the default settings.
    pub(crate) fn start() -> Self {
        Self::start_with::<&str>(&[])
    }

    /// A broker with further command line arguments, such as `&["--heartbeat", "1s"]`. With
    /// `LEVERET_TEST_ADDR` set they are not passed on: that broker is configured by whoever started it.
    pub(crate) fn start_with<A: AsRef<OsStr>>(arguments: &[A]) -> Self {
        match std::env::var(EXTERNAL) {
            Ok(addr) => Self { addr: addr.parse().expect(EXTERNAL), process: None },
            Err(_) => Self::spawn(arguments),
        }
    }

    fn spawn<A: AsRef<OsStr>>(arguments: &[A]) -> Self {
        let data = TempDir::new();
        let mut child = Command::new(env!("CARGO_BIN_EXE_leveret"))
            .args(["--listen", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the broker's program starts");
        let output = Arc::new(Output::default());
        Output::follow(&output, child.stdout.take().expect("stdout is piped"));
        Output::follow(&output, child.stderr.take().expect("stderr is piped"));
        let mut process = Process { child, output, data };
        process.wait_for_line("Server startup complete");
        let addr = process.listener("started TCP listener on ");
        Self { addr, process: Some(process) }
    }

    /// Where the broker takes AMQP connections.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The default user and virtual host at this broker, as clients expect it.
    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@{}/%2f", self.addr)
    }

    /// The broker's process.
    pub(crate) fn pid(&self) -> u32 {
        self.process().child.id()
    }

    /// What the broker has written to its standard output and error so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.process().output.lines.lock().unwrap().clone()
    }

    /// Waits until the broker has written a line with `text` in it, and returns that line.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> String {
        self.process.as_mut().expect("a broker of our own").wait_for_line(text)
    }

    /// The broker's data directory.
    pub(crate) fn data_dir(&self) -> &std::path::Path {
        self.process().data.path()
    }

    /// Resident memory of the broker in bytes, or 0 if the process is out of reach.
    pub(crate) fn resident_bytes(&self) -> u64 {
        if self.is_external() {
            return 0;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }

    /// Whether this is somebody else's broker, whose process and settings are out of reach.
    pub(crate) fn is_external(&self) -> bool {
        self.process.is_none()
    }

    /// Sends the process a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // Not by the program `kill`, which a small machine does not have.
        kill_process(Pid::from_child(&self.process().child), signal).unwrap();
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let process = self.process.as_mut().expect("a broker of our own");
        process.exited(STOP_DEADLINE).expect("the broker ends")
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("a broker of our own")
    }
}

impl Process {
    fn wait_for_line(&mut self, text: &str) -> String {
        let deadline = Instant::now() + START_DEADLINE;
        let output = Arc::clone(&self.output);
        let mut lines = output.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let ended = self.child.try_wait().unwrap();
            assert!(!left.is_zero() && ended.is_none(), "no line {text:?} (ended: {ended:?}) in {lines:#?}");
            // A process that ends writes nothing any more, so look at it again before the deadline.
            lines = output.written.wait_timeout(lines, left.min(Duration::from_millis(100))).unwrap().0;
        }
    }

    /// The address at the end of the line that announces a listener.
    fn listener(&mut self, announcement: &str) -> SocketAddr {
        let line = self.wait_for_line(announcement);
        let (_, rest) = line.split_once(announcement).unwrap();
        let addr = rest.split_whitespace().next().unwrap_or_default();
        addr.parse().unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn exited(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        let output = Arc::clone(&self.output);
        let mut lines = output.lines.lock().unwrap();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            lines = output.written.wait_timeout(lines, Duration::from_millis(20)).unwrap().0;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    /// Collects the lines of a stream until its end.
    fn follow(output: &Arc<Self>, stream: impl Read + Send + 'static) {
        let output = Arc::clone(output);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                output.lines.lock().unwrap().push(String::from_utf8_lossy(&line).trim_end().to_owned());
                output.written.notify_all();
            }
        });
    }
}
