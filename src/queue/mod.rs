//! The `queue` module.
