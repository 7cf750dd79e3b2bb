//! The `connection` module.
