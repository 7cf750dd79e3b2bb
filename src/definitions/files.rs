//! Documents that are imported when a broker starts.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::document::{Document, Scope, Section};
use super::import::{Import, Mode};
use crate::connection::Environment;

/// The global parameter that says what was imported last, as in RabbitMQ.
const HASH: &str = "imported_definition_hash_value";
/// So many remarks on a document are written to the log.
const REMARKS_MAX: usize = 100;

/// Why a broker cannot start with these definitions.
#[derive(Debug)]
pub struct LoadError {
    path: PathBuf,
    reason: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "definitions in {} cannot be imported: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for LoadError {}

/// Documents that were read and not imported yet.
#[derive(Debug)]
pub struct Loaded {
    documents: Vec<(PathBuf, Document)>,
    /// Of all their texts.
    hash: String,
}

impl Loaded {
    /// Reads a file, or all files of a directory that end with `.json`, in the order of their names.
    ///
    /// # Errors
    /// A file cannot be read, or has no document of a whole broker in it.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let failed = |path: &Path, reason: String| LoadError { path: path.to_owned(), reason };
        let io = |error: std::io::Error| failed(path, error.to_string());
        let mut files = Vec::new();
        if fs::metadata(path).map_err(io)?.is_dir() {
            for entry in fs::read_dir(path).map_err(io)? {
                let file = entry.map_err(io)?.path();
                if file.extension().is_some_and(|extension| extension == "json") {
                    files.push(file);
                }
            }
            files.sort_unstable();
        } else {
            files.push(path.to_owned());
        }
        let (mut documents, mut hash) = (Vec::new(), Sha256::new());
        for file in files {
            let text = fs::read(&file).map_err(|error| failed(&file, error.to_string()))?;
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(&text);
            let document = Document::parse(&text, Scope::Broker);
            let document = document.map_err(|unreadable| failed(&file, unreadable.to_string()))?;
            documents.push((file, document));
        }
        let hash = STANDARD.encode(hash.finalize());
        Ok(Self { documents, hash })
    }

    /// Whether there are objects of a kind in any of them.
    pub fn brings(&self, section: Section) -> bool {
        self.documents.iter().any(|(_, document)| document.brings(section))
    }

    /// Imports them one after the other; not if they are those that were imported last, where `unless_unchanged`. Waits for
    /// the disk.
    ///
    /// # Errors
    /// There is a mistake in one of them. What was applied before it stays.
    pub fn import(&self, environment: &Environment, unless_unchanged: bool) -> Result<(), LoadError> {
        let parameters = environment.vhosts.global_parameters();
        if unless_unchanged && parameters.get(HASH).as_ref().and_then(Value::as_str) == Some(&self.hash) {
            tracing::info!("definitions are not imported: they are those that were imported last");
            return Ok(());
        }
        let import = Import { environment, user: None, mode: Mode::Apply };
        let mut last = None;
        for (path, document) in &self.documents {
            let (report, until) = import.of(document);
            last = last.max(until);
            let remarks = report.remarks();
            for remark in remarks.iter().take(REMARKS_MAX) {
                tracing::warn!("definitions in {}: {remark}", path.display());
            }
            if remarks.len() > REMARKS_MAX {
                let more = remarks.len() - REMARKS_MAX;
                tracing::warn!("definitions in {}: {more} more remarks of this kind", path.display());
            }
            if let Some(mistake) = report.mistakes().first() {
                environment.wait(last);
                return Err(LoadError { path: path.clone(), reason: mistake.to_string() });
            }
            tracing::info!(
                "definitions in {} are imported: {} objects made or changed",
                path.display(),
                report.applied()
            );
        }
        if unless_unchanged {
            last = last.max(parameters.set(HASH, Value::from(self.hash.as_str())));
        }
        // When the disk fails the broker is told, as later.
        environment.wait(last);
        Ok(())
    }
}
