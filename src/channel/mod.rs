//! The `channel` module.
