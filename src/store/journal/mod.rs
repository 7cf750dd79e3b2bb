//! The journal: one log for all queues and definitions, synced by group commit.
//!
//! The folder `journal/` holds its files. Which is which, its header says, not its name; a file that is being prepared
//! has a name that ends with `.new` until its length is on the disk, so that any other file too short for a header is
//! known to be damaged.

pub mod batch;
