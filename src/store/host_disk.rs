//! The disk of this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::disk::{Disk, DiskFile};

/// Linux takes no more slices in one call.
const SLICES_MAX: usize = 1024;

/// A folder of this machine.
#[derive(Debug)]
pub struct HostDisk {
    root: PathBuf,
}

impl HostDisk {
    /// The tree below `root`, which must exist.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn opened(&self, options: &mut OpenOptions, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = options.read(true).write(true).mode(0o600).open(self.root.join(path));
        Ok(Arc::new(HostFile(file.map_err(|error| named(path, error))?)))
    }
}

impl Disk for HostDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.opened(&mut OpenOptions::new(), path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.opened(OpenOptions::new().create_new(true), path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(self.root.join(path));
        made.map_err(|error| named(path, error))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to)).map_err(|error| named(from, error))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_file(self.root.join(path))).map_err(|error| named(path, error))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_dir_all(self.root.join(path))).map_err(|error| named(path, error))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| named(path, error))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            // Names of ours are ASCII; another one is not ours, and is named as well as it can be.
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(self.root.join(path))?.sync_all()
    }
}

/// Says with what of the data directory something is wrong, where that is the file's own fault and not the system's.
fn named(path: &Path, error: io::Error) -> io::Error {
    use io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, PermissionDenied};
    match error.kind() {
        kind @ (AlreadyExists | IsADirectory | NotADirectory | PermissionDenied) => {
            io::Error::new(kind, format!("{}: {error}", path.display()))
        }
        _ => error,
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[derive(Debug)]
struct HostFile(File);

impl DiskFile for HostFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&self, slices: &[&[u8]], mut offset: u64) -> io::Result<()> {
        let mut all: Vec<IoSlice<'_>> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        let mut left = all.as_mut_slice();
        // Skips slices without bytes, so that a write of nothing is told from one that does not get on.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            let now = left.get(..SLICES_MAX).unwrap_or(left);
            match rustix::io::pwritev(&self.0, now, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset = offset.saturating_add(written as u64);
                    IoSlice::advance_slices(&mut left, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        loop {
            return match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, length) {
                Err(Errno::INTR) => continue,
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.fill(length),
                result => result.map_err(io::Error::from),
            };
        }
    }

    fn free_behind(&self, offset: u64) -> io::Result<()> {
        let length = self.len()?.saturating_sub(offset);
        if length == 0 {
            return Ok(());
        }
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        loop {
            return match rustix::fs::fallocate(&self.0, flags, offset, length) {
                Err(Errno::INTR) => continue,
                // Then there is no more space than before.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
                result => result.map_err(io::Error::from),
            };
        }
    }
}

impl HostFile {
    /// Takes the space by writing zeros, for file systems that know no other way.
    fn fill(&self, length: u64) -> io::Result<()> {
        let from = self.len()?;
        let zeros = vec![0; 1 << 20];
        let mut at = PositionedWrite { file: &self.0, offset: from };
        let mut left = length.saturating_sub(from);
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
            at.write_all(zeros.get(..now).unwrap_or_default())?;
            left = left.saturating_sub(now as u64);
        }
        Ok(())
    }
}

struct PositionedWrite<'a> {
    file: &'a File,
    offset: u64,
}

impl Write for PositionedWrite<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, self.offset)?;
        self.offset = self.offset.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("leveret-disk-{}-{number}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn more_slices_than_one_call_takes_are_written_in_order() {
        let folder = Folder::new();
        let disk = HostDisk::new(&folder.0);
        let file = disk.create(Path::new("f")).unwrap();
        let bytes: Vec<u8> = (0..=250).cycle().take(SLICES_MAX * 5).collect();
        let mut slices: Vec<&[u8]> = bytes.chunks(2).collect();
        slices.insert(0, &[]);
        slices.push(&[]);
        file.write_at(&slices, 100).unwrap();
        file.sync().unwrap();
        let mut read = vec![1; bytes.len() + 100];
        file.read_at(&mut read, 0).unwrap();
        assert_eq!(read[..100], [0; 100]);
        assert_eq!(read[100..], bytes);
        let end = file.read_at(&mut [0], bytes.len() as u64 + 100).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn allocated_space_reads_as_zeros_and_keeps_what_was_there() {
        let folder = Folder::new();
        let disk = HostDisk::new(&folder.0);
        let file = disk.create(Path::new("f")).unwrap();
        file.write_at(&[b"kept"], 0).unwrap();
        for length in [10_000, 100] {
            file.allocate(length).unwrap();
            assert_eq!(file.len().unwrap(), 10_000);
        }
        let mut read = vec![1; 10_000];
        file.read_at(&mut read, 0).unwrap();
        assert!(read.starts_with(b"kept") && read[4..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_is_behind_is_given_back_and_reads_as_zeros_in_a_file_as_long_as_before() {
        let folder = Folder::new();
        let disk = HostDisk::new(&folder.0);
        let file = disk.create(Path::new("f")).unwrap();
        file.write_at(&[&vec![1; 1 << 20]], 0).unwrap();
        let taken = || {
            file.sync().unwrap();
            std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(folder.0.join("f")).unwrap()) * 512
        };
        assert!(taken() >= 1 << 20);
        for offset in [1 << 20, 8192, 4 << 20] {
            file.free_behind(offset).unwrap();
        }
        assert!(taken() <= 64 << 10, "{}", taken());
        let mut read = vec![1; 1 << 20];
        file.read_at(&mut read, 0).unwrap();
        assert!(read[..8192].iter().all(|byte| *byte == 1) && read[8192..].iter().all(|byte| *byte == 0));
        file.allocate(1 << 20).unwrap();
        assert!(taken() >= 1 << 20, "and taken again");
    }

    #[test]
    fn filling_by_hand_takes_the_space_as_well() {
        let folder = Folder::new();
        let file = HostFile(
            OpenOptions::new()
                .create(true)
                .truncate(true)
                .read(true)
                .write(true)
                .open(folder.0.join("f"))
                .unwrap(),
        );
        file.write_at(&[b"kept"], 0).unwrap();
        file.fill(3_000_000).unwrap();
        let mut read = vec![1; 3_000_000];
        file.read_at(&mut read, 0).unwrap();
        assert!(read.starts_with(b"kept") && read[4..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_is_of_the_wrong_kind_is_named() {
        let folder = Folder::new();
        let disk = HostDisk::new(&folder.0);
        let path = Path::new("queue/7");
        disk.create_dir(path).unwrap();
        let said = |result: io::Result<()>| result.unwrap_err().to_string();
        assert_eq!(said(disk.open(path).map(drop)), "queue/7: Is a directory (os error 21)");
        assert_eq!(said(disk.create(path).map(drop)), "queue/7: File exists (os error 17)");
        assert_eq!(said(disk.remove(path)), "queue/7: Is a directory (os error 21)");
        let file = Path::new("queue/7/0");
        disk.create(file).unwrap();
        assert_eq!(said(disk.create_dir(file)), "queue/7/0: File exists (os error 17)");
        assert_eq!(said(disk.list(file).map(drop)), "queue/7/0: Not a directory (os error 20)");
    }

    #[test]
    fn folders_are_listed_in_order_and_what_is_absent_is_fine_to_remove() {
        let folder = Folder::new();
        let disk = HostDisk::new(&folder.0);
        let names = |path: &str| disk.list(Path::new(path)).unwrap();
        assert!(names("a/b").is_empty());
        disk.create_dir(Path::new("a/b")).unwrap();
        disk.create_dir(Path::new("a/b")).unwrap();
        for name in ["10", "2", "x"] {
            disk.create(&Path::new("a/b").join(name)).unwrap();
        }
        assert!(disk.create(Path::new("a/b/2")).is_err());
        disk.rename(Path::new("a/b/x"), Path::new("a/b/1")).unwrap();
        disk.remove(Path::new("a/b/10")).unwrap();
        disk.remove(Path::new("a/b/10")).unwrap();
        disk.sync_dir(Path::new("a/b")).unwrap();
        assert_eq!(names("a/b"), ["1", "2"]);
        assert!(disk.open(Path::new("a/b/3")).is_err());
        disk.remove_dir_all(Path::new("a")).unwrap();
        disk.remove_dir_all(Path::new("a")).unwrap();
        assert!(names("").is_empty());
    }
}
