//! The `metrics` module.
