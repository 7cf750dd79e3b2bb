//! The thread that writes the lines.
//!
//! Standard output may be a pipe that nobody reads or a stopped terminal. A worker thread must not stand still for
//! it, so lines go through a bounded queue; what does not fit is dropped, counted, and the count is written.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

const WAITING_LINES_MAX: usize = 4096;
/// How long the end of the process waits for its last lines to be read.
const LAST_LINES_WAIT: Duration = Duration::from_secs(1);

enum Entry {
    Line(Vec<u8>),
    Flushed(SyncSender<()>),
    Replaced(Box<dyn Write + Send>),
}

/// Where lines go: to a thread that writes them.
#[derive(Clone)]
pub(super) struct Lines {
    entries: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    /// Starts the thread, which ends with the last of those that it gets lines from.
    pub(super) fn start(out: Box<dyn Write + Send>) -> io::Result<Self> {
        let (entries, waiting) = sync_channel(WAITING_LINES_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let lines = Self { entries, dropped: Arc::clone(&dropped) };
        thread::Builder::new()
            .name("log".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || write_lines(&waiting, &dropped, out))?;
        Ok(lines)
    }

    /// Gives it a line, or counts it as dropped.
    pub(super) fn write(&self, line: Vec<u8>) {
        if let Err(TrySendError::Full(_)) = self.entries.try_send(Entry::Line(line)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What comes from now on goes there.
    ///
    /// # Errors
    /// There is no room to say so.
    pub(super) fn replace(&self, out: Box<dyn Write + Send>) -> io::Result<()> {
        let told = self.entries.try_send(Entry::Replaced(out));
        told.map_err(|_| io::Error::other("too many lines wait to be written"))
    }

    /// Waits a moment until all lines are written.
    pub(super) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.entries.try_send(Entry::Flushed(done)).is_ok() {
            let _ = written.recv_timeout(LAST_LINES_WAIT);
        }
    }
}

/// Writes what waits in one go, so that a burst costs few system calls, until every sender is gone. Output that
/// cannot be written is lost: there is nowhere left to say so.
fn write_lines(waiting: &Receiver<Entry>, dropped: &AtomicU64, mut out: Box<dyn Write + Send>) {
    let mut batch = Vec::new();
    while let Ok(first) = waiting.recv() {
        let mut flushed = Vec::new();
        for entry in std::iter::once(first).chain(waiting.try_iter().take(WAITING_LINES_MAX)) {
            match entry {
                Entry::Line(line) => batch.extend_from_slice(&line),
                Entry::Flushed(done) => flushed.push(done),
                Entry::Replaced(other) => {
                    write(&mut out, &mut batch);
                    out = other;
                }
            }
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            batch.extend_from_slice(
                format!("({lost} lines of the log were dropped: nobody read them)\n").as_bytes(),
            );
        }
        write(&mut out, &mut batch);
        batch.shrink_to(64 * 1024);
        for done in flushed {
            let _ = done.try_send(());
        }
    }
}

fn write(out: &mut impl Write, batch: &mut Vec<u8>) {
    let _ = out.write_all(batch).and_then(|()| out.flush());
    batch.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// An output that can be held up from outside.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Mutex<Vec<u8>>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(pipe: &Pipe) -> String {
        String::from_utf8(pipe.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_flush_waits_for_every_line() {
        let pipe = Pipe::default();
        let lines = Lines::start(Box::new(pipe.clone())).unwrap();
        for n in 0..100 {
            lines.write(format!("{n}\n").into_bytes());
        }
        lines.flush();
        assert!(written(&pipe).lines().eq((0..100).map(|n| n.to_string())), "{}", written(&pipe));
    }

    #[test]
    fn an_output_is_replaced_between_two_lines() {
        let (old, new) = (Pipe::default(), Pipe::default());
        let lines = Lines::start(Box::new(old.clone())).unwrap();
        lines.write(b"before".to_vec());
        lines.replace(Box::new(new.clone())).unwrap();
        lines.write(b"after".to_vec());
        lines.flush();
        assert_eq!((written(&old).as_str(), written(&new).as_str()), ("before", "after"));
    }

    #[test]
    fn an_output_that_stands_still_holds_up_nobody_and_the_loss_is_told() {
        let pipe = Pipe::default();
        let lines = Lines::start(Box::new(pipe.clone())).unwrap();
        let held = pipe.0.lock().unwrap();
        for _ in 0..3 * WAITING_LINES_MAX {
            lines.write(b"line\n".to_vec());
        }
        drop(held);
        lines.flush();
        drop(lines);
        while !written(&pipe).contains("lines of the log were dropped") {
            thread::yield_now();
        }
    }
}
