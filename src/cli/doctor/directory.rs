//! The data directory and the disk that it is on.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::{Finding, size};
use crate::alarm::granted_memory;
use crate::config::Config;
use crate::store::directory::FORMAT;

/// A broker needs files of 64 MiB for its journal, and room for what it keeps.
const COMFORTABLE_BYTES: u64 = 2 << 30;

pub(super) fn look(config: &Config, is_running: bool) -> Vec<Finding> {
    if config.in_memory {
        return vec![Finding::warning(
            "data directory",
            "in_memory is set: nothing is kept",
            "Without it, what is durable outlives a restart.",
        )];
    }
    let dir = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    let mut findings = vec![directory(&dir, is_running)];
    findings.extend(quarantine(&dir));
    findings.push(disk(config, &dir));
    findings
}

fn directory(dir: &Path, is_running: bool) -> Finding {
    let check = "data directory";
    let shown = dir.display();
    let metadata = match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            return Finding::failed(
                check,
                format!("{shown} is no directory"),
                "Name another: --data-dir DIR.",
            );
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return to_be_made(dir),
        Err(error) => {
            let advice = "Let the broker's user enter the folders above it.";
            return Finding::failed(check, format!("{shown}: {error}"), advice);
        }
    };
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user && user != 0 {
        let found = format!("{shown} belongs to user {}, and this is user {user}", metadata.uid());
        let advice = "The broker has to run as its owner; run this as that user to see more.";
        return Finding::warning(check, found, advice);
    }
    if access(dir, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let advice = "Give its owner all rights, and mount its file system to be written.";
        return Finding::failed(check, format!("{shown} cannot be written"), advice);
    }
    let format = match fs::read_to_string(dir.join("format")) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return without_format(dir),
        Err(error) => {
            return Finding::failed(check, format!("{shown}/format: {error}"), "Let its owner read it.");
        }
    };
    let version: Option<u32> = format.split_whitespace().last().and_then(|word| word.parse().ok());
    if version != Some(FORMAT) {
        let found = format!("{shown} is of another version ({})", format.trim());
        let advice = "Use the version of leveret that wrote it, or one that reads it.";
        return Finding::failed(check, found, advice);
    }
    if metadata.mode() & 0o077 != 0 {
        let found = format!("{shown} is open to other users (mode {:o})", metadata.mode() & 0o777);
        return Finding::warning(check, found, format!("chmod 700 {shown}"));
    }
    let state = if is_running { "in use by a running broker" } else { "not in use" };
    Finding::well(check, format!("{shown}, {state}"))
}

/// It is empty, or somebody else's.
fn without_format(dir: &Path) -> Finding {
    let (check, shown) = ("data directory", dir.display());
    match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Finding::well(check, format!("{shown} is empty")),
        _ => Finding::failed(
            check,
            format!("{shown} holds something that is no broker's"),
            "Name another directory: the broker uses none that it has not made.",
        ),
    }
}

/// The broker makes it, if it may.
fn to_be_made(dir: &Path) -> Finding {
    let check = "data directory";
    let above = dir.ancestors().skip(1).find(|above| above.exists()).unwrap_or(Path::new("/"));
    if access(above, Access::WRITE_OK | Access::EXEC_OK).is_ok() {
        return Finding::well(check, format!("{} will be made", dir.display()));
    }
    Finding::failed(
        check,
        format!("{} is not there, and {} may not be written", dir.display(), above.display()),
        "Make it for the broker's user, or name another: --data-dir DIR.",
    )
}

/// What was found damaged is set aside there.
fn quarantine(dir: &Path) -> Option<Finding> {
    let count = fs::read_dir(dir.join("quarantine")).ok()?.count();
    let found = format!("{count} damaged files were set aside in {}", dir.join("quarantine").display());
    let advice = "The log of that start says what was lost. Check the disk; remove them when nobody needs them any more.";
    (count > 0).then(|| Finding::warning("damage", found, advice))
}

fn disk(config: &Config, dir: &Path) -> Finding {
    let check = "disk";
    let there = dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let found = match statvfs(there) {
        Ok(found) => found,
        Err(error) => {
            return Finding::warning(
                check,
                format!("{}: {error}", there.display()),
                "Check its file system.",
            );
        }
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let limit = config.disk_free_limit.bytes(granted_memory(config.total_memory));
    let told = format!("{} free, publishers are blocked below {}", size(free), size(limit));
    if free <= limit {
        return Finding::failed(check, told, "Free some space, or lower disk_free_limit.");
    }
    if free < limit.saturating_add(COMFORTABLE_BYTES) {
        return Finding::warning(check, told, "That is soon used up: give it more space.");
    }
    Finding::well(check, told)
}
