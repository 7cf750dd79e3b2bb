//! Directories that go away with the test that made them.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A new, empty directory below the system's temporary one; removed with all that is in it on drop.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("leveret-test-{}-{number}", std::process::id()));
            // An earlier process with the same id may have been killed before it could clean up.
            // For its owner alone, as a data directory should be.
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Self(path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot make {}: {error}", path.display()),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy_folder(&path, &to.join(name));
        } else if path.extension().is_none_or(|extension| extension != "sock") {
            // The socket of a broker is nothing without it.
            let copied = std::fs::copy(&path, to.join(name));
            // A broker that runs gives a file its name when it is whole.
            let is_renamed = |error: &std::io::Error| {
                error.kind() == std::io::ErrorKind::NotFound
                    && path.extension().is_some_and(|extension| extension == "new")
            };
            assert!(copied.as_ref().map_or_else(is_renamed, |_| true), "{}: {copied:?}", path.display());
        }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
