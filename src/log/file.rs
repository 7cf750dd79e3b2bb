//! A log file that is set aside when it is large, or when its time has come.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::timestamp::{Timestamp, day_and_month};
use crate::config::{FileLog, RotationDate};

/// Its owner writes, its group reads: clients' addresses and names stand in it.
const MODE: u32 = 0o640;

/// When it is set aside, and how many of those are kept.
#[derive(Clone, Debug)]
struct Rotation {
    /// In bytes; 0 is never.
    size: u64,
    count: u16,
    date: Option<RotationDate>,
}

/// An open log file. What is written at a time stays together.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    rotation: Rotation,
    /// The period that its lines are of.
    period: u64,
    minutes: fn() -> u64,
}

impl LogFile {
    /// Opens the file to write behind what is there; makes it, and its directory, if it is missing.
    pub(super) fn open(path: &Path, config: &FileLog) -> io::Result<Self> {
        let rotation =
            Rotation { size: config.rotation_size, count: config.rotation_count, date: config.rotation_date };
        Self::open_at(path, rotation, || Timestamp::now().minutes())
    }

    fn open_at(path: &Path, rotation: Rotation, minutes: fn() -> u64) -> io::Result<Self> {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent)?;
        }
        let file = appended(path)?;
        let metadata = file.metadata()?;
        let written = if metadata.len() > 0 { minutes_of(metadata.modified()?) } else { minutes() };
        let mut opened =
            Self { path: path.to_owned(), file, bytes: metadata.len(), rotation, period: 0, minutes };
        opened.period = opened.period_of(written);
        Ok(opened)
    }

    fn period_of(&self, minutes: u64) -> u64 {
        self.rotation.date.map_or(0, |date| date.period(minutes, day_and_month))
    }

    /// Sets the file aside as `PATH.0`, those before it one further, and begins a new one.
    fn rotate(&mut self) -> io::Result<()> {
        let aside = |number: u16| {
            let mut name = OsString::from(&self.path);
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.rotation.count).rev() {
            // There need not be so many.
            let _ = fs::rename(aside(number - 1), aside(number));
        }
        if self.rotation.count > 0 {
            fs::rename(&self.path, aside(0))?;
        } else {
            fs::remove_file(&self.path)?;
        }
        self.file = appended(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

impl Write for LogFile {
    /// Writes all of it, at the end of this file or the beginning of the next.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let period = self.period_of((self.minutes)());
        let is_large =
            self.rotation.size > 0 && self.bytes > 0 && self.bytes + lines.len() as u64 > self.rotation.size;
        if is_large || (period != self.period && self.bytes > 0) {
            // A file that cannot be set aside is written on.
            let _ = self.rotate();
        }
        self.period = period;
        self.file.write_all(lines)?;
        self.bytes += lines.len() as u64;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn appended(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(MODE).open(path)
}

fn minutes_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).as_ref().map_or(0, Duration::as_secs) / 60
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("leveret-log-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn contents(&self) -> Vec<(String, String)> {
            let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
            let mut files: Vec<_> = entries
                .map(|path| {
                    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                    (name, fs::read_to_string(path).unwrap())
                })
                .collect();
            files.sort();
            files
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn files(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_file_that_becomes_too_large_is_set_aside_and_so_many_are_kept() {
        let folder = Folder::new("size");
        let rotation = Rotation { size: 10, count: 2, date: None };
        let mut log = LogFile::open_at(&folder.0.join("l"), rotation, || 0).unwrap();
        for line in ["1234\n", "5678\n", "a\n", "longer than all of a file\n", "b\n", "c\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        let expected = [("l", "b\nc\n"), ("l.0", "longer than all of a file\n"), ("l.1", "a\n")];
        assert_eq!(folder.contents(), files(&expected));
    }

    #[test]
    fn without_a_count_nothing_is_kept() {
        let folder = Folder::new("none");
        let rotation = Rotation { size: 3, count: 0, date: None };
        let mut log = LogFile::open_at(&folder.0.join("sub/l"), rotation, || 0).unwrap();
        log.write_all(b"one\n").unwrap();
        log.write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(folder.0.join("sub/l")).unwrap(), "two\n");
        assert_eq!(fs::read_dir(folder.0.join("sub")).unwrap().count(), 1);
        fs::remove_dir_all(folder.0.join("sub")).unwrap();
    }

    #[test]
    fn a_file_is_set_aside_when_its_time_has_come_also_while_nobody_wrote() {
        static NOW: AtomicU64 = AtomicU64::new(0);
        let now = || NOW.load(Ordering::Relaxed);
        let folder = Folder::new("date");
        let path = folder.0.join("l");
        let rotation = Rotation { size: 0, count: 5, date: Some(RotationDate::Hourly { minute: 0 }) };
        // The file's own time is the system's.
        let present = Timestamp::now().minutes() / 60 * 60;
        let mut log = LogFile::open_at(&path, rotation.clone(), now).unwrap();
        for (at, line) in
            [(present, "a\n"), (present + 59, "b\n"), (present + 60, "c\n"), (present + 300, "d\n")]
        {
            NOW.store(at, Ordering::Relaxed);
            log.period = if line == "a\n" { log.period_of(at) } else { log.period };
            log.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(folder.contents(), files(&[("l", "d\n"), ("l.0", "c\n"), ("l.1", "a\nb\n")]));
        let mut log = LogFile::open_at(&path, rotation, now).unwrap();
        log.write_all(b"e\n").unwrap();
        assert_eq!(folder.contents()[..2], files(&[("l", "e\n"), ("l.0", "d\n")]));
    }
}
