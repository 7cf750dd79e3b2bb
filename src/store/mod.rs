//! Everything on the disk: the data directory, the journal, the segments, the definitions.
//!
//! The store knows queues by [`stored::Stored`] only, and messages as bytes.

pub mod budget;
pub mod checksum;
pub mod definitions;
pub mod directory;
pub mod disk;
pub mod handle;
pub mod host_disk;
pub mod journal;
pub mod op;
pub mod positions;
pub mod segment;
#[cfg(test)]
pub mod simulated;
pub mod stored;
#[cfg(test)]
pub(crate) mod temporary;
pub mod unit;
pub mod work_queue;

pub use budget::Budget;
pub use directory::{DataDirectory, DirectoryError};
pub use handle::{Blocked, StoreHandle};
pub use host_disk::HostDisk;
pub use journal::Journal;
pub use positions::PositionSet;
pub use unit::Unit;
