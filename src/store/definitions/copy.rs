//! `definitions.json`: the second copy of all definitions, from which the tree is made anew when it is damaged.
//!
//! A line a definition. Kind and names are there for people; key and value, in base64, are what counts. The last
//! line has the number of definitions and the crc32c of all bytes before it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::key::{self, Kind};
use crate::store::checksum::{checksum, extended};

/// Its name in the data directory.
pub(super) const NAME: &str = "definitions.json";
const NEW_NAME: &str = "definitions.json.new";

/// No line is longer: a definition came in one frame, which has at most 16 MiB, and base64 makes that a third longer.
const LINE_MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The version of the file's form.
const FORMAT: u64 = 1;

/// Writes a copy under another name, which [`Self::finish`] puts in the place of the last one.
#[derive(Debug)]
pub(super) struct CopyWriter {
    folder: PathBuf,
    out: BufWriter<File>,
    checksum: u32,
    count: u64,
}

impl CopyWriter {
    /// Begins a copy in the data directory. Only its owner may read it: definitions may hold secrets.
    pub(super) fn create(folder: &Path, generation: u64) -> io::Result<Self> {
        let path = folder.join(NEW_NAME);
        // One that was not finished may have other permissions.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let mut copy = Self { folder: folder.to_owned(), out: BufWriter::new(file), checksum: 0, count: 0 };
        copy.write(
            format!("{{\"leveret\":{FORMAT},\"generation\":{generation},\"definitions\":[").as_bytes(),
        )?;
        Ok(copy)
    }

    /// Adds a definition.
    pub(super) fn entry(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let kind = Kind::of(key).map_or("unknown", Kind::as_str);
        let (names, key, value) = (key::names(key), STANDARD.encode(key), STANDARD.encode(value));
        let line = json!({ "kind": kind, "names": names, "key": key, "value": value });
        let separator = if self.count == 0 { "\n" } else { ",\n" };
        self.write(format!("{separator}{line}").as_bytes())?;
        self.count += 1;
        Ok(())
    }

    /// Ends the copy: from now on it is the one that counts, also after a loss of power.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.write(b"\n")?;
        let last = last_line(self.count, self.checksum);
        self.write(last.as_bytes())?;
        self.out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(self.folder.join(NEW_NAME), self.folder.join(NAME))?;
        File::open(&self.folder)?.sync_all()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum = extended(self.checksum, bytes);
        self.out.write_all(bytes)
    }
}

fn last_line(count: u64, checksum: u32) -> String {
    format!("],\"count\":{count},\"crc32c\":\"{checksum:08x}\"}}\n")
}

/// All definitions, as a copy has them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Copied {
    /// How far the tree was when it was copied.
    pub(super) generation: u64,
    /// Keys and values.
    pub(super) entries: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why a copy cannot be used.
#[derive(Debug)]
pub(super) enum CopyError {
    /// It cannot be read.
    Disk(io::Error),
    /// It is not what was written.
    Damaged(&'static str),
}

impl std::fmt::Display for CopyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::Damaged(what) => f.write_str(what),
        }
    }
}

/// Checks the copy, if there is one, and gives how far the tree was when it was copied.
pub(super) fn check(folder: &Path) -> Result<Option<u64>, CopyError> {
    scan(folder, &mut |_| Ok(()))
}

/// Reads the copy, if there is one.
pub(super) fn read(folder: &Path) -> Result<Option<Copied>, CopyError> {
    let mut entries = Vec::new();
    let generation = scan(folder, &mut |line| {
        entries.push(parse_entry(line)?);
        Ok(())
    })?;
    Ok(generation.map(|generation| Copied { generation, entries }))
}

/// Calls `entry` with each definition's line and then checks that these are the lines that were written.
fn scan(
    folder: &Path,
    entry: &mut dyn FnMut(&[u8]) -> Result<(), CopyError>,
) -> Result<Option<u64>, CopyError> {
    let file = match File::open(folder.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CopyError::Disk(error)),
    };
    let mut lines = Lines { file: BufReader::with_capacity(1 << 16, file), line: Vec::new() };
    let first = lines.next()?;
    let mut sum = checksum(first);
    let generation = parse_first(first)?;
    let mut count = 0;
    loop {
        let line = lines.next()?;
        if line.starts_with(b"]") {
            if line != last_line(count, sum).as_bytes() {
                return Err(CopyError::Damaged("its checksum is wrong"));
            }
            break;
        }
        if !line.ends_with(b"\n") {
            return Err(CopyError::Damaged("it ends too early"));
        }
        sum = extended(sum, line);
        entry(line)?;
        count += 1;
    }
    if !lines.next()?.is_empty() {
        return Err(CopyError::Damaged("something follows its end"));
    }
    Ok(Some(generation))
}

struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    /// The next line with its end; an empty one behind the last. One that is too long to be ours is cut off.
    fn next(&mut self) -> Result<&[u8], CopyError> {
        self.line.clear();
        let mut file = (&mut self.file).take(LINE_MAX_BYTES);
        file.read_until(b'\n', &mut self.line).map_err(|error| match error.kind() {
            ErrorKind::IsADirectory => CopyError::Damaged("it is a directory"),
            _ => CopyError::Disk(error),
        })?;
        Ok(&self.line)
    }
}

fn parse_first(line: &[u8]) -> Result<u64, CopyError> {
    let damaged = CopyError::Damaged("it does not begin as such a file does");
    let Some(line) = line.strip_suffix(b"\n") else { return Err(damaged) };
    // Completed, so that it can be read as JSON.
    let whole = [line, b"]}"].concat();
    let Ok(first) = serde_json::from_slice::<Value>(&whole) else { return Err(damaged) };
    match (first.get("leveret").and_then(Value::as_u64), first.get("generation").and_then(Value::as_u64)) {
        (Some(FORMAT), Some(generation)) => Ok(generation),
        _ => Err(damaged),
    }
}

fn parse_entry(line: &[u8]) -> Result<(Vec<u8>, Vec<u8>), CopyError> {
    let damaged = || CopyError::Damaged("a line of it is malformed");
    let line = line.strip_suffix(b"\n").ok_or_else(damaged)?;
    let entry: Value =
        serde_json::from_slice(line.strip_suffix(b",").unwrap_or(line)).map_err(|_| damaged())?;
    let bytes = |name| {
        let text = entry.get(name).and_then(Value::as_str).ok_or_else(damaged)?;
        STANDARD.decode(text).map_err(|_| damaged())
    };
    Ok((bytes("key")?, bytes("value")?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::store::temporary::Temporary;

    fn write(folder: &Path, generation: u64, entries: &[(&[u8], &[u8])]) {
        let mut copy = CopyWriter::create(folder, generation).unwrap();
        for (key, value) in entries {
            copy.entry(key, value).unwrap();
        }
        copy.finish().unwrap();
    }

    const ENTRIES: [(&[u8], &[u8]); 3] =
        [(b"\x01/\0\x01", b"\x01"), (b"\x03/\0\x01q\0\x01", b"\x01\x01\0\0\0\0"), (b"\xc8later", b"")];

    #[test]
    fn a_copy_is_read_as_it_was_written_and_only_its_owner_may() {
        let folder = Temporary::new();
        assert_eq!(read(folder.path()).unwrap(), None);
        for (round, entries) in [&ENTRIES[..], &[], &ENTRIES[..1]].into_iter().enumerate() {
            write(folder.path(), round as u64, entries);
            let copied = read(folder.path()).unwrap().unwrap();
            let expected: Vec<_> =
                entries.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
            assert_eq!(copied, Copied { generation: round as u64, entries: expected });
            assert_eq!(check(folder.path()).unwrap(), Some(round as u64));
        }
        let path = folder.path().join(NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(json.get("count"), Some(&json!(1)));
    }

    #[test]
    fn any_flipped_bit_and_any_cut_of_a_copy_is_found() {
        let folder = Temporary::new();
        write(folder.path(), 7, &ENTRIES);
        let path = folder.path().join(NAME);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                fs::write(&path, &bad).unwrap();
                assert!(matches!(check(folder.path()), Err(CopyError::Damaged(_))), "bit {bit} of {at}");
                assert!(matches!(read(folder.path()), Err(CopyError::Damaged(_))), "bit {bit} of {at}");
            }
            fs::write(&path, &good[..at]).unwrap();
            assert!(matches!(check(folder.path()), Err(CopyError::Damaged(_))), "cut at {at}");
        }
        fs::write(&path, [&good[..], b"{}\n"].concat()).unwrap();
        assert!(matches!(read(folder.path()), Err(CopyError::Damaged(_))));
    }

    #[test]
    fn of_a_copy_that_became_long_no_more_is_read_into_memory_than_a_line_may_have() {
        let folder = Temporary::new();
        write(folder.path(), 7, &ENTRIES);
        let path = folder.path().join(NAME);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(8 << 30).unwrap();
        assert!(matches!(check(folder.path()), Err(CopyError::Damaged("something follows its end"))));
        fs::write(&path, "").unwrap();
        file.set_len(100 << 20).unwrap();
        let mut lines = Lines { file: BufReader::new(File::open(path).unwrap()), line: Vec::new() };
        assert_eq!(lines.next().unwrap().len(), 32 << 20);
        assert!(matches!(check(folder.path()), Err(CopyError::Damaged(_))));
    }

    #[test]
    fn a_copy_that_was_not_finished_changes_nothing() {
        let folder = Temporary::new();
        write(folder.path(), 1, &ENTRIES);
        let mut unfinished = CopyWriter::create(folder.path(), 2).unwrap();
        unfinished.entry(b"\x01x", b"").unwrap();
        drop(unfinished);
        assert_eq!(read(folder.path()).unwrap().unwrap().generation, 1);
        write(folder.path(), 3, &[]);
        assert_eq!(read(folder.path()).unwrap().unwrap().generation, 3);
    }
}
