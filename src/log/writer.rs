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

use tracing_subscriber::fmt::MakeWriter;

const WAITING_LINES_MAX: usize = 4096;
/// How long the end of the process waits for its last lines to be read.
const LAST_LINES_WAIT: Duration = Duration::from_secs(1);

enum Entry {
    Line(Vec<u8>),
    Flushed(SyncSender<()>),
}

/// Where events become lines.
pub(super) struct Lines {
    entries: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

/// While it lives, lines are written; its drop waits a moment for those that are not.
pub struct LogGuard {
    entries: SyncSender<Entry>,
}

pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(Lines, LogGuard)> {
    let (entries, waiting) = sync_channel(WAITING_LINES_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let lines = Lines { entries: entries.clone(), dropped: Arc::clone(&dropped) };
    thread::Builder::new()
        .name("log".to_owned())
        .stack_size(128 * 1024)
        .spawn(move || write_lines(&waiting, &dropped, out))?;
    Ok((lines, LogGuard { entries }))
}

/// Writes what waits in one go, so that a burst costs few system calls, until every sender is gone. Output that
/// cannot be written is lost: there is nowhere left to say so.
fn write_lines(waiting: &Receiver<Entry>, dropped: &AtomicU64, mut out: impl Write) {
    let mut batch = Vec::new();
    while let Ok(first) = waiting.recv() {
        let mut flushed = Vec::new();
        for entry in std::iter::once(first).chain(waiting.try_iter().take(WAITING_LINES_MAX)) {
            match entry {
                Entry::Line(line) => batch.extend_from_slice(&line),
                Entry::Flushed(done) => flushed.push(done),
            }
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            batch.extend_from_slice(
                format!("({lost} lines of the log were dropped: nobody read them)\n").as_bytes(),
            );
        }
        let _ = out.write_all(&batch).and_then(|()| out.flush());
        batch.clear();
        batch.shrink_to(64 * 1024);
        for done in flushed {
            let _ = done.try_send(());
        }
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let (done, written) = sync_channel(1);
        if self.entries.try_send(Entry::Flushed(done)).is_ok() {
            let _ = written.recv_timeout(LAST_LINES_WAIT);
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { bytes: Vec::new(), lines: self }
    }
}

/// A line in the making; sent when it is dropped.
pub(super) struct Line<'a> {
    bytes: Vec<u8>,
    lines: &'a Lines,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.bytes);
        if line.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(_)) = self.lines.entries.try_send(Entry::Line(line)) {
            self.lines.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
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

    #[test]
    fn the_guards_drop_waits_for_every_line() {
        let pipe = Pipe::default();
        let (lines, guard) = start(pipe.clone()).unwrap();
        for n in 0..100 {
            writeln!(lines.make_writer(), "{n}").unwrap();
        }
        drop(guard);
        let written = String::from_utf8(pipe.0.lock().unwrap().clone()).unwrap();
        assert!(written.lines().eq((0..100).map(|n| n.to_string())), "{written}");
    }

    #[test]
    fn an_output_that_stands_still_holds_up_nobody_and_the_loss_is_told() {
        let pipe = Pipe::default();
        let (lines, guard) = start(pipe.clone()).unwrap();
        let held = pipe.0.lock().unwrap();
        for _ in 0..3 * WAITING_LINES_MAX {
            writeln!(lines.make_writer(), "line").unwrap();
        }
        drop(held);
        drop(guard);
        drop(lines);
        let told =
            || String::from_utf8_lossy(&pipe.0.lock().unwrap()).contains("lines of the log were dropped");
        while !told() {
            thread::yield_now();
        }
    }
}
