//! Where the socket of a broker on this machine may be.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::net::socket_path;

/// The data directory of a broker that a package has installed.
const OF_SYSTEM: &str = "/var/lib/leveret";

/// The socket of the broker that uses a data directory.
pub(super) fn in_data_dir(dir: &Path) -> PathBuf {
    socket_path(dir)
}

/// The sockets to try, the likeliest first. `said` is the directory that a variable names.
pub(super) fn candidates(said: Option<PathBuf>) -> Vec<PathBuf> {
    match said {
        Some(dir) => vec![in_data_dir(&dir)],
        None => vec![in_data_dir(&Config::default().data_dir), in_data_dir(Path::new(OF_SYSTEM))],
    }
}
