//! A broker process of the test's own.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::TempDir;

/// How long a broker may take until it accepts connections, and until it has ended when it was told to.
const START_DEADLINE: Duration = Duration::from_mins(2);
const STOP_DEADLINE: Duration = Duration::from_mins(1);

/// Names a broker that runs already, as `host:port`. Tests that need nothing but the defaults then talk to
/// that one, so that their expectations can be held against a real RabbitMQ.
const EXTERNAL: &str = "LEVERET_TEST_ADDR";

/// Names a program that is run in place of ours, with the same flags: it has to write the two lines that a start is
/// known by. For tests that start a broker again on the directory of one that has ended.
const PROGRAM: &str = "LEVERET_TEST_PROGRAM";

/// A running broker. On drop its process is killed and its data directory removed, if it was made for this broker.
pub(crate) struct Broker {
    addr: SocketAddr,
    process: Option<Process>,
}

/// A broker whose process runs, which may have recovered what it finds in its data directory or not. On drop its process
/// is killed.
pub(crate) struct Starting(Process);

struct Process {
    child: Child,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
    // Dropped after the child has been killed.
    data: Directory,
}

enum Directory {
    Own(TempDir),
    Kept(PathBuf),
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What it has written, to either stream.
    pub(crate) log: Vec<String>,
}

/// The lines that a process has written so far, to either stream.
#[derive(Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    written: Condvar,
}

impl Broker {
    /// A broker with the default settings that keeps nothing on the disk.
    pub(crate) fn start() -> Self {
        Self::start_with::<&str>(&[])
    }

    /// The same with further command line arguments, such as `&["--heartbeat", "1s"]`. With
    /// `LEVERET_TEST_ADDR` set they are not passed on: that broker is configured by whoever started it.
    pub(crate) fn start_with<A: AsRef<OsStr>>(arguments: &[A]) -> Self {
        match std::env::var(EXTERNAL) {
            Ok(addr) => Self { addr: addr.parse().expect(EXTERNAL), process: None },
            Err(_) => Self::spawn(arguments),
        }
    }

    /// A broker that runs elsewhere, such as within the test's own process.
    pub(crate) fn at(addr: SocketAddr) -> Self {
        Self { addr, process: None }
    }

    fn spawn<A: AsRef<OsStr>>(arguments: &[A]) -> Self {
        let arguments = arguments.iter().map(AsRef::as_ref);
        let arguments: Vec<&OsStr> = std::iter::once(OsStr::new("--in-memory")).chain(arguments).collect();
        let process = Process::spawn(Directory::Own(TempDir::new()), &arguments);
        Starting(process).ready().unwrap_or_else(|ended| panic!("{ended:#?}"))
    }

    /// A broker that keeps what it has to keep in `data`, where another one may have been before and may come after it.
    pub(crate) fn start_on<A: AsRef<OsStr>>(data: &Path, arguments: &[A]) -> Self {
        Self::spawn_on(data, arguments).ready().unwrap_or_else(|ended| panic!("{ended:#?}"))
    }

    /// The same, without waiting until it serves.
    pub(crate) fn spawn_on<A: AsRef<OsStr>>(data: &Path, arguments: &[A]) -> Starting {
        Starting(Process::spawn(Directory::Kept(data.to_owned()), arguments))
    }

    /// The same, started by another program: `by` is it with its arguments, to which ours are added.
    pub(crate) fn spawn_by<A: AsRef<OsStr>>(by: &[&str], data: &Path, arguments: &[A]) -> Starting {
        Starting(Process::spawn_by(by, Directory::Kept(data.to_owned()), arguments))
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

    /// The same of a broker that others use as well: it is not noticed here when it ends.
    pub(crate) fn await_line(&self, text: &str) -> String {
        self.process().output.await_line(text)
    }

    /// The broker's data directory.
    pub(crate) fn data_dir(&self) -> &Path {
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

    /// Kills the process, as `kill -9` does, and returns what it had written.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.process.as_mut().expect("a broker of our own").kill()
    }

    /// Tells the broker to stop and waits until it has.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits until the process, which was told so, has ended.
    pub(crate) fn ended(mut self) -> Ended {
        let process = self.process.as_mut().expect("a broker of our own");
        process.ended(STOP_DEADLINE).unwrap_or_else(|log| panic!("the broker does not end: {log:#?}"))
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.as_mut().expect("a broker of our own").ended(Duration::ZERO).is_ok()
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("a broker of our own")
    }
}

impl Starting {
    /// Waits until the broker serves.
    pub(crate) fn ready(mut self) -> Result<Broker, Ended> {
        self.0.find_line("Server startup complete")?;
        let announcement = "started TCP listener on ";
        let line = self.0.find_line(announcement)?;
        let (_, rest) = line.split_once(announcement).unwrap();
        let addr = rest.split_whitespace().next().unwrap_or_default();
        let addr = addr.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
        Ok(Broker { addr, process: Some(self.0) })
    }

    /// Kills the process, wherever it is, and returns what it had written.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.0.kill()
    }
}

impl Directory {
    fn path(&self) -> &Path {
        match self {
            Self::Own(directory) => directory.path(),
            Self::Kept(path) => path,
        }
    }
}

impl Process {
    fn spawn<A: AsRef<OsStr>>(data: Directory, arguments: &[A]) -> Self {
        Self::spawn_by(&[], data, arguments)
    }

    fn spawn_by<A: AsRef<OsStr>>(by: &[&str], data: Directory, arguments: &[A]) -> Self {
        let program =
            std::env::var_os(PROGRAM).unwrap_or_else(|| OsString::from(env!("CARGO_BIN_EXE_leveret")));
        let mut command = by.iter().map(OsStr::new).chain([program.as_os_str()]);
        // A test whose broker gives its port back for a while has an address of its own.
        let is_told_where = arguments.iter().any(|argument| argument.as_ref() == "--listen");
        let mut child = Command::new(command.next().expect("a program"))
            .args(command)
            .args(if is_told_where { &[][..] } else { &["--listen", "127.0.0.1:0"] })
            .arg("--data-dir")
            .arg(data.path())
            .args(arguments)
            // Not with what this machine is configured to be.
            .env("LEVERET_CONFIG", "/dev/null")
            .env("LEVERET_MANAGEMENT_LISTEN", "none")
            .env("LEVERET_METRICS_LISTEN", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the broker's program starts");
        let output = Arc::new(Output::default());
        let readers = [
            Output::follow(&output, child.stdout.take().expect("stdout is piped")),
            Output::follow(&output, child.stderr.take().expect("stderr is piped")),
        ];
        Self { child, output, readers: readers.into(), data }
    }

    fn wait_for_line(&mut self, text: &str) -> String {
        self.find_line(text).unwrap_or_else(|ended| panic!("no line {text:?} of {ended:#?}"))
    }

    /// Waits for a line with `text` in it, or for the end of the process.
    fn find_line(&mut self, text: &str) -> Result<String, Ended> {
        let deadline = Instant::now() + START_DEADLINE;
        let output = Arc::clone(&self.output);
        let mut lines = output.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().find(|line| line.contains(text)) {
                return Ok(line.clone());
            }
            if self.child.try_wait().unwrap().is_some() {
                drop(lines);
                // It may have been among the last that it wrote.
                let ended = self.ended(Duration::ZERO).expect("it has ended");
                return ended.log.iter().find(|line| line.contains(text)).cloned().ok_or(ended);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no line {text:?} in {lines:#?}");
            // A process that ends writes nothing any more, so look at it again before the deadline.
            lines = output.written.wait_timeout(lines, left.min(Duration::from_millis(100))).unwrap().0;
        }
    }

    fn kill(&mut self) -> Vec<String> {
        // One that has ended already is as dead as it can be.
        let _ = self.child.kill();
        self.ended(STOP_DEADLINE).unwrap_or_else(|log| panic!("a killed process does not end: {log:#?}")).log
    }

    /// How the process ended, with all that it has written; only that when it does not.
    fn ended(&mut self, within: Duration) -> Result<Ended, Vec<String>> {
        let Some(status) = self.exited(within) else {
            return Err(self.output.lines.lock().unwrap().clone());
        };
        // The last lines may still be on their way to us.
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        Ok(Ended { status, log: self.output.lines.lock().unwrap().clone() })
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
    /// Waits for a line with `text` in it.
    fn await_line(&self, text: &str) -> String {
        let deadline = Instant::now() + START_DEADLINE;
        let mut lines = self.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no line {text:?} in {lines:#?}");
            lines = self.written.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Collects the lines of a stream until its end.
    fn follow(output: &Arc<Self>, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let output = Arc::clone(output);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                output.lines.lock().unwrap().push(String::from_utf8_lossy(&line).trim_end().to_owned());
                output.written.notify_all();
            }
        })
    }
}
