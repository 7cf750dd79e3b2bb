//! The definitions at the start: opened, brought up to what the journal says, and read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::definition::Definition;
use super::home::Home;
use super::tree::TreeError;
use super::{Change, Definitions, key};
use crate::store::journal::Journal;

/// The definitions, before there is a journal to follow.
pub struct Opened {
    home: Home,
    data_dir: PathBuf,
}

impl Opened {
    /// Opens the definitions of a data directory and makes the changes that the journal still has, in their order. What
    /// is damaged is moved to the quarantine and reported.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn open(data_dir: &Path, changes: &[Change]) -> Result<Self, DefinitionsError> {
        let mut home = Home::open(data_dir).map_err(DefinitionsError)?;
        home.save(changes.iter()).map_err(DefinitionsError)?;
        Ok(Self { home, data_dir: data_dir.to_owned() })
    }

    /// Everything that is defined: virtual hosts, then exchanges, queues, bindings. What cannot be read, or is of a
    /// later version, is reported and left where it is.
    pub fn definitions(&self) -> Result<Vec<Definition>, DefinitionsError> {
        let mut definitions = Vec::new();
        let mut unknown = 0_usize;
        let mut read = |key: &[u8], value: &[u8]| match Definition::decode(key, value) {
            Ok(Some(definition)) => definitions.push(definition),
            Ok(None) => unknown += 1,
            Err(malformed) => {
                let kind = key::Kind::of(key).map_or("", key::Kind::as_str);
                tracing::error!(
                    "a definition is left out (kept, not used): {kind} {:?}: {malformed}",
                    key::names(key)
                );
            }
        };
        self.home.for_each(&mut read).map_err(DefinitionsError)?;
        if unknown > 0 {
            tracing::warn!(
                "{unknown} definitions of kinds that only a later version knows are kept and not used"
            );
        }
        Ok(definitions)
    }

    /// From now on they follow the journal.
    pub fn start(self, journal: Arc<Journal>) -> io::Result<Arc<Definitions>> {
        Definitions::start(self.home, self.data_dir, journal)
    }
}

/// The definitions cannot be opened.
#[derive(Debug)]
pub struct DefinitionsError(TreeError);

impl DefinitionsError {
    /// What the disk said, if it was the disk.
    pub fn into_io(self) -> Result<io::Error, Self> {
        match self.0 {
            TreeError::Disk(error) => Ok(error),
            damaged @ TreeError::Damaged(_) => Err(Self(damaged)),
        }
    }
}

impl fmt::Display for DefinitionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "definitions: {}", self.0)
    }
}

impl std::error::Error for DefinitionsError {}
