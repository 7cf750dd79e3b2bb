//! Which Leveret this is. Which RabbitMQ it is like is `connection::capabilities`' business.

use std::sync::LazyLock;

/// The version, as packages are compared by.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The commit that this was built from and its date, where they are known: `abcdef123 2026-11-23`.
pub const COMMIT: Option<&str> = if BUILT_FROM.is_empty() { None } else { Some(BUILT_FROM) };

const BUILT_FROM: &str = env!("LEVERET_BUILT_FROM");

/// Both: what `--version` says.
pub static TEXT: LazyLock<String> = LazyLock::new(|| text(NUMBER, COMMIT));

/// A version with its commit, as people read it: `0.1.0 (abcdef123 2026-11-23)`.
pub fn text(number: &str, commit: Option<&str>) -> String {
    commit.map_or_else(|| number.to_owned(), |commit| format!("{number} ({commit})"))
}
