//! What is logged and how a line looks.

/// The least severe events that are logged, in RabbitMQ's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What an operator wants to know: the default.
    Info,
    /// What may need attention.
    Warning,
    /// What needs it.
    Error,
    /// Nothing.
    None,
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-11-23 10:44:33.654012+00:00 [info] text`, as RabbitMQ writes it.
    Human,
    /// One JSON object a line, with `time`, `level` and `msg`.
    Json,
}
