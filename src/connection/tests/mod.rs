//! Connections from their first frame on, without a socket: their end in the midst of work, and what waits for the disk.

mod alarms;
mod client;

mod duplicates;
mod durability;
mod held_disk;
mod paging;
mod panics;
mod recovered;
mod transactions;
