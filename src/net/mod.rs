//! The `net` module.
