//! Tells scripts the number of the process.

use std::fs;
use std::path::PathBuf;

/// A file with the number of this process, removed on drop.
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it. A broker serves without it all the same.
    pub(super) fn write(path: PathBuf) -> Option<Self> {
        match fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                tracing::warn!("the file {} of pid_file cannot be written: {error}", path.display());
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!("{} cannot be removed: {error}", self.0.display());
        }
    }
}
