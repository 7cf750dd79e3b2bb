//! What an import has done, or would do.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::document::Section;
use super::path::{Finding, Path};

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Create,
    /// It is as the document says from now on.
    Change,
    /// It is otherwise than the document says, and stays.
    Keep,
}

impl Action {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Keep => "keep",
        }
    }
}

/// A difference between a document and what there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where the object stands in the document.
    pub path: Path,
    /// What becomes of it.
    pub action: Action,
    /// As it was; nothing where it was not.
    pub before: Option<Value>,
    /// As the document says.
    pub after: Value,
}

/// How many objects of a section had which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    created: u64,
    changed: u64,
    kept: u64,
    unchanged: u64,
    left_out: u64,
}

/// Remarks and changes beyond so many are counted, not told.
pub(super) const TOLD_MAX: usize = 10_000;

/// What an import has done, or would do.
#[derive(Clone, Debug, Default)]
pub struct Report {
    counts: BTreeMap<Section, Counts>,
    changes: Vec<Change>,
    remarks: Vec<Finding>,
    /// All that is wrong: of an import that does something, the one mistake that it ended with.
    mistakes: Vec<Finding>,
    /// What there is and the document does not name, where it was asked for.
    absent: Vec<Value>,
    untold: u64,
}

impl Report {
    fn counts(&mut self, section: Section) -> &mut Counts {
        self.counts.entry(section).or_default()
    }

    pub(super) fn changed(&mut self, section: Section, change: Change, is_told: bool) {
        let counts = self.counts(section);
        match change.action {
            Action::Create => counts.created += 1,
            Action::Change => counts.changed += 1,
            Action::Keep => counts.kept += 1,
        }
        if !is_told {
            return;
        }
        if self.changes.len() < TOLD_MAX {
            self.changes.push(change);
        } else {
            self.untold += 1;
        }
    }

    pub(super) fn unchanged(&mut self, section: Section) {
        self.counts(section).unchanged += 1;
    }

    pub(super) fn left_out(&mut self, section: Section) {
        self.counts(section).left_out += 1;
    }

    pub(super) fn remark(&mut self, remark: Finding) {
        if self.remarks.len() < TOLD_MAX {
            self.remarks.push(remark);
        } else {
            self.untold += 1;
        }
    }

    pub(super) fn mistake(&mut self, mistake: Finding) {
        if self.mistakes.len() < TOLD_MAX {
            self.mistakes.push(mistake);
        } else {
            self.untold += 1;
        }
    }

    pub(super) fn absent(&mut self, (absent, untold): (Vec<Value>, u64)) {
        self.absent = absent;
        self.untold += untold;
    }

    /// What had no effect, with the reasons.
    pub fn remarks(&self) -> &[Finding] {
        &self.remarks
    }

    /// What is wrong.
    pub fn mistakes(&self) -> &[Finding] {
        &self.mistakes
    }

    /// The differences, where they were asked for.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// How many objects were made or changed, or would be.
    pub fn applied(&self) -> u64 {
        self.counts.values().map(|counts| counts.created + counts.changed).sum()
    }

    /// All of it.
    pub fn json(&self) -> Value {
        let counts = self.counts.iter().map(|(section, counts)| {
            let Counts { created, changed, kept, unchanged, left_out } = *counts;
            let counts = json!({
                "created": created, "changed": changed, "kept": kept, "unchanged": unchanged, "left_out": left_out,
            });
            (section.as_str().to_owned(), counts)
        });
        let findings = |findings: &[Finding]| -> Vec<Value> {
            let told = findings.iter();
            told.map(|found| json!({ "path": found.path.to_string(), "reason": found.reason })).collect()
        };
        let changes = self.changes.iter().map(|change| {
            json!({
                "path": change.path.to_string(),
                "action": change.action.as_str(),
                "before": change.before,
                "after": change.after,
            })
        });
        json!({
            "objects": Value::Object(counts.collect::<Map<_, _>>()),
            "changes": changes.collect::<Vec<_>>(),
            "remarks": findings(&self.remarks),
            "mistakes": findings(&self.mistakes),
            "absent": self.absent,
            "untold": self.untold,
        })
    }
}
