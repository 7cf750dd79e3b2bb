//! A small journal, damaged everywhere: what recovery tells is lost is all that is lost.

use std::path::Path;

use super::*;
use crate::store::journal::{Journal, Limits};

/// A chunk and where its bytes are.
struct Placed {
    file: u64,
    batch: u64,
    from: u64,
    to: u64,
    actions: Vec<Action>,
}

/// A journal that was closed in order, of two files, in which every batch says that all before it is synced.
struct Small {
    images: [Image; 2],
    chunks: Vec<Placed>,
}

fn small() -> Small {
    let settle = |queue, position| Action::Settle { queue, position };
    let batches: [Vec<Vec<Vec<Action>>>; 2] = [
        vec![
            vec![
                vec![Action::Define(1, 10), Action::Define(2, 20)],
                vec![publish(1, 7, 1), publish(2, 7, 2)],
            ],
            vec![
                vec![Action::Publish { id: 3, targets: vec![(7, 3), (8, 1), (9, 1)], deliveries: 0 }],
                vec![settle(7, 1), Action::Requeue { queue: 7, position: 2, deliveries: 2 }],
                vec![publish(4, 8, 2), settle(8, 1)],
            ],
            vec![vec![publish(5, 9, 2)], vec![Action::Forget(1), Action::QueueGone(9)]],
        ],
        vec![
            vec![vec![Action::Publish { id: 2, targets: vec![(7, 2)], deliveries: 2 }, publish(6, 7, 5)]],
            vec![vec![settle(7, 3), publish(7, 7, 4)], vec![Action::Define(1, 30), settle(8, 4)]],
            vec![vec![Action::Closed]],
        ],
    ];
    let mut images = [Image::new(1), Image::new(2)];
    let mut chunks = Vec::new();
    for (at, batches) in batches.into_iter().enumerate() {
        if at == 1 {
            images[1] = images[0].next();
        }
        let image = &mut images[at];
        for batch in batches {
            image.sync();
            let encoded: Vec<Vec<u8>> = batch.iter().map(encode).collect();
            let slices: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
            let offset = image.batch(&slices);
            let mut from = image.bytes.len() as u64 - encoded.iter().map(Vec::len).sum::<usize>() as u64;
            for (actions, bytes) in batch.into_iter().zip(&encoded) {
                let to = from + bytes.len() as u64;
                chunks.push(Placed { file: at as u64 + 1, batch: offset, from, to, actions });
                from = to;
            }
        }
    }
    // Both were longer than what was used of them.
    let lens = [images[0].bytes.len() + 5000, images[1].bytes.len() + 9000];
    for (image, len) in images.iter_mut().zip(lens) {
        image.made_so_long(len);
    }
    Small { images, chunks }
}

impl Small {
    fn disk(&self) -> Arc<SimDisk> {
        let disk = SimDisk::new(1);
        self.images[0].write(&disk, "1");
        self.images[1].write(&disk, "2");
        disk
    }

    /// Recovers, checks that what is found is what the chunks say that are not told to be lost, and gives the lost ones.
    fn check(&self, disk: &Arc<SimDisk>) -> (Vec<&Placed>, Recovery) {
        let (outcome, recovery) = recover(disk);
        let report = recovery.report();
        let is_lost = |chunk: &&Placed| {
            let damaged = report.damages.iter().any(|damage| match &damage.what {
                Damaged::Part { file, from, to, .. } => {
                    file.0 == chunk.file && *from < chunk.to && chunk.from < *to
                }
                Damaged::File { name } => *name == chunk.file.to_string(),
                Damaged::Journal | Damaged::MissingFiles { .. } => false,
            });
            let cut = matches!(report.end, JournalEnd::Open { file, offset, .. }
                if file.0 == chunk.file && chunk.from >= offset);
            damaged || cut
        };
        let (lost, kept): (Vec<&Placed>, Vec<&Placed>) = self.chunks.iter().partition(is_lost);
        let expected = expected(kept.iter().flat_map(|chunk| &chunk.actions));
        assert_eq!(outcome, expected, "{report:?}");
        assert!(lost.is_empty() || report.is_damaged() || !report.is_clean_stop());
        (lost, recovery)
    }
}

#[test]
fn a_journal_that_is_whole_says_so() {
    let small = small();
    let (lost, recovery) = small.check(&small.disk());
    assert!(lost.is_empty());
    assert!(recovery.report().is_clean_stop() && !recovery.report().is_damaged());
}

#[test]
fn any_flipped_bit_is_found_or_harmless_and_costs_no_more_than_its_batch() {
    let small = small();
    for (image, number) in small.images.iter().zip(1..) {
        let name = format!("journal/{number}");
        for at in 0..image.bytes.len() as u64 {
            let chunk =
                small.chunks.iter().find(|chunk| chunk.file == number && chunk.to > at && chunk.from <= at);
            // The formats' own tests flip every bit; here another one in each byte, and a few where nothing is.
            let bit = u8::try_from(at * 3 % 8).unwrap();
            if chunk.is_some() || at < 64 || at % 4096 < 100 || at % 61 == 0 {
                let disk = small.disk();
                disk.damage(&name, at, bit);
                let (lost, recovery) = small.check(&disk);
                let Some(batch) = lost.first().map(|chunk| chunk.batch) else { continue };
                assert!(lost.iter().all(|chunk| chunk.file == number && chunk.batch == batch), "{name} {at}");
                assert!((batch..batch + 4096).contains(&at), "{name} {at}");
                let is_last = lost.iter().any(|chunk| chunk.actions.contains(&Action::Closed));
                assert!(chunk.is_none() || lost.len() == 1, "{name} {at}");
                let quarantined =
                    recovery.report().damages.first().and_then(|damage| damage.quarantined.clone());
                assert_eq!(quarantined.is_none(), is_last, "{name} {at}");
                if let (Some(chunk), Some(path)) = (chunk, quarantined) {
                    let [from, to] = [chunk.from, chunk.to].map(|at| usize::try_from(at).unwrap());
                    assert_eq!(disk.contents(path), disk.contents(&name)[from..to]);
                }
            }
        }
    }
}

#[test]
fn a_file_cut_off_at_any_length_is_found_or_harmless() {
    let small = small();
    for (image, number) in small.images.iter().zip(1..) {
        let name = format!("journal/{number}");
        for len in 0..=image.bytes.len() as u64 {
            let is_used = small.chunks.iter().any(|chunk| {
                chunk.file == number && (chunk.from.saturating_sub(80)..chunk.to + 2).contains(&len)
            });
            if number == 1 && !is_used && len > 64 && len % 41 != 0 {
                continue;
            }
            let disk = small.disk();
            disk.truncate(&name, len);
            let (lost, recovery) = small.check(&disk);
            for chunk in &small.chunks {
                if chunk.file == number && chunk.to > len && chunk.from < chunk.to {
                    assert!(lost.iter().any(|lost| lost.from == chunk.from), "{name} {len}");
                }
                if chunk.file != number {
                    assert!(lost.iter().all(|lost| lost.file == number), "{name} {len}");
                }
            }
            let is_whole = len == image.bytes.len() as u64;
            if number == 2 {
                // The power cuts no files: of the last one too it is known how long it was.
                assert_eq!(recovery.report().is_damaged(), !is_whole, "{name} {len}");
                let has_closed = !lost.iter().any(|chunk| chunk.actions.contains(&Action::Closed));
                assert_eq!(recovery.report().is_clean_stop(), has_closed, "{name} {len}");
            }
            // The next start finds the same, but for files that had no header any more and were moved away.
            let (again, second) = recover(&disk);
            let moved = |damage: &&Damage| matches!(damage.what, Damaged::File { .. });
            assert!(
                recovery.report().damages.iter().filter(|damage| !moved(damage)).eq(&second.report().damages)
            );
            assert_eq!(recovery.report().end, second.report().end);
            let is_lost = |chunk: &&Placed| lost.iter().any(|lost| std::ptr::eq(*lost, *chunk));
            let kept = small.chunks.iter().filter(|chunk| !is_lost(chunk));
            assert_eq!(again, expected(kept.flat_map(|chunk| &chunk.actions)));
        }
    }
}

#[test]
fn a_lost_or_swapped_file_is_told() {
    let small = small();
    for number in 1..=2 {
        let disk = small.disk();
        disk.remove(Path::new(&format!("journal/{number}"))).unwrap();
        let (_, recovery) = recover(&disk);
        let report = recovery.report();
        assert!(report.is_damaged() || !report.is_clean_stop(), "{report:?}");
    }
    let disk = small.disk();
    for (from, to) in [("journal/1", "journal/3"), ("journal/2", "journal/1"), ("journal/3", "journal/2")] {
        disk.rename(Path::new(from), Path::new(to)).unwrap();
    }
    let (lost, recovery) = small.check(&disk);
    assert!(lost.is_empty() && recovery.report().is_clean_stop(), "the name of a file says nothing");
}

#[test]
fn the_last_file_is_missed_and_the_journal_goes_on_behind_it() {
    let small = small();
    let disk = small.disk();
    let start = Start { file: JournalFile(3), ..Start::default() };
    let journal = Journal::open(Arc::<SimDisk>::clone(&disk), &start, Limits::default(), Arc::new(()));
    journal.unwrap().close();
    disk.remove(Path::new("journal/3")).unwrap();
    let (_, recovery) = recover(&disk);
    let missing = Damaged::MissingFiles { first: JournalFile(3), last: JournalFile(3) };
    assert_eq!(recovery.report().damages, [Damage { what: missing, quarantined: None }]);
    assert!(!recovery.report().is_clean_stop(), "whatever the file before says");
    let start = recovery.start();
    assert_eq!((start.file, start.live_from), (JournalFile(4), JournalFile(1)));
    // All of them.
    for name in ["1", "2"] {
        disk.remove(Path::new(&format!("journal/{name}"))).unwrap();
    }
    let (outcome, recovery) = recover(&disk);
    assert_eq!(outcome, model::Outcome::default());
    assert!(recovery.report().is_damaged() && !recovery.report().is_clean_stop());
    assert_eq!((recovery.start().file, recovery.start().live_from), (JournalFile(4), JournalFile(4)));
}

#[test]
fn a_file_twice_counts_once() {
    let small = small();
    let disk = small.disk();
    small.images[0].write(&disk, "7");
    let (outcome, recovery) = recover(&disk);
    assert_eq!(outcome, expected(small.chunks.iter().flat_map(|chunk| &chunk.actions)));
    assert_eq!(recovery.report().damages[0].what, Damaged::File { name: "7".to_owned() });
}

#[test]
fn what_cannot_be_read_is_told_or_read_at_the_second_try() {
    let small = small();
    let disk = small.disk();
    recover(&disk);
    for read in 0..disk.reads() {
        for times in [1, 2, 4] {
            let disk = small.disk();
            (read..read + times).for_each(|read| disk.fail_read(read));
            let Ok(mut recovery) = Recovery::find(Arc::<SimDisk>::clone(&disk)) else { continue };
            let Ok(replay) = recovery.replay(&mut |_| ()) else { continue };
            let mut given = 0;
            let read_again = recovery.messages(&replay, &|_, _| false, &mut |_| (), &mut |_| given += 1);
            let report = recovery.report();
            let is_told = read_again.is_err() || report.is_damaged() || !report.is_clean_stop();
            assert!(given == 4 || is_told, "{read} {given} {report:?}");
        }
    }
}
