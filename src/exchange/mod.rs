//! The `exchange` module.
