//! What the integration tests share: a broker of their own to talk to, and a client that sends bytes as they are.
//!
//! Each test binary includes this folder as a module. Nothing here waits for a length of time: everything
//! waits for a line, a frame or the end of the connection, and gives up at a deadline.

#![allow(dead_code, reason = "no test binary uses all of it")]
#![allow(unused_imports, reason = "no test binary uses all of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when something is not as it must be"
)]

mod broker;
mod directory;
mod expect;
pub(crate) mod frame;
pub(crate) mod method;
mod payload;
pub(crate) mod raw;
mod waited;

pub(crate) use broker::{Broker, Ended, Starting};
pub(crate) use directory::{TempDir, copy_folder};
pub(crate) use payload::{Payload, Properties, Table};
pub(crate) use raw::{Message, Raw, Received};
pub(crate) use waited::assert_waited;
