use std::fs;
use std::path::Path;

use super::*;
use crate::store::checkpoint::Definitions as _;
use crate::store::definitions::{Opened, VhostDefinition, copy};
use crate::store::journal::{Limits, Start};
use crate::store::simulated::{Failure, SimDisk};
use crate::store::temporary::Temporary;

fn start(data_dir: &Path, disk: &Arc<SimDisk>) -> (Arc<Journal>, Arc<Definitions>) {
    let limits = Limits { file_bytes: 64 << 10, margin_bytes: 16 << 10, ..Limits::default() };
    let disk = Arc::<SimDisk>::clone(disk);
    let journal = Journal::open(disk, &Start::default(), limits, Arc::new(())).unwrap();
    let definitions = Opened::open(data_dir, &[]).unwrap().start(Arc::clone(&journal)).unwrap();
    (journal, definitions)
}

fn vhost(number: u32) -> Definition {
    Definition::Vhost(VhostDefinition { name: format!("{number:06}").into(), ..VhostDefinition::default() })
}

fn define(definitions: &Definitions, number: u32) -> Batch {
    let mut record = definitions.record();
    record.define(&vhost(number));
    record.commit().unwrap()
}

/// What the next start finds.
fn defined(data_dir: &Path) -> Vec<Definition> {
    Opened::open(data_dir, &[]).unwrap().definitions().unwrap()
}

#[test]
fn what_is_recorded_is_saved_at_the_end() {
    let data = Temporary::new();
    let (journal, definitions) = start(data.path(), &SimDisk::new(1));
    for number in 0..100 {
        define(&definitions, number);
    }
    let mut record = definitions.record();
    record.forget(vhost(7).key());
    record.commit().unwrap();
    definitions.close();
    journal.close();
    let expected: Vec<_> = (0..100).filter(|number| *number != 7).map(vhost).collect();
    assert_eq!(defined(data.path()), expected);
}

#[test]
fn a_record_of_nothing_is_nothing() {
    let data = Temporary::new();
    let (_journal, definitions) = start(data.path(), &SimDisk::new(1));
    assert_eq!(definitions.record().commit(), None);
    assert_eq!(definitions.awaited(), None);
}

#[test]
fn a_change_is_awaited_until_it_is_durable() {
    let data = Temporary::new();
    let (journal, definitions) = start(data.path(), &SimDisk::new(1));
    let batch = define(&definitions, 1);
    assert!(definitions.awaited().is_none_or(|awaited| awaited == batch));
    assert!(journal.wait(batch));
    assert_eq!(definitions.awaited(), None);
}

#[test]
fn a_file_of_the_journal_is_not_released_before_both_copies_have_what_it_says() {
    let data = Temporary::new();
    let (journal, definitions) = start(data.path(), &SimDisk::new(1));
    let mut number = 0;
    for file in 1..4 {
        while journal.current_file() <= JournalFile(file) {
            journal.wait(define(&definitions, number));
            number += 1;
        }
        let through = number;
        definitions.flush_through(JournalFile(file)).unwrap();
        let copied = copy::read(data.path()).unwrap().unwrap().entries.len();
        // The last one may stand in the next file.
        assert!(copied + 1 >= through as usize, "{copied} of {through} after file {file}");
    }
    // The thread goes on with what follows.
    definitions.close();
    assert_eq!(defined(data.path()).len(), number as usize);
}

#[test]
fn what_cannot_be_saved_is_kept_in_the_journal_and_saved_as_soon_as_it_can() {
    let data = Temporary::new();
    let (journal, definitions) = start(data.path(), &SimDisk::new(1));
    // In the place where the copy is to be written is something that cannot be removed like a file.
    let obstacle = data.path().join("definitions.json.new");
    fs::create_dir(&obstacle).unwrap();
    assert!(journal.wait(define(&definitions, 1)));
    for _ in 0..2 {
        let error = definitions.flush_through(journal.current_file()).unwrap_err();
        assert!(error.to_string().starts_with("definitions cannot be saved: "), "{error}");
    }
    assert!(journal.wait(define(&definitions, 2)));
    fs::remove_dir(&obstacle).unwrap();
    while definitions.flush_through(journal.current_file()).is_err() {}
    assert_eq!(copy::read(data.path()).unwrap().unwrap().entries.len(), 2);
}

#[test]
fn what_the_journal_has_not_on_the_disk_is_not_defined() {
    let data = Temporary::new();
    let disk = SimDisk::new(1);
    let (journal, definitions) = start(data.path(), &disk);
    assert!(journal.wait(define(&definitions, 1)));
    definitions.flush_through(journal.current_file()).unwrap();
    for operation in disk.operations()..disk.operations() + 10 {
        disk.fail_at(operation, Failure::Device);
    }
    assert!(!journal.wait(define(&definitions, 2)), "the disk has failed");
    assert!(definitions.flush_through(journal.current_file()).is_err());
    definitions.close();
    assert_eq!(defined(data.path()), [vhost(1)]);
}
