//! Alarms: how much memory is live, and how much there may be.

mod granted;
pub mod heap;
mod memory;

pub use granted::granted_memory;
pub use memory::MemoryAlarm;
