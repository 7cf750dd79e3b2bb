//! Starts and ends of the broker, and what must be there after them.

use std::collections::BTreeMap;

use super::super::super::queue::Status;
use super::super::super::ready::BLOCK_MAX_BYTES;
use super::log::Contents;
use super::model::Copy;
use super::*;
use crate::place::Batch;
use crate::store::by_id::order_by;
use crate::store::handle::StoreHandle;
use crate::store::segment_store::SegmentLimits;

/// How a broker came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There was none before.
    NeverBegan,
    InOrder,
    /// The power failed meanwhile: that it was in order may be written already.
    WhileStopping,
    Unawares,
}

impl Lives {
    /// A broker starts on the disk as it is, after this end and what was promised until then.
    pub(super) fn start(&self, ended: Ended, promised: Batch) {
        let mut run = self.run.lock().unwrap();
        let (disk, limits) = (Arc::clone(&run.disk), run.limits());
        order_by(run.random.number());
        let known: Vec<QueueId> =
            run.log.queues().into_iter().filter(|queue| !run.log.is_gone(*queue, promised)).collect();
        let mut made = Vec::new();
        let (store, found) = ByHand::open(&disk, limits, self.between(), |handle, is_gone| {
            let alive = known.iter().filter(|queue| !is_gone(**queue));
            made.extend(alive.map(|queue| Kept::new(*queue, handle, true)));
            made.iter().map(|kept| Arc::clone(&kept.queue)).collect()
        });
        let is_clean_stop = found.is_clean_stop;
        match ended {
            Ended::InOrder => assert!(is_clean_stop, "a stop in order is not seen as one"),
            Ended::NeverBegan | Ended::WhileStopping => {}
            Ended::Unawares => assert!(!is_clean_stop, "nothing said that this was the end"),
        }
        let mut contents = Contents::new();
        for (queue, messages) in &found.queues {
            let number = |body: &[u8]| run.check_body(body);
            let messages = messages.iter().map(|(at, (body, count))| (*at, (number(body), *count)));
            contents.insert(*queue, messages.collect());
        }
        run.log.check(&contents, promised, is_clean_stop);
        for kept in &mut made {
            let before = run.at(kept.id).map(|at| &run.queues[at]);
            let was_maybe = |at: &Position| {
                before.and_then(|before| before.ready.get(at)).is_some_and(|copy| copy.maybe_delivered)
            };
            for (position, (number, returns)) in &contents[&kept.id] {
                let maybe_delivered = !is_clean_stop || was_maybe(position);
                let copy = Copy { number: *number, returns: *returns, maybe_delivered };
                kept.ready.insert(*position, copy);
            }
            let last = kept.ready.last_key_value().map(|(position, _)| *position);
            assert!(last.is_none_or(|last| kept.queue.next().unwrap() > last));
        }
        run.log = Log::new(contents);
        for name in &mut run.names {
            *name = name.filter(|queue| made.iter().any(|kept| kept.id == *queue));
        }
        // A deletion that nobody was told of is undone.
        for kept in &made {
            if !run.names.contains(&Some(kept.id))
                && let Some(free) = run.names.iter_mut().find(|name| name.is_none())
            {
                *free = Some(kept.id);
            }
        }
        run.queues = made;
        run.store = Some(Arc::new(store));
        let rooms: Vec<i64> =
            (0..INBOXES).map(|_| if run.random.one_in(2) { 1 << 40 } else { 3_000 }).collect();
        run.inboxes = rooms.into_iter().zip(0..).map(|(room, id)| Inbox::new(id, room)).collect();
        run.getter = Inbox::new(99, 0);
        run.seen = [0; INBOXES];
        run.observe();
    }

    /// The broker ends in one way or another, and the next one starts.
    pub(super) fn end(&self) {
        let mut run = self.run.lock().unwrap();
        let mut disk = Arc::clone(&run.disk);
        let seed = run.random.number();
        let mut ended = Ended::Unawares;
        if !disk.is_crashed() && run.random.one_in(3) {
            run.release_units();
            for inbox in 0..INBOXES {
                run.lose(inbox);
            }
            run.end_gets();
            run.release_units();
            run.store().close();
            ended = if disk.is_crashed() { Ended::WhileStopping } else { Ended::InOrder };
        }
        let journal = Arc::clone(&run.store().journal);
        let is_killed = run.random.one_in(2) && !disk.is_crashed();
        let promised = if is_killed { journal.written() } else { journal.durable() };
        disk.crash();
        run.operations += disk.operations();
        disk = if is_killed { disk.after_kill() } else { disk.after_crash(seed) };
        run.disk = disk;
        run.units.clear();
        run.store = None;
        run.consumers.clear();
        run.held.clear();
        drop((run, journal));
        self.start(ended, promised);
    }
}

impl Run {
    /// Small ones, so that much happens in a short life.
    fn limits(&mut self) -> SegmentLimits {
        let random = &mut self.random;
        let mut any = |of: [u64; 3]| of[usize::try_from(random.below(3)).unwrap()];
        SegmentLimits {
            backlog_bytes: any([1, 4_000, 1 << 30]),
            segment_bytes: any([2_048, 8_192, 100_000]),
            open_files: 2,
            blocks_kept: usize::try_from(any([0, 1, 4])).unwrap(),
            page_bytes: usize::try_from(any([1_000, 4_000, 100_000])).unwrap(),
            window_files: usize::try_from(any([0, 1, 2])).unwrap(),
            carried_bytes: any([0, 700, 20_000]),
            journal_bytes: any([1, 1 << 18, 1 << 30]),
        }
    }

    /// The queue of a name, declared if need be.
    pub(super) fn declared(&mut self, name: usize) -> QueueId {
        if let Some(queue) = self.names[name] {
            return queue;
        }
        self.next_queue += 1;
        let (queue, durable) = (QueueId::stored(self.next_queue), !self.random.one_in(5));
        let kept = Kept::new(queue, &self.store().handle, durable);
        if durable {
            self.log.declare(queue);
        }
        self.queues.push(kept);
        self.names[name] = Some(queue);
        queue
    }

    /// Only files of the journal are left, and no memory is taken; and still less when the queues are deleted.
    pub(super) fn nothing_is_left(&self) {
        let store = self.store();
        for kept in &self.queues {
            assert_eq!(kept.queue.status().unwrap(), Status::default());
        }
        let files = self.disk.files();
        let (journal, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(path, _)| path.starts_with("journal"));
        assert!(others.is_empty(), "left over: {others:?}");
        // The one in use, a spare, one that is being prepared, and what says which is the last.
        let most = store.journal.live_files().len() + 3 + ByHand::JOURNAL.spares;
        assert!(journal.len() <= most, "{journal:?}");
        let untold = BLOCK_MAX_BYTES as u64 * self.queues.len() as u64;
        assert!(store.budget_used() <= untold, "{} bytes are taken", store.budget_used());
    }
}

impl Kept {
    fn new(id: QueueId, handle: &StoreHandle, durable: bool) -> Self {
        let queue = Queue::new(QueueName::from("q"), QueueOptions::default(), None);
        let queue = queue.with_id(id).with_store(handle.clone());
        let queue = Arc::new(if durable { queue.journalled() } else { queue });
        queue.register();
        Self { id, queue, durable, ready: BTreeMap::new(), waits: false }
    }
}
