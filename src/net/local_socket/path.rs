//! Where the socket of a broker is: what the broker and those who look for it agree on.

use std::fmt::Write;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Its name in the data directory.
const NAME: &str = "leveret.sock";
/// The longest path of a Unix socket on Linux, in bytes: 108 with the zero at its end.
const PATH_MAX_BYTES: usize = 107;
/// Where a broker as root, or one that a service manager has made a directory for, puts what is there while it runs.
const SYSTEM_DIRECTORY: &str = "/run/leveret";
/// Says which directory the service manager has made.
const RUNTIME_DIRECTORY: &str = "RUNTIME_DIRECTORY";

/// Where to reach the broker with this data directory, or where it would be: `leveret.sock` in the directory, unless that is too
/// long or there is none and there is one where a broker puts it that keeps nothing. Sockets of users other than this one, the
/// directory's owner and root are passed over there.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    let inside = socket_path_inside(data_dir);
    if let Some(inside) = &inside
        && inside.exists()
    {
        return inside.clone();
    }
    let data_dir = absolute(data_dir);
    let user = rustix::process::geteuid().as_raw();
    let owner = fs::metadata(&data_dir).map_or(user, |found| found.uid());
    let name = name_of(&data_dir);
    let directories = [runtime_directory(user), runtime_directory(owner), PathBuf::from(SYSTEM_DIRECTORY)];
    let found = directories.into_iter().map(|directory| directory.join(&name)).find(|path| {
        fs::symlink_metadata(path)
            .is_ok_and(|found| found.file_type().is_socket() && [0, user, owner].contains(&found.uid()))
    });
    found.or(inside).unwrap_or_else(|| runtime_directory(user).join(name))
}

/// Where a broker makes its socket in its data directory; nothing where its path would be too long.
pub fn socket_path_inside(data_dir: &Path) -> Option<PathBuf> {
    let inside = absolute(data_dir).join(NAME);
    path_fits(&inside).then_some(inside)
}

/// Where a broker makes its socket that cannot make it in its data directory.
pub fn runtime_socket_path(data_dir: &Path) -> PathBuf {
    let given = std::env::var_os(RUNTIME_DIRECTORY).filter(|given| !given.is_empty());
    let directory = match &given {
        // Several have colons between them.
        Some(given) => {
            let first = given.as_bytes().split(|octet| *octet == b':').next().unwrap_or_default();
            PathBuf::from(std::ffi::OsStr::from_bytes(first))
        }
        None => runtime_directory(rustix::process::geteuid().as_raw()),
    };
    directory.join(name_of(&absolute(data_dir)))
}

/// Whether a socket can have that path.
fn path_fits(path: &Path) -> bool {
    path.as_os_str().as_bytes().len() <= PATH_MAX_BYTES
}

/// The directory of a user for what is there while it runs. Made of nothing that differs between the environments of
/// programs.
fn runtime_directory(user: u32) -> PathBuf {
    if user == 0 {
        return PathBuf::from(SYSTEM_DIRECTORY);
    }
    let of_session = PathBuf::from(format!("/run/user/{user}"));
    if of_session.is_dir() {
        of_session.join("leveret")
    } else {
        PathBuf::from(format!("/tmp/leveret-{user}"))
    }
}

/// A name of its own for each data directory.
fn name_of(data_dir: &Path) -> String {
    let digest = Sha256::digest(data_dir.as_os_str().as_bytes());
    let mut name = String::new();
    for octet in digest.iter().take(8) {
        // A string takes all that is written to it.
        let _ = write!(name, "{octet:02x}");
    }
    name + ".sock"
}

/// The same path wherever it is asked for, without links as far as it exists.
fn absolute(path: &Path) -> PathBuf {
    let whole = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    // Without a slash at its end.
    whole.unwrap_or_else(|_| path.to_owned()).components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_in_the_data_directory_unless_its_path_would_be_too_long() {
        let short = Path::new("/nowhere/leveret-data");
        assert_eq!(socket_path(short), short.join("leveret.sock"));
        let fitting = PathBuf::from(format!("/{}", "x".repeat(PATH_MAX_BYTES - "//leveret.sock".len())));
        assert_eq!(socket_path(&fitting), fitting.join("leveret.sock"));
        let long = PathBuf::from(format!("{}x", fitting.display()));
        let found = socket_path(&long);
        assert!(!found.starts_with(&long), "{found:?}");
        assert!(path_fits(&found), "{found:?}");
        assert_ne!(found, socket_path(&long.join("other")));
        assert_eq!(found, socket_path(&long.join("")), "a slash at the end names the same directory");
    }

    #[test]
    fn relative_paths_and_whole_ones_name_the_same_broker() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(runtime_socket_path(Path::new("data")), runtime_socket_path(&here.join("data")));
        assert_eq!(socket_path(Path::new("./data")), here.join("data/leveret.sock"));
    }
}
