//! The `vhost` module.
