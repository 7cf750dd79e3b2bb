//! Where the socket of a broker on this machine may be.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::net::socket_path;

/// Where a broker of the system has its data: one that was told so, and one that systemd runs as the package has it.
const OF_SYSTEM: [&str; 2] = ["/var/lib/leveret", "/var/lib/leveret/leveret-data"];

/// The socket of the broker that uses a data directory.
pub(super) fn in_data_dir(dir: &Path) -> PathBuf {
    socket_path(dir)
}

/// The sockets to try, the likeliest first. `said` is the directory that a variable names.
pub(super) fn candidates(said: Option<PathBuf>) -> Vec<PathBuf> {
    if let Some(dir) = said {
        return vec![in_data_dir(&dir)];
    }
    let here = Config::default().data_dir;
    std::iter::once(here.as_path()).chain(OF_SYSTEM.map(Path::new)).map(in_data_dir).collect()
}
