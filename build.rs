//! Tells the program which commit it is built from: `LEVERET_COMMIT` where that is set (a hash, and a date if there is
//! one), else the commit of this checkout. Without either (a tarball, a published crate, an image) nothing is told, and
//! that is no error. The time of the build is never told: the same commit gives the same bytes.

#![allow(clippy::print_stdout, reason = "that is how Cargo is spoken to")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// As many digits of a hash as tell commits apart for good.
const DIGITS: usize = 9;

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LEVERET_COMMIT");
    let said = std::env::var("LEVERET_COMMIT").unwrap_or_default();
    let commit = match said.trim() {
        "" => of_checkout(Path::new(env!("CARGO_MANIFEST_DIR"))),
        said => Some(shown(said).ok_or_else(|| {
            format!(
                "LEVERET_COMMIT is '{said}': a commit is a hash, and a date such as 2026-11-23 may follow"
            )
        })?),
    };
    println!("cargo::rustc-env=LEVERET_BUILT_FROM={}", commit.unwrap_or_default());
    Ok(())
}

/// The commit of the repository whose root this is, and what to look at to notice another one.
fn of_checkout(root: &Path) -> Option<String> {
    // A sub-folder of another repository, as below its target/package, is none of its commits.
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    watch(root);
    shown(&git(root, &["show", "--no-patch", "--no-show-signature", "--format=%H %cs", "HEAD"])?)
}

/// Has this script run again when HEAD is another commit. The log of HEAD gains a line with every step of it; where none is
/// kept, its reference is one of several files.
fn watch(root: &Path) {
    let existing = |name: &str| {
        let path = root.join(git(root, &["rev-parse", "--git-path", name])?);
        path.exists().then_some(path)
    };
    let log = existing("logs/HEAD");
    let files =
        log.map_or_else(|| ["HEAD", "refs", "packed-refs"].map(existing).to_vec(), |log| vec![Some(log)]);
    for file in files.into_iter().flatten() {
        println!("cargo::rerun-if-changed={}", file.display());
    }
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    // A hook of another repository may have said which one git is to look at.
    command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    let output = command.arg("-C").arg(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// `abcdef123 2026-11-23` of a hash of 7 digits or more and a date, or of the hash alone.
fn shown(commit: &str) -> Option<String> {
    let (hash, date) = commit.split_once(' ').map_or((commit, None), |(hash, date)| (hash, Some(date)));
    let is_hash = hash.len() >= 7 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
    let is_date = |date: &str| {
        date.len() == 10
            && date.bytes().enumerate().all(|(at, letter)| match at {
                4 | 7 => letter == b'-',
                _ => letter.is_ascii_digit(),
            })
    };
    if !is_hash || !date.is_none_or(is_date) {
        return None;
    }
    let hash = hash.get(..DIGITS).unwrap_or(hash).to_ascii_lowercase();
    Some(date.map_or_else(|| hash.clone(), |date| format!("{hash} {date}")))
}
