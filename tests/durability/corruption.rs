//! Damage: bits that flip and files that are cut while the broker is away. Whatever is not hit is served, what is hit is
//! reported, nothing is served that nobody sent, and nothing is deleted.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::lives::{Death, Lives, Script, files};
use crate::random::{Random, seed, setting};
use crate::support::{Broker, Ended, Properties, Raw, Table, TempDir, method};

const BLOCK: usize = 4096;

/// A file of a data directory: its length, and those of its blocks that are not all zeros.
pub(crate) struct Content {
    pub(crate) path: PathBuf,
    length: u64,
    pub(crate) blocks: Vec<(u64, Vec<u8>)>,
}

/// A data directory, to be made again and again.
pub(crate) struct Pristine {
    pub(crate) files: Vec<Content>,
    /// What is in the queue `q`, in order.
    bodies: Vec<Vec<u8>>,
    /// What was in it and is settled.
    settled: BTreeSet<Vec<u8>>,
    arguments: &'static [&'static str],
}

/// What is done to a data directory.
#[derive(Clone, Debug)]
struct Damage {
    file: PathBuf,
    offset: u64,
    /// Which bit there is flipped; the file ends there if none is.
    bit: Option<u8>,
}

impl Pristine {
    pub(crate) fn of(
        lives: &Lives,
        bodies: Vec<Vec<u8>>,
        settled: BTreeSet<Vec<u8>>,
        arguments: &'static [&'static str],
    ) -> Self {
        let read = |path: PathBuf| {
            let bytes = fs::read(&path).unwrap();
            let blocks = bytes.chunks(BLOCK).enumerate().filter(|(_, block)| block.iter().any(|b| *b != 0));
            let blocks = blocks.map(|(at, block)| ((at * BLOCK) as u64, block.to_vec())).collect();
            let path = path.strip_prefix(lives.data()).unwrap().to_owned();
            Content { path, length: bytes.len() as u64, blocks }
        };
        let files = files(lives.data()).into_iter().map(|(path, _)| read(path)).collect();
        Self { files, bodies, settled, arguments }
    }

    pub(crate) fn restore(&self, to: &Path) {
        for content in &self.files {
            let path = to.join(&content.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = fs::File::create(&path).unwrap();
            file.set_len(content.length).unwrap();
            for (offset, block) in &content.blocks {
                file.write_all_at(block, *offset).unwrap();
            }
        }
    }

    /// Damage in every file, at offsets of all its blocks that say something.
    fn damages(&self, random: &mut Random, of_each: u64) -> Vec<Damage> {
        let mut damages = Vec::new();
        for content in self.files.iter().filter(|content| !content.blocks.is_empty()) {
            for n in 0..of_each {
                let (start, block) = random.choose(&content.blocks);
                // Where the headers are as often as where the messages are.
                let within = if n % 2 == 0 { random.below(80) } else { random.below(BLOCK as u64) };
                let offset = start + within.min(block.len() as u64 - 1);
                let bit = if n % 4 == 3 { None } else { Some(random.next().to_le_bytes()[0] % 8) };
                damages.push(Damage { file: content.path.clone(), offset, bit });
            }
        }
        damages
    }

    /// Where a body stands in a file, as far as the blocks that it touches.
    pub(crate) fn blocks_of(&self, body: &[u8], file: &Path) -> BTreeSet<u64> {
        let content = self.files.iter().find(|content| content.path == file).unwrap();
        let head = &body[..body.len().min(24)];
        let mut touched = BTreeSet::new();
        for (at, (offset, block)) in content.blocks.iter().enumerate() {
            let mut block = block.clone();
            // It may begin in one block and go on in the next.
            let next = content.blocks.get(at + 1).filter(|(next, _)| *next == offset + BLOCK as u64);
            block.extend(next.into_iter().flat_map(|(_, next)| next.iter().take(head.len() - 1)));
            if let Some(at) = block.windows(head.len()).position(|window| window == head) {
                let end = offset + (at + body.len()) as u64;
                // What stands before a body, its batch's header and its properties, is no longer than a block.
                touched.extend((offset / BLOCK as u64).saturating_sub(1)..=end / BLOCK as u64);
            }
        }
        touched
    }

    /// Whether this body may be missing when that is done.
    fn may_miss(&self, body: &[u8], damage: &Damage) -> bool {
        let blocks = self.blocks_of(body, &damage.file);
        match damage.bit {
            Some(_) => blocks.contains(&(damage.offset / BLOCK as u64)),
            None => blocks.last().is_some_and(|last| last + 1 >= damage.offset / BLOCK as u64),
        }
    }

    /// Whether the queue may be missing: its record stands in the journal before those of its messages.
    fn may_miss_the_queue(&self, damage: &Damage) -> bool {
        let first = self.settled.first().expect("a message that was settled");
        let first = self.blocks_of(first, &damage.file).first().copied();
        damage.file.starts_with("journal") && first.is_none_or(|first| damage.offset / BLOCK as u64 <= first)
    }

    /// Starts a broker on a damaged directory and holds what it serves against what was there.
    fn check(&self, damage: &Damage) -> Result<Verdict, String> {
        let data = TempDir::new();
        self.restore(data.path());
        let path = data.path().join(&damage.file);
        let witness = damage.inflict(&path);
        let broker = match Broker::spawn_on(data.path(), self.arguments).ready() {
            Ok(broker) => broker,
            Err(ended) => return refused(&ended, &path),
        };
        let served = serve(&broker);
        let log = broker.kill();
        if served.is_none() && !self.may_miss_the_queue(damage) {
            return Err(format!("the queue is gone: {log:#?}"));
        }
        // What says that they are settled may be what was hit.
        let served: Vec<_> = served.unwrap_or_default();
        let (again, served): (Vec<_>, Vec<_>) =
            served.into_iter().partition(|body| self.settled.contains(body));
        if !again.is_sorted() || again.windows(2).any(|two| two[0] == two[1]) {
            return Err(format!("{} settled messages in no order", again.len()));
        }
        let mut rest = served.iter();
        let mut missing = Vec::new();
        for (number, body) in self.bodies.iter().enumerate() {
            if rest.clone().next() == Some(body) {
                rest.next();
            } else {
                missing.push(number);
            }
        }
        let wrong: Vec<_> = rest.collect();
        if !wrong.is_empty() {
            let heads: Vec<_> = wrong.iter().map(|body| body[..body.len().min(24)].escape_ascii()).collect();
            let heads: Vec<String> = heads.into_iter().map(|head| head.to_string()).collect();
            return Err(format!("{} messages out of order or of nobody's: {heads:?}", wrong.len()));
        }
        let is_hit = |number: &usize| self.may_miss(&self.bodies[*number], damage);
        let unhit: Vec<_> =
            missing.iter().filter(|number| !self.may_miss_the_queue(damage) && !is_hit(number)).collect();
        if !unhit.is_empty() {
            return Err(format!("messages {unhit:?} were not hit and are not served: {log:#?}"));
        }
        let is_journal = damage.file.starts_with("journal") && !damage.file.ends_with("last");
        let is_cut = damage.bit.is_none() && is_journal;
        if missing.is_empty() && again.is_empty() && !is_cut {
            return Ok(Verdict::Harmless);
        }
        // A bad bit in the last batch looks like a write that the power cut off; the power cuts no file.
        let reports: &[&str] = if is_cut { &["damaged: "] } else { &["[warning]", "[error]", "is cut off"] };
        let is_reported = log.iter().any(|line| reports.iter().any(|report| line.contains(report)));
        if !is_reported {
            return Err(format!(
                "missing: {missing:?}, again there: {}, and the log says nothing: {log:#?}",
                again.len()
            ));
        }
        let is_kept = witness.is_empty()
            || files(data.path()).iter().any(|(path, _)| {
                fs::read(path).unwrap().windows(witness.len()).any(|window| window == witness)
            });
        if !is_kept {
            return Err(format!("the damaged bytes are nowhere any more: {:#?}", files(data.path())));
        }
        Ok(Verdict::Reported)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// All is served.
    Harmless,
    /// What was hit is missing, and the log says so.
    Reported,
    /// There is no broker, for a reason that it gave.
    Refused,
}

/// A refusal has to name what is damaged and to delete nothing.
fn refused(ended: &Ended, path: &Path) -> Result<Verdict, String> {
    let name = path.file_name().unwrap().to_str().unwrap();
    let is_told = ended.log.iter().any(|line| line.starts_with("leveret: ") && line.contains(name));
    if matches!(ended.status.code(), Some(73 | 78)) && is_told && path.exists() {
        return Ok(Verdict::Refused);
    }
    Err(format!("no start, and no good reason for it: {ended:#?}"))
}

impl Damage {
    /// Does it; what stands around it afterwards is returned, to be found again.
    fn inflict(&self, path: &Path) -> Vec<u8> {
        let file = fs::File::options().read(true).write(true).open(path).unwrap();
        let Some(bit) = self.bit else {
            file.set_len(self.offset).unwrap();
            return Vec::new();
        };
        let mut byte = [0];
        file.read_exact_at(&mut byte, self.offset).unwrap();
        file.write_all_at(&[byte[0] ^ 1 << bit], self.offset).unwrap();
        let mut witness = vec![0; 16];
        let read = file.read_at(&mut witness, self.offset.saturating_sub(8)).unwrap();
        witness.truncate(read);
        witness
    }
}

/// All bodies of the queue `q`, if it is there.
fn serve(broker: &Broker) -> Option<Vec<Vec<u8>>> {
    let mut raw = Raw::connect(broker);
    raw.open_channel(1);
    let has_queue = raw.has_queue("q");
    has_queue.then(|| std::iter::from_fn(|| raw.get(1, "q")).map(|message| message.body).collect())
}

fn body(number: usize, size: usize) -> Vec<u8> {
    let mut random = Random::new(number as u64);
    let mut body = format!("message number {number:08}.").into_bytes();
    body.extend(std::iter::repeat_with(|| random.next().to_le_bytes()).flatten().take(size));
    body
}

/// Fills a broker with a queue `q` of as many messages, each of which is a commit of its own; every eighth is settled.
fn fill(arguments: &'static [&'static str], count: usize, size_max: usize, death: Death) -> Pristine {
    let mut lives = Lives::new(arguments);
    let mut raw = lives.connect();
    raw.durable_queue("q");
    raw.durable_queue("other");
    raw.call(method::queue_bind("q", "amq.topic", "a.*", &Table::new()));
    raw.call(method::confirm_select());
    let (mut bodies, mut settled) = (Vec::new(), BTreeSet::new());
    let properties = Properties::new().headers(&Table::new().int("n", 1)).delivery_mode(2);
    let mut random = Random::new(count as u64);
    for number in 0..count {
        let body = body(number, usize::try_from(random.below(size_max as u64)).unwrap());
        raw.publish(1, "amq.topic", "a.b", &properties, &body);
        raw.expect(1, method::BASIC_ACK);
        bodies.push(body);
    }
    for _ in 0..count / 8 {
        let message = raw.get_unsettled("q").unwrap();
        raw.send(1, method::basic_ack(message.delivery_tag, false));
        settled.insert(bodies.remove(0));
    }
    // Perhaps together with the last of them, and that batch must not be the last: damage to that is a write that was cut off.
    raw.publish_confirmed("other", "behind the settlements");
    raw.publish_confirmed("other", "behind all that matters");
    lives.end(death);
    Pristine::of(&lives, bodies, settled, arguments)
}

fn damage_everywhere(pristine: &Pristine, of_each: u64) {
    let seed = seed("LEVERET_CORRUPTION_SEED");
    let of_each = setting("LEVERET_CORRUPTIONS").unwrap_or(of_each);
    let damages = pristine.damages(&mut Random::new(seed), of_each);
    let names: BTreeSet<_> = damages.iter().map(|damage| &damage.file).collect();
    eprintln!("seed {seed}: {} damages in {names:?}", damages.len());
    inflict_all(pristine, &damages);
}

/// Each of these, to a directory of its own.
fn inflict_all(pristine: &Pristine, damages: &[Damage]) {
    let failures: Vec<String> = std::thread::scope(|scope| {
        let share = damages.len().div_ceil(4);
        let check = |damages: &[Damage]| -> Vec<String> {
            let verdict = |damage| match pristine.check(damage) {
                Ok(verdict) => {
                    eprintln!("{verdict:?}: {damage:?}");
                    None
                }
                Err(failure) => Some(format!("{damage:?}: {failure}")),
            };
            damages.iter().filter_map(verdict).collect()
        };
        let threads: Vec<_> =
            damages.chunks(share).map(|damages| scope.spawn(move || check(damages))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let shown = failures.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {}:\n{shown}", failures.len(), damages.len());
}

#[test]
fn b88_damage_after_a_kill_costs_only_what_it_hits() {
    damage_everywhere(&fill(&[], 64, 3000, Death::Kill), 14);
}

#[test]
fn b88_damage_after_a_clean_stop_costs_only_what_it_hits() {
    damage_everywhere(&fill(&[], 64, 3000, Death::Stop), 14);
}

#[test]
fn b88_a_journal_that_ends_too_early_is_damaged_wherever_that_is() {
    for death in [Death::Stop, Death::Kill] {
        let pristine = fill(&[], 16, 3000, death);
        let journal = pristine.files.iter().find(|content| content.path.starts_with("journal")).unwrap();
        let used = journal.blocks.last().unwrap().0;
        let offsets = [0, 1, 60, 4095, 4096, used / 2 + 70, used, used + 1, used + 4096, journal.length - 1];
        let damages = offsets.map(|offset| Damage { file: journal.path.clone(), offset, bit: None });
        inflict_all(&pristine, &damages);
    }
}

#[test]
fn b88_damage_of_a_backlog_on_the_disk_costs_only_what_it_hits() {
    let paged = fill(&["--backlog-memory", "1MiB"], 400, 20_000, Death::Kill);
    assert!(paged.files.iter().any(|content| content.path.starts_with("queue")), "a backlog in segments");
    damage_everywhere(&paged, 10);
}

#[test]
fn b88_without_its_journal_a_directory_serves_what_is_left_and_deletes_no_segment() {
    let paged = fill(&["--backlog-memory", "1MiB"], 400, 20_000, Death::Stop);
    let data = TempDir::new();
    paged.restore(data.path());
    fs::remove_dir_all(data.path().join("journal")).unwrap();
    let stored = |of: &str| files(&data.path().join(of)).into_iter().map(|(_, length)| length).collect();
    let segments: BTreeSet<u64> = stored("queue");
    assert!(!segments.is_empty());
    let broker = Broker::start_on(data.path(), paged.arguments);
    let told = broker.log();
    assert!(told.iter().any(|line| line.contains("the journal, which is missing")), "{told:#?}");
    assert_eq!(serve(&broker), Some(Vec::new()));
    assert_eq!((stored("queue"), stored("quarantine")), (BTreeSet::new(), segments));
}

#[test]
fn a_directory_that_nothing_has_happened_to_is_served_whole() {
    for death in [Death::Stop, Death::Kill] {
        let pristine = fill(&[], 64, 3000, death);
        let data = TempDir::new();
        pristine.restore(data.path());
        let broker = Broker::start_on(data.path(), pristine.arguments);
        assert!(serve(&broker) == Some(pristine.bodies), "{death:?}");
    }
}
