//! Why a policy or a parameter is refused.

use std::fmt;

/// What is wrong with a policy or a parameter, in RabbitMQ's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(Vec<String>);

impl Invalid {
    /// For these reasons.
    pub(super) fn of(reasons: impl IntoIterator<Item = String>) -> Self {
        Self(reasons.into_iter().collect())
    }

    /// Each of the reasons.
    pub fn reasons(&self) -> &[String] {
        &self.0
    }
}

/// The whole text, as RabbitMQ's tools and its HTTP API print it.
impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Validation failed\n\n")?;
        for reason in &self.0 {
            writeln!(f, "{reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
