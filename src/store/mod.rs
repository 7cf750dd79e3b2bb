//! What survives the broker: the data directory.

mod directory;

pub use directory::{DataDirectory, DirectoryError};
