//! Everything on the disk: the data directory, the journal, the segments, the definitions.
//!
//! The store knows queues by [`stored::Stored`] only, and messages as bytes.

pub mod checksum;
pub mod directory;
pub mod disk;
pub mod journal;
pub mod op;
pub mod positions;
pub mod segment;
pub mod stored;

pub use directory::{DataDirectory, DirectoryError};
pub use positions::PositionSet;
