//! Who tried to log in, by what was spoken.

use super::family::{Group, Row, counter};
use super::scrape::Subject;
use super::text::Labels;
use crate::access::{LoginProtocol, Tried};

/// Attempts by one protocol.
pub(super) struct AttemptsRow {
    protocol: LoginProtocol,
    tried: Tried,
}

impl Row for AttemptsRow {
    fn label(&self, labels: &mut Labels<'_>) {
        labels.put("protocol", self.protocol.as_str());
    }
}

impl AttemptsRow {
    pub(super) fn look(subject: &Subject) -> Vec<Self> {
        let attempts = subject.site.environment.access.attempts();
        LoginProtocol::ALL.map(|protocol| Self { protocol, tried: attempts.over(protocol) }).into()
    }
}

pub(super) static METRICS: Group<AttemptsRow> = Group {
    name: "auth_attempt_metrics",
    families: &[
        counter("auth_attempts_total", "Total number of authentication attempts", |row: &AttemptsRow| {
            Some((row.tried.succeeded + row.tried.failed).into())
        }),
        counter(
            "auth_attempts_succeeded_total",
            "Total number of successful authentication attempts",
            |row: &AttemptsRow| Some(row.tried.succeeded.into()),
        ),
        counter(
            "auth_attempts_failed_total",
            "Total number of failed authentication attempts",
            |row: &AttemptsRow| Some(row.tried.failed.into()),
        ),
    ],
};
