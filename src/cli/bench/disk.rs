//! What the disk gives to whoever does nothing else: a file written before is overwritten round and round in batches, each
//! with an fdatasync. The measure for a journal's group commits of the same size in the same directory.

use super::failure::Failure;
use super::live::{Group, Live};
use super::options::BenchOptions;
use super::report::{Report, per_second};
use super::run::{Lane, Run, Stage, latency};
use super::topology::unique_prefix;
use std::fs::{self, File};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Bytes of the file.
const FILE_BYTES: u64 = 64 << 20;
/// Batches begin at multiples of this: a part of a block would have to be read before it can be written.
const BLOCK_BYTES: u64 = 4096;

/// Overwrites for the time that the options say.
pub(super) fn disk(options: &BenchOptions, run: &Arc<Run>, live: &mut Live) -> Result<Report, Failure> {
    let scratch = Scratch::create(&options.dir)
        .map_err(|why| Failure::during(format!("cannot write to {}", options.dir.display()), why))?;
    let batch = vec![b'x'; options.batch_size.max(1)];
    let (bytes, limit) = (batch.len() as u64, options.messages.map_or(u64::MAX, NonZeroU64::get));
    let (synced, written) = (Lane::new()?, Lane::new()?);
    run.begin_measuring(0);
    let started_ns = run.now_ns();
    let thread = {
        let (synced, written) = (Arc::clone(&synced), Arc::clone(&written));
        let file = scratch.file.try_clone()?;
        run.spawn("disk".to_owned(), move |run| {
            let mut offset = 0;
            for count in 1..=limit {
                let (begun_ns, at) = (run.now_ns(), offset);
                file.write_all_at(&batch, at)?;
                let written_ns = run.now_ns();
                file.sync_data()?;
                let synced_ns = run.now_ns();
                written.latency().record(written_ns - begun_ns);
                synced.latency().record(synced_ns - written_ns);
                synced.counted(count, synced_ns);
                if run.stage() != Stage::Load {
                    break;
                }
                offset = following(at, bytes);
            }
            Ok(())
        })?
    };
    live.show(vec![Group::new("synced", vec![Arc::clone(&synced)])]);
    let deadline = options.measured().map(|measured| Instant::now() + measured);
    live.watch(run, deadline, || thread.is_finished());
    run.advance(Stage::End);
    thread.join().map_err(|_| Failure::new("the thread that writes panicked"))?;

    let (count, last_ns) = (synced.count.load(Relaxed), synced.last_ns.load(Relaxed));
    let elapsed = std::time::Duration::from_nanos(last_ns.saturating_sub(started_ns));
    let mut report = Report::new("disk", "none");
    report.end(run);
    report.add("seconds", elapsed.as_secs_f64());
    report.add("batch_bytes", bytes);
    report.add("count", count);
    report.add("sync_rate", per_second(count, elapsed));
    report.add("byte_rate", per_second(count.saturating_mul(bytes), elapsed));
    report.add_latency("write_us", &mut latency(&[written])?);
    report.add_latency("fdatasync_us", &mut latency(&[synced])?);
    Ok(report)
}

/// Where the batch after that at `offset` begins: behind it, or at the start again where it would pass the end.
fn following(offset: u64, bytes: u64) -> u64 {
    let next = (offset + bytes).next_multiple_of(BLOCK_BYTES);
    if next + bytes > FILE_BYTES { 0 } else { next }
}

/// The file, removed when the run is over.
#[derive(Debug)]
struct Scratch {
    file: File,
    path: PathBuf,
}

impl Scratch {
    /// Makes the file and writes all of it, so that overwriting changes nothing but its contents.
    fn create(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join(unique_prefix()?);
        let scratch = Self { file: File::options().write(true).create_new(true).open(&path)?, path };
        scratch.fill()?;
        Ok(scratch)
    }

    fn fill(&self) -> io::Result<()> {
        let zeros = vec![0; 1 << 20];
        for offset in (0..FILE_BYTES).step_by(zeros.len()) {
            self.file.write_all_at(&zeros, offset)?;
        }
        self.file.sync_all()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whoever finds it left over can tell by its name what it was.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_follow_each_other_at_blocks_and_begin_again_before_the_end() {
        for (offset, bytes, expected) in [
            (0, 1, 4096),
            (0, 4096, 4096),
            (4096, 4097, 12288),
            (FILE_BYTES - 8192, 4096, FILE_BYTES - 4096),
            (FILE_BYTES - 4096, 4096, 0),
            (0, FILE_BYTES, 0),
            (0, FILE_BYTES * 2, 0),
        ] {
            assert_eq!(following(offset, bytes), expected, "{offset} {bytes}");
        }
    }
}
