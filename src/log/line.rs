//! One event as one line.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::config::{LogFormat, LogLevel};

/// An event, ready to be written.
pub(super) struct Line {
    level: &'static str,
    fields: Fields,
}

impl Line {
    /// What an event says; `left_out` lines like it were not written before it.
    pub(super) fn new(event: &Event<'_>, left_out: u64) -> Self {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if left_out > 0 {
            fields.others.push(("left_out", format!("{left_out} lines like this")));
        }
        Self { level: level(*event.metadata().level()).as_str(), fields }
    }

    /// `TIMESTAMP [level] message key=value`, or the same as a JSON object.
    pub(super) fn written(&self, format: LogFormat, time: &impl fmt::Display) -> Vec<u8> {
        let mut text = String::new();
        // A string takes all that is written to it.
        let _ = match format {
            LogFormat::Human => human(&mut text, time, self.level, &self.fields),
            LogFormat::Json => json(&mut text, time, self.level, &self.fields),
        };
        text.into_bytes()
    }
}

/// The level of an event, in the configuration's words.
pub(super) fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Info,
        Level::DEBUG | Level::TRACE => LogLevel::Debug,
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.others.push((field.name(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn human(out: &mut impl Write, time: &impl fmt::Display, level: &str, fields: &Fields) -> fmt::Result {
    write!(out, "{time} [{level}] ")?;
    escape_control(out, &fields.message)?;
    for (name, value) in &fields.others {
        write!(out, " {name}=")?;
        escape_control(out, value)?;
    }
    out.write_char('\n')
}

/// Control characters (a terminal's escape sequences, line breaks) and the marks that turn the direction of writing
/// are shown as `\u{..}`.
fn escape_control(out: &mut impl Write, text: &str) -> fmt::Result {
    for c in text.chars() {
        if c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
        {
            write!(out, "\\u{{{:x}}}", u32::from(c))?;
        } else {
            out.write_char(c)?;
        }
    }
    Ok(())
}

fn json(out: &mut impl Write, time: &impl fmt::Display, level: &str, fields: &Fields) -> fmt::Result {
    write!(out, "{{\"time\":\"{time}\",\"level\":\"{level}\",\"msg\":")?;
    json_string(out, &fields.message)?;
    for (name, value) in &fields.others {
        write!(out, ",\"{name}\":")?;
        json_string(out, value)?;
    }
    out.write_str("}\n")
}

fn json_string(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(message: &str, others: &[(&'static str, &str)]) -> (String, String) {
        let others = others.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let fields = Fields { message: message.to_owned(), others };
        let (mut text, mut object) = (String::new(), String::new());
        human(&mut text, &"T", "info", &fields).unwrap();
        json(&mut object, &"T", "info", &fields).unwrap();
        (text, object)
    }

    #[test]
    fn a_line_is_time_level_and_text() {
        let (text, object) = lines("user 'x' authenticated", &[("peer", "127.0.0.1:9")]);
        assert_eq!(text, "T [info] user 'x' authenticated peer=127.0.0.1:9\n");
        assert_eq!(
            object,
            "{\"time\":\"T\",\"level\":\"info\",\"msg\":\"user 'x' authenticated\",\"peer\":\"127.0.0.1:9\"}\n"
        );
    }

    #[test]
    fn b84_what_a_client_sent_cannot_forge_a_line_or_drive_a_terminal() {
        let (text, object) = lines("queue 'a\n[error] \u{1b}[2J\u{202e}\"\\'", &[("q", "\r\n")]);
        assert_eq!(text, "T [info] queue 'a\\u{a}[error] \\u{1b}[2J\\u{202e}\"\\' q=\\u{d}\\u{a}\n");
        assert_eq!(
            object,
            "{\"time\":\"T\",\"level\":\"info\",\"msg\":\"queue 'a\\u000a[error] \\u001b[2J\u{202e}\\\"\\\\'\",\"q\":\"\\u000d\\u000a\"}\n"
        );
    }
}
