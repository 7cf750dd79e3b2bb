//! Sockets: listening, admitting, and the threads that serve connections. Knows nothing of AMQP.

mod admission;
mod descriptors;
mod inherited;
mod keepalive;
mod listener;
mod workers;

pub use admission::{Admission, Permit};
pub use descriptors::{max_connections, open_segments, raise_descriptor_limit};
pub use inherited::inherited_listeners;
pub use keepalive::{is_hung_up, watch_without_heartbeats};
pub use listener::{Accepted, Bound, Listener};
pub use workers::Workers;
