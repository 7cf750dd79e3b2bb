//! Random programs on a disk that crashes at every operation: what was synced is there, what was not may be, what was
//! never written is not.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::model::{Outcome, try_to_recover};
use super::*;
use crate::store::checksum::checksum;
use crate::store::disk::DiskFile;
use crate::store::journal::UNPREPARED;
use crate::store::journal::batch::{BLOCK_BYTES, BatchHeader, Chunk, FileHeader, next_offset};
use crate::store::simulated::{Random, is_crash};

const FILE_BYTES: u64 = 12 * BLOCK_BYTES as u64;

/// A batch as it was written, or was being written when the power failed.
#[derive(Clone)]
struct Written {
    file: u64,
    offset: u64,
    actions: Vec<Action>,
}

/// What somebody outside knows: what was there at the last start, and what was written since.
#[derive(Clone, Default)]
struct History {
    base: Outcome,
    batches: Vec<Written>,
    /// So many of them are synced.
    durable: usize,
    /// Definitions in their home, which is brought up to date before a file is not needed any more.
    home: BTreeMap<u8, u32>,
    next_message: u32,
}

impl History {
    /// What is there when so many batches are.
    fn outcome(&self, batches: usize) -> Outcome {
        let base = self.base.messages.iter().flat_map(|(queue, messages)| {
            messages.iter().map(|(position, id, deliveries)| Action::Publish {
                id: *id,
                targets: vec![(*queue, *position)],
                deliveries: *deliveries,
            })
        });
        let written = self.batches[..batches].iter().flat_map(|batch| batch.actions.clone());
        let mut outcome = expected(base.chain(written).collect::<Vec<_>>().iter());
        let mut definitions = self.base.definitions.clone();
        definitions.extend(outcome.definitions);
        outcome.definitions = definitions;
        outcome.definitions.retain(|_, value| value.is_some());
        outcome
    }

    /// Checks what was found against what may be, and takes it as what is there from now on.
    fn found(&mut self, mut outcome: Outcome, recovery: &Recovery) {
        let report = recovery.report();
        assert!(!report.is_damaged(), "a crash damages nothing: {report:?}");
        let start = recovery.start();
        let (last, end) = (start.file.0 - 1, start.previous_end);
        let is_kept = |batch: &Written| batch.file < last || (batch.file == last && batch.offset < end);
        let kept = self.batches.iter().take_while(|batch| is_kept(batch)).count();
        assert!(kept >= self.durable, "{kept} of {} durable batches", self.durable);
        assert!(!self.batches[kept..].iter().any(is_kept));
        let mut definitions: BTreeMap<u8, Option<u32>> =
            self.home.iter().map(|(key, value)| (*key, Some(*value))).collect();
        definitions.extend(outcome.definitions);
        definitions.retain(|_, value| value.is_some());
        outcome.definitions = definitions;
        assert_eq!(outcome, self.outcome(kept));
        (self.base, self.batches, self.durable) = (outcome, Vec::new(), 0);
    }
}

/// A journal's writer, one step after the other.
struct Writer<'a> {
    disk: Arc<SimDisk>,
    history: &'a mut History,
    random: &'a mut Random,
    header: FileHeader,
    name: String,
    file: Arc<dyn DiskFile>,
    offset: u64,
    synced_to: u64,
    next_batch: u64,
    next_name: u64,
    /// Complete files that are needed.
    live: Vec<(u64, String)>,
    spares: Vec<String>,
    /// Chunks that were not appended yet.
    pending: Vec<Vec<Action>>,
    /// Where the next message of a queue stands.
    positions: BTreeMap<u64, u64>,
    next_queue: u64,
    /// Message and deliveries of what is not settled; and the file of its record.
    alive: BTreeMap<(u64, u64), (u32, u32)>,
    recorded_in: BTreeMap<(u64, u64), u64>,
}

impl<'a> Writer<'a> {
    /// Recovers, checks, and begins a new file.
    fn open(disk: &Arc<SimDisk>, history: &'a mut History, random: &'a mut Random) -> io::Result<Self> {
        let (outcome, replay, recovery) = try_to_recover(disk).map_err(io_error)?;
        history.found(outcome, &recovery);
        let mut positions = BTreeMap::new();
        for (queue, known) in &replay.queues {
            if !known.is_gone {
                positions.insert(queue.number(), known.highest.map_or(1, |highest| highest.0 + 1));
            }
        }
        let (mut alive, mut recorded_in) = (BTreeMap::new(), BTreeMap::new());
        let start = recovery.start();
        for (queue, messages) in &history.base.messages {
            for (position, id, deliveries) in messages {
                alive.insert((*queue, *position), (*id, *deliveries));
                // Somewhere in a file of before.
                recorded_in.insert((*queue, *position), start.live_from.0);
            }
        }
        disk.create_dir(Path::new(FOLDER))?;
        disk.sync_dir(Path::new(""))?;
        let names = disk.list(Path::new(FOLDER))?;
        for name in names.iter().filter(|name| name.ends_with(UNPREPARED)) {
            disk.remove(&path(name))?;
        }
        let next_name = names.iter().filter_map(|name| name.parse::<u64>().ok()).max().unwrap_or(0) + 1;
        let header = FileHeader {
            number: start.file,
            salt: random.number(),
            previous_end: start.previous_end,
            live_from: start.live_from,
            file_len: FILE_BYTES,
        };
        let (mut spares, mut next_name) = (start.spares, next_name);
        let (name, file) = begin(disk, &mut spares, &mut next_name, &header)?;
        Ok(Self {
            disk: Arc::clone(disk),
            history,
            random,
            header,
            name,
            file,
            offset: BLOCK_BYTES as u64,
            synced_to: 0,
            next_batch: start.batch.0,
            next_name,
            live: start.live.into_iter().map(|live| (live.number.0, live.name)).collect(),
            spares,
            pending: Vec::new(),
            positions,
            next_queue: replay.highest_queue.map_or(1, |queue| queue.number() + 1),
            alive,
            recorded_in,
        })
    }

    fn write(&mut self, chunks: &[Vec<Action>]) -> io::Result<()> {
        if chunks.is_empty() {
            return Ok(());
        }
        let encoded: Vec<Vec<u8>> = chunks.iter().map(encode).collect();
        let table: Vec<Chunk> = encoded.iter().map(|bytes| super::super::image::chunk(bytes)).collect();
        let mut head = Vec::new();
        let header = BatchHeader {
            file: self.header.number,
            batch: Batch(self.next_batch),
            offset: self.offset,
            synced_to: self.synced_to,
            file_len: FILE_BYTES,
        };
        header.encode(self.header.salt, &table, &mut head);
        let body = encoded.concat();
        assert_eq!(checksum(&body[..encoded[0].len()]), table[0].crc);
        let written = Written { file: self.header.number.0, offset: self.offset, actions: chunks.concat() };
        self.history.batches.push(written);
        self.file.write_at(&[&head, &body], self.offset)?;
        self.next_batch += 1;
        self.offset = next_offset(self.offset + (head.len() + body.len()) as u64);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        self.synced_to = self.offset;
        self.history.durable = self.history.batches.len();
        Ok(())
    }

    /// Writes some of what is pending, in some order.
    fn flush(&mut self) -> io::Result<()> {
        let mut chunks = Vec::new();
        for _ in 0..self.random.below(self.pending.len() as u64 + 1) {
            let at = usize::try_from(self.random.below(self.pending.len() as u64)).unwrap();
            chunks.push(self.pending.swap_remove(at));
        }
        self.write(&chunks)?;
        if self.offset + 3 * BLOCK_BYTES as u64 > FILE_BYTES { self.next_file() } else { Ok(()) }
    }

    /// Everybody who had a ticket for this file appends; then the next one is begun.
    fn next_file(&mut self) -> io::Result<()> {
        self.write_all()?;
        self.sync()?;
        self.live.push((self.header.number.0, self.name.clone()));
        let live_from = self.live.first().map_or(self.header.number.0, |(number, _)| *number);
        self.header = FileHeader {
            number: JournalFile(self.header.number.0 + 1),
            salt: self.random.number(),
            previous_end: self.offset,
            live_from: JournalFile(live_from),
            file_len: FILE_BYTES,
        };
        let next = begin(&self.disk, &mut self.spares, &mut self.next_name, &self.header)?;
        (self.name, self.file) = next;
        (self.offset, self.synced_to) = (BLOCK_BYTES as u64, 0);
        Ok(())
    }

    fn write_all(&mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.write(&pending)
    }

    /// Carries what is alive in the oldest file into this one, and lets the oldest go.
    fn checkpoint(&mut self) -> io::Result<()> {
        let Some((oldest, name)) = self.live.first().cloned() else { return Ok(()) };
        self.write_all()?;
        self.sync()?;
        let all = self.history.outcome(self.history.batches.len());
        self.history.home =
            all.definitions.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let mut carried = Vec::new();
        for (place, (id, deliveries)) in &self.alive {
            if self.recorded_in[place] <= oldest {
                carried.push(Action::Publish { id: *id, targets: vec![*place], deliveries: *deliveries });
                self.recorded_in.insert(*place, self.header.number.0);
            }
        }
        let mut chunks = vec![carried];
        chunks.retain(|chunk| !chunk.is_empty());
        self.write(&chunks)?;
        self.write(&[vec![Action::Checkpointed(oldest)]])?;
        self.sync()?;
        self.live.remove(0);
        if self.random.one_in(2) {
            self.spares.push(name);
            return Ok(());
        }
        self.disk.remove(&path(&name))
    }

    fn step(&mut self) -> io::Result<()> {
        match self.random.below(20) {
            0..6 => self.publish(),
            6..9 => self.settle(),
            9..11 => self.requeue(),
            11 => {
                let (key, value) = (self.random.below(3), self.random.below(1000));
                let (key, value) = (u8::try_from(key).unwrap(), u32::try_from(value).unwrap());
                let define = self.random.one_in(2);
                // Definitions change one after the other, in the order in which they are appended.
                self.write_all()?;
                self.pending.push(vec![if define {
                    Action::Define(key, value)
                } else {
                    Action::Forget(key)
                }]);
                self.write_all()?;
            }
            12 if self.positions.len() > 1 && self.random.one_in(3) => {
                let queue = *self.positions.keys().next().unwrap();
                self.positions.remove(&queue);
                self.alive.retain(|(of, _), _| *of != queue);
                self.pending.push(vec![Action::QueueGone(queue)]);
            }
            12..16 => self.flush()?,
            16..18 => {
                self.flush()?;
                self.sync()?;
            }
            18 if self.live.len() > 1 => self.checkpoint()?,
            _ => {}
        }
        Ok(())
    }

    fn publish(&mut self) {
        while self.positions.len() < 3 {
            self.positions.insert(self.next_queue, 1);
            self.next_queue += 1;
        }
        let mut chunk = Vec::new();
        for _ in 0..=self.random.below(3) {
            self.history.next_message += 1;
            let id = self.history.next_message;
            let mut targets = Vec::new();
            for (queue, next) in &mut self.positions {
                if self.random.one_in(2) {
                    // Transient messages take positions too.
                    let position = *next + self.random.below(2);
                    *next = position + 1;
                    targets.push((*queue, position));
                    self.alive.insert((*queue, position), (id, 0));
                    self.recorded_in.insert((*queue, position), self.header.number.0);
                }
            }
            chunk.push(Action::Publish { id, targets, deliveries: 0 });
        }
        self.pending.push(chunk);
    }

    fn some_message(&mut self) -> Option<(u64, u64)> {
        let at = self.random.below(self.alive.len() as u64);
        self.alive.keys().nth(usize::try_from(at).unwrap()).copied()
    }

    fn settle(&mut self) {
        let mut places = BTreeSet::new();
        for _ in 0..=self.random.below(4) {
            places.extend(self.some_message());
        }
        let mut chunk = Vec::new();
        for (queue, position) in places {
            self.alive.remove(&(queue, position));
            chunk.push(Action::Settle { queue, position });
        }
        if !chunk.is_empty() {
            self.pending.push(chunk);
        }
    }

    fn requeue(&mut self) {
        if let Some((queue, position)) = self.some_message() {
            let deliveries = self.alive.get_mut(&(queue, position)).unwrap();
            deliveries.1 += 1;
            let deliveries = deliveries.1;
            self.pending.push(vec![Action::Requeue { queue, position, deliveries }]);
        }
    }
}

/// A file with this header: a spare, or one that is made.
fn begin(
    disk: &Arc<SimDisk>,
    spares: &mut Vec<String>,
    next_name: &mut u64,
    header: &FileHeader,
) -> io::Result<(String, Arc<dyn DiskFile>)> {
    let (name, file) = if let Some(name) = spares.pop() {
        (name.clone(), disk.open(&path(&name))?)
    } else {
        let name = next_name.to_string();
        *next_name += 1;
        let unprepared = path(&format!("{name}{UNPREPARED}"));
        let file = disk.create(&unprepared)?;
        file.allocate(FILE_BYTES)?;
        file.sync()?;
        disk.rename(&unprepared, &path(&name))?;
        disk.sync_dir(Path::new(FOLDER))?;
        (name, file)
    };
    file.write_at(&[&header.encode()], 0)?;
    file.sync()?;
    Ok((name, file))
}

fn io_error(error: RecoveryError) -> io::Error {
    match error {
        RecoveryError::Io { error, .. } => error,
        RecoveryError::OtherFormat { .. } => panic!("{error}"),
    }
}

/// Runs a program until it ends or the power fails.
fn run(disk: &Arc<SimDisk>, history: &mut History, seed: u64, steps: u32) {
    let mut random = Random::new(seed);
    let mut work = || -> io::Result<()> {
        let mut writer = Writer::open(disk, history, &mut random)?;
        (0..steps).try_for_each(|_| writer.step())
    };
    if let Err(error) = work() {
        assert!(is_crash(&error), "{error}");
    }
}

/// A start on the disk that a crash left, with another crash at any of its operations.
fn crash_during_recovery(disk: &Arc<SimDisk>, history: &History, seed: u64) {
    let mut operation = 0;
    loop {
        let again = disk.after_kill();
        again.crash_at(operation);
        let mut recovery = Recovery::find(Arc::<SimDisk>::clone(&again)).unwrap();
        let is_done = recovery.replay(&mut |_| ()).is_ok();
        let after = again.after_crash(seed + operation);
        let (outcome, recovery) = recover(&after);
        history.clone().found(outcome, &recovery);
        if is_done {
            return;
        }
        operation += 1;
    }
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_synced_and_invents_nothing() {
    for seed in 0..4 {
        let disk = SimDisk::new(seed);
        run(&disk, &mut History::default(), seed, 120);
        for operation in 0..disk.operations() {
            let (disk, mut history) = (SimDisk::new(seed), History::default());
            disk.crash_at(operation);
            run(&disk, &mut history, seed, 120);
            let left = disk.after_crash(seed * 1000 + operation);
            crash_during_recovery(&left, &history, operation);
            let (outcome, recovery) = recover(&left);
            history.found(outcome, &recovery);
        }
    }
}

#[test]
fn one_crash_after_the_other_loses_nothing() {
    for seed in 0..16 {
        let mut random = Random::new(seed);
        let (mut disk, mut history) = (SimDisk::new(seed), History::default());
        for life in 0..12 {
            disk.crash_at(random.below(150));
            run(&disk, &mut history, seed * 100 + life, 200);
            disk = if random.one_in(3) { disk.after_kill() } else { disk.after_crash(random.number()) };
        }
    }
}

#[test]
fn after_a_kill_all_that_was_written_is_there_and_outlives_the_power_from_then_on() {
    for seed in 0..12 {
        let (disk, mut history) = (SimDisk::new(seed), History::default());
        run(&disk, &mut history, seed, 150);
        let killed = disk.after_kill();
        let (outcome, recovery) = recover(&killed);
        history.durable = history.batches.len();
        history.found(outcome, &recovery);
        for crash in 0..10 {
            let (outcome, recovery) = recover(&killed.after_crash(crash));
            history.clone().found(outcome, &recovery);
        }
    }
}
