//! Everything on the disk: the data directory, the journal, the segments, the definitions.
//!
//! The store knows queues by [`stored::Stored`] only, and messages as bytes.

pub mod budget;
#[cfg(test)]
pub(crate) mod by_hand;
pub mod by_id;
pub mod checkpoint;
pub mod checksum;
pub mod definitions;
pub mod directory;
pub mod disk;
pub mod ends;
pub mod handle;
pub mod held_loads;
pub mod host_disk;
pub mod journal;
mod loader;
#[cfg(test)]
mod model_queue;
pub mod op;
pub mod open;
pub mod open_files;
pub mod original;
mod pager;
pub mod positions;
pub mod recovery;
pub mod refill;
#[cfg(test)]
mod replayed;
mod reserve;
pub mod restore;
#[cfg(test)]
mod rig;
pub mod segment;
pub mod segment_store;
pub mod segments;
#[cfg(test)]
pub mod simulated;
mod spell;
pub mod stored;
pub mod stored_queues;
#[cfg(test)]
pub(crate) mod temporary;
pub mod unit;
pub mod work_queue;

pub use budget::Budget;
pub use directory::{DataDirectory, DirectoryError};
pub use handle::{Blocked, Paged, StoreHandle};
pub use host_disk::HostDisk;
pub use journal::Journal;
pub use open::{OpenError, Opening, Store};
pub use positions::PositionSet;
pub use refill::Refill;
pub use segment_store::{SegmentLimits, SegmentStore};
pub use unit::Unit;
