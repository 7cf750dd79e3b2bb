//! Tells scripts the number of the process.

use std::fs;
use std::path::PathBuf;

/// A file with the number of this process, removed on drop unless it has another one's by then.
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it. A broker serves without it all the same.
    pub(super) fn write(path: PathBuf) -> Option<Self> {
        match fs::write(&path, content()) {
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
        let is_ours = fs::read_to_string(&self.0).is_ok_and(|text| text == content());
        if is_ours && let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!("{} cannot be removed: {error}", self.0.display());
        }
    }
}

fn content() -> String {
    format!("{}\n", std::process::id())
}
