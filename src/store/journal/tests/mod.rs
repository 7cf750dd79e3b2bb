//! The journal on a simulated disk.

mod faults;
mod reader;
mod restart;
mod rules;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use super::*;
use crate::place::{Position, QueueId};
use crate::store::simulated::SimDisk;

/// Files so small that there are many.
const SMALL: Limits =
    Limits { file_bytes: 64 * 1024, margin_bytes: 16 * 1024, congested_bytes: 64 * 1024, spares: 2 };

const QUEUE: QueueId = QueueId::stored(1);

fn open(disk: &Arc<SimDisk>) -> Arc<Journal> {
    Journal::open(disk.clone(), &Start::default(), SMALL, Arc::new(())).unwrap()
}

/// A record that is told from others by its number.
fn settled(number: u64) -> Group {
    let mut group = Group::default();
    group.settle(QUEUE, Position(number));
    group
}

fn define(number: u64, len: usize) -> Group {
    let mut group = Group::default();
    group.define(&number.to_le_bytes(), &vec![b'v'; len]);
    group
}

/// Appends something that is to be synced, and waits for that.
fn append_durably(journal: &Journal, number: u64, len: usize) -> bool {
    let batch = journal.append_now(&mut define(number, len));
    journal.wait(batch)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Failed(String),
    FileClosed(JournalFile),
    Full(bool),
}

struct Events(Mutex<SyncSender<Event>>);

impl Events {
    fn new() -> (Arc<Self>, Receiver<Event>) {
        let (sender, receiver) = sync_channel(10_000);
        (Arc::new(Self(Mutex::new(sender))), receiver)
    }

    fn tell(&self, event: Event) {
        self.0.lock().unwrap().send(event).unwrap();
    }
}

impl JournalEvents for Events {
    fn failed(&self, failure: &Arc<JournalFailure>) {
        self.tell(Event::Failed(failure.to_string()));
    }

    fn file_closed(&self, file: JournalFile) {
        self.tell(Event::FileClosed(file));
    }

    fn full(&self, is_full: bool) {
        self.tell(Event::Full(is_full));
    }
}
