//! Alarms: how much memory is live, and how much there may be.

mod granted;
pub mod heap;

pub use granted::granted_memory;
