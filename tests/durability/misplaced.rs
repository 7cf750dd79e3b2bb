//! Files of a data directory that are missing, swapped or there twice. What was in them is missed and told, the rest is
//! served, nothing comes back that was settled or belongs to another queue, nothing is deleted, and the next start finds
//! nothing new.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::corruption::Pristine;
use crate::lives::{Death, Lives, Script, files};
use crate::random::Random;
use crate::support::{Broker, Raw, TempDir};

const ARGUMENTS: &[&str] = &["--backlog-memory", "1MiB"];
const QUEUES: [&str; 2] = ["a", "b"];
/// So much of a queue that a checkpoint makes a segment of it.
const LARGE: usize = 40;
const LARGE_BYTES: usize = 20_000;
/// Each is a second or so for what happens beside it.
const LIVES_MAX: u32 = 100;

/// A data directory with several files of the journal, and a segment of each queue that the journal knows.
struct Directory {
    pristine: Pristine,
    /// By queue: what was confirmed, in order.
    sent: [Vec<String>; 2],
    /// Of the first queue.
    settled: String,
    /// Of the journal, by number. What is settled is so by a record in the last but one.
    journal: Vec<PathBuf>,
    /// By queue.
    segments: [PathBuf; 2],
}

/// What happens to a directory.
struct Case {
    name: &'static str,
    happens: fn(&Directory, &Path),
    /// The files whose contents are not there any more.
    lost: fn(&Directory) -> Vec<PathBuf>,
    /// What the log has to say, in a line of level error or warning.
    said: &'static [&'static str],
}

fn text(queue: &str, number: usize, bytes: usize) -> String {
    let mut random = Random::new(number as u64);
    let noise = std::iter::repeat_with(|| char::from(b'a' + random.next().to_le_bytes()[0] % 26)).take(bytes);
    format!("{queue}, message {number:08}: ").chars().chain(noise).collect()
}

/// The segments of journalled messages, with when they were written.
fn segments(data: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let all = files(&data.join("queue")).into_iter().map(|(path, _)| path);
    let all = all.filter(|path| path.extension().is_none());
    all.filter_map(|path| Some((path.clone(), fs::metadata(path).ok()?.modified().ok()?))).collect()
}

fn number_of(journal: &Path) -> Option<u64> {
    let bytes = fs::read(journal).unwrap();
    bytes.starts_with(b"LVRTJRNL").then(|| u64::from_le_bytes(*bytes[12..].first_chunk().unwrap()))
}

impl Directory {
    fn new() -> Self {
        let mut lives = Lives::new(ARGUMENTS);
        let mut sent = [Vec::new(), Vec::new()];
        let mut raw = lives.connect();
        for (queue, sent) in QUEUES.into_iter().zip(&mut sent) {
            raw.durable_queue(queue);
            raw.call(crate::support::method::confirm_select());
            for number in 0..LARGE {
                sent.push(text(queue, number, LARGE_BYTES));
                raw.publish_confirmed(queue, sent.last().unwrap());
            }
        }
        // Each life has a file of the journal; when there are several, what is in the first goes to segments. Those that
        // the journal does not know yet are gone after the next start. Each life sees more syncs than the one before it, so that
        // one of them sees the end of a checkpoint, however slow the disk is.
        let mut registered = BTreeMap::new();
        for life in 0.. {
            assert!(life < LIVES_MAX, "no checkpoint: {:#?}", files(lives.data()));
            lives.end(Death::Kill);
            let before = segments(lives.data());
            lives.begin();
            registered = segments(lives.data());
            // One of another time has only the same name.
            registered.retain(|path, written| before.get(path) == Some(written));
            raw = lives.connect();
            for _ in 0..=life {
                Self::add(&mut raw, &mut sent);
            }
            if registered.len() >= QUEUES.len() {
                break;
            }
        }
        for _ in 0..2 {
            lives.again(Death::Kill);
            raw = lives.connect();
            Self::add(&mut raw, &mut sent);
        }
        let settled = raw.get(1, QUEUES[0]).unwrap();
        Self::add(&mut raw, &mut sent);
        lives.again(Death::Kill);
        raw = lives.connect();
        Self::add(&mut raw, &mut sent);
        lives.end(Death::Kill);

        let settled = String::from_utf8(settled.body).unwrap();
        assert_eq!(sent[0].remove(0), settled);
        let below = |path: PathBuf| path.strip_prefix(lives.data()).unwrap().to_owned();
        let journal = files(&lives.data().join("journal")).into_iter().map(|(path, _)| path);
        let mut journal: Vec<_> = journal.filter_map(|path| Some((number_of(&path)?, below(path)))).collect();
        journal.sort();
        let pristine = Pristine::of(&lives, Vec::new(), BTreeSet::new(), ARGUMENTS);
        let segment_of = |sent: &Vec<String>| {
            let mut all = registered.keys().map(|path| below(path.clone()));
            all.find(|path| !pristine.blocks_of(sent[LARGE / 2].as_bytes(), path).is_empty())
                .expect("a segment")
        };
        let segments = [segment_of(&sent[0]), segment_of(&sent[1])];
        Self {
            sent,
            settled,
            journal: journal.into_iter().map(|(_, path)| path).collect(),
            segments,
            pristine,
        }
    }

    /// A little message for each queue.
    fn add(raw: &mut Raw, sent: &mut [Vec<String>; 2]) {
        raw.call(crate::support::method::confirm_select());
        for (queue, sent) in QUEUES.into_iter().zip(sent) {
            sent.push(text(queue, sent.len() + 100, 100));
            raw.publish_confirmed(queue, sent.last().unwrap());
        }
    }

    /// The file of the journal that is so many before the last.
    fn journal_from_last(&self, back: usize) -> &Path {
        &self.journal[self.journal.len() - 1 - back]
    }

    fn is_in(&self, text: &str, among: &[PathBuf]) -> bool {
        let is_in = |path: &PathBuf| {
            let content = self.pristine.files.iter().find(|content| content.path == *path);
            content.is_some() && !self.pristine.blocks_of(text.as_bytes(), path).is_empty()
        };
        among.iter().any(is_in)
    }

    fn check(&self, case: &Case) {
        let name = case.name;
        let data = TempDir::new();
        self.pristine.restore(data.path());
        (case.happens)(self, data.path());
        let lost = (case.lost)(self);
        let begins = segments(data.path()).into_keys().map(|path| fs::read(path).unwrap());
        let begins: Vec<Vec<u8>> = begins.map(|bytes| bytes.into_iter().take(4096).collect()).collect();

        let first = complaints(Broker::start_on(data.path(), ARGUMENTS).kill());
        for said in case.said {
            assert!(first.iter().any(|line| line.contains(said)), "{name}: no {said:?} in {first:#?}");
        }
        assert_eq!(case.said.is_empty(), first.is_empty(), "{name}: {first:#?}");
        let broker = Broker::start_on(data.path(), ARGUMENTS);
        // Before anything is taken. A file may be on its way to the quarantine, but not twice.
        for begin in begins {
            let is_there = || {
                let mut all = files(data.path()).into_iter().filter_map(|(path, _)| fs::read(path).ok());
                all.any(|file| file.starts_with(&begin))
            };
            assert!(is_there() || is_there(), "{name}: a segment was deleted");
        }
        let mut raw = Raw::connect(&broker);
        raw.open_channel(1);
        for (queue, sent) in QUEUES.into_iter().zip(&self.sent) {
            let mut found = raw.take_bodies(queue);
            // What says that it is settled may be what is lost.
            let is_settled_forgotten = lost.iter().any(|path| path == self.journal_from_last(1));
            if queue == QUEUES[0] && is_settled_forgotten && found.first() == Some(&self.settled) {
                found.remove(0);
            }
            let mut rest = found.iter().peekable();
            for text in sent {
                if rest.next_if(|found| *found == text).is_none() {
                    assert!(self.is_in(text, &lost), "{name}: {:?} is missing in {queue}", &text[..20]);
                }
            }
            let more: Vec<_> = rest.map(|text| &text[..20]).collect();
            assert!(more.is_empty(), "{name}: out of order, again, or of nobody's in {queue}: {more:?}");
        }
        let second = complaints(broker.kill());
        // A damaged file of which nothing is needed any more is put aside when that is known.
        let is_aside = |line: &String| line.contains("was put aside") || line.contains("to the quarantine");
        let is_new = |line: &&String| !first.contains(line) && !is_aside(line);
        let new: Vec<_> = second.iter().filter(is_new).collect();
        assert!(new.is_empty(), "{name}: the second start finds more: {new:#?}, the first: {first:#?}");
    }
}

/// The lines of the levels error and warning, without their times.
fn complaints(log: Vec<String>) -> Vec<String> {
    let complaint = |line: String| {
        let at = line.find("[error]").or_else(|| line.find("[warning]"))?;
        Some(line[at..].to_owned())
    };
    log.into_iter().filter_map(complaint).collect()
}

fn copy(data: &Path, from: &Path, to: &Path) {
    fs::copy(data.join(from), data.join(to)).unwrap();
}

fn swap(data: &Path, one: &Path, other: &Path) {
    let aside = data.join("aside");
    fs::rename(data.join(one), &aside).unwrap();
    fs::rename(data.join(other), data.join(one)).unwrap();
    fs::rename(aside, data.join(other)).unwrap();
}

fn remove(data: &Path, path: &Path) {
    fs::remove_file(data.join(path)).unwrap();
}

const CASES: &[Case] = &[
    Case {
        name: "a file of the journal is missing in the middle",
        happens: |of, data| remove(data, of.journal_from_last(1)),
        lost: |of| vec![of.journal_from_last(1).to_owned()],
        said: &["which is missing"],
    },
    Case {
        name: "the last file of the journal is missing",
        happens: |of, data| remove(data, of.journal_from_last(0)),
        lost: |of| vec![of.journal_from_last(0).to_owned()],
        said: &["which is missing"],
    },
    Case {
        name: "two files of the journal have each other's name",
        happens: |of, data| swap(data, of.journal_from_last(0), of.journal_from_last(1)),
        lost: |_| Vec::new(),
        said: &[],
    },
    Case {
        name: "the last file of the journal stands in the place of the one before it",
        happens: |of, data| copy(data, of.journal_from_last(0), of.journal_from_last(1)),
        lost: |of| vec![of.journal_from_last(1).to_owned()],
        said: &["which is missing", "journal/"],
    },
    Case {
        name: "a file of the journal stands in the place of the last one",
        happens: |of, data| copy(data, of.journal_from_last(1), of.journal_from_last(0)),
        lost: |of| vec![of.journal_from_last(0).to_owned()],
        said: &["which is missing", "journal/"],
    },
    Case {
        name: "a file of the journal is there twice",
        happens: |of, data| copy(data, of.journal_from_last(1), Path::new("journal/999")),
        lost: |_| Vec::new(),
        said: &["journal/999"],
    },
    Case {
        name: "a segment is missing",
        happens: |of, data| remove(data, &of.segments[0]),
        lost: |of| vec![of.segments[0].clone()],
        said: &["its messages are lost"],
    },
    Case {
        name: "two queues have each other's segment",
        happens: |of, data| swap(data, &of.segments[0], &of.segments[1]),
        lost: |of| of.segments.to_vec(),
        said: &["messages are lost"],
    },
    Case {
        name: "a queue has another one's segment",
        happens: |of, data| copy(data, &of.segments[1], &of.segments[0]),
        lost: |of| vec![of.segments[0].clone()],
        said: &["messages are lost"],
    },
    Case {
        name: "a segment is there a second time, as another queue's",
        happens: |of, data| copy(data, &of.segments[1], &of.segments[0].with_file_name("999")),
        lost: |_| Vec::new(),
        said: &["999"],
    },
    Case {
        name: "the second copy of the definitions is missing",
        happens: |_, data| remove(data, Path::new("definitions.json")),
        lost: |_| Vec::new(),
        said: &[],
    },
    Case {
        name: "the definitions are missing",
        happens: |_, data| fs::remove_dir_all(data.join("definitions")).unwrap(),
        lost: |_| Vec::new(),
        said: &["definitions"],
    },
    Case {
        name: "the file of the definitions is missing",
        happens: |_, data| remove(data, Path::new("definitions/db")),
        lost: |_| Vec::new(),
        said: &["definitions"],
    },
];

#[test]
fn b88_files_that_are_missing_swapped_or_doubled_cost_what_was_in_them_and_no_more() {
    let directory = Directory::new();
    let mut failed = Vec::new();
    for case in CASES {
        // Each says what is wrong, and the others are tried.
        if std::panic::catch_unwind(|| directory.check(case)).is_err() {
            failed.push(case.name);
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn b88_without_any_definitions_messages_stay_where_they_are() {
    let directory = Directory::new();
    let data = TempDir::new();
    directory.pristine.restore(data.path());
    fs::remove_dir_all(data.path().join("definitions")).unwrap();
    remove(data.path(), Path::new("definitions.json"));
    let start = || complaints(Broker::start_on(data.path(), ARGUMENTS).kill());
    let first = start();
    assert!(first.iter().any(|line| line.contains("no definitions are left")), "{first:#?}");
    let set_aside = files(&data.path().join("quarantine")).len();
    let second = start();
    assert!(second.iter().all(|line| first.contains(line)), "{first:#?} {second:#?}");
    assert!(second.iter().any(|line| line.contains("of a queue that is not defined")), "{second:#?}");
    assert_eq!(files(&data.path().join("quarantine")).len(), set_aside);
    for segment in &directory.segments {
        assert!(data.path().join(segment).exists(), "{}", segment.display());
    }
}
