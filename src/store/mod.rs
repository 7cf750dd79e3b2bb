//! Everything on the disk: the data directory, the journal, the segments, the definitions.
//!
//! The store knows queues by [`stored::Stored`] only, and messages as bytes.

pub mod budget;
pub mod checksum;
pub mod definitions;
pub mod directory;
pub mod disk;
pub mod handle;
pub mod journal;
pub mod op;
pub mod positions;
pub mod segment;
#[cfg(test)]
pub mod simulated;
pub mod stored;
#[cfg(test)]
mod temporary;
pub mod work_queue;

pub use budget::Budget;
pub use directory::{DataDirectory, DirectoryError};
pub use handle::{Blocked, StoreHandle};
pub use positions::PositionSet;
