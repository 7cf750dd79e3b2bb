//! Alarms: how much memory is used and how much of the disk is free, and how much there should be.

mod alarms;
mod disk;
mod granted;
pub mod heap;
mod limit;
mod memory;
mod process;
mod raised;

pub use alarms::Alarms;
pub use disk::{DiskAlarm, DiskMeter, FileSystemOf};
pub use granted::granted_memory;
pub use limit::SetBy;
pub use memory::MemoryAlarm;
pub use process::{MemoryMeter, ProcessMemory};
pub use raised::Raised;
