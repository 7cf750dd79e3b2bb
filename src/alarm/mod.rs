//! The `alarm` module.
