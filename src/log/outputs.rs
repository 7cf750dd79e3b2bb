//! Where lines are written to: standard output, a file, both or neither.

use std::io;
use std::sync::{PoisonError, RwLock};

use super::file::LogFile;
use super::journal;
use super::line::Line;
use super::timestamp::Timestamp;
use super::writer::Lines;
use crate::config::{LogConfig, LogFormat, LogLevel};

/// The outputs of the log.
pub(super) struct Outputs(RwLock<Vec<Output>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Console,
    File,
}

struct Output {
    place: Place,
    level: LogLevel,
    format: LogFormat,
    /// Whether it is systemd's journal.
    is_journal: bool,
    lines: Lines,
}

impl Outputs {
    /// Those of a configuration.
    pub(super) fn start(config: &LogConfig) -> io::Result<Self> {
        let outputs = Self(RwLock::default());
        outputs.apply(config)?;
        Ok(outputs)
    }

    /// Makes them those of another configuration. The threads of places that stay go on, so that no line is lost or
    /// overtaken.
    pub(super) fn apply(&self, config: &LogConfig) -> io::Result<()> {
        // First what may fail.
        let file = config.file_path().map(|path| {
            LogFile::open(&path, &config.file).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("the log file {} cannot be opened: {error}", path.display()),
                )
            })
        });
        let file = file.transpose()?;
        let mut outputs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let running =
            |place| outputs.iter().find(|output| output.place == place).map(|output| output.lines.clone());
        let mut applied = Vec::new();
        if config.console.enabled {
            let lines = running(Place::Console).map_or_else(|| Lines::start(Box::new(io::stdout())), Ok)?;
            applied.push(Output {
                place: Place::Console,
                level: config.console.level.unwrap_or(LogLevel::Debug),
                format: config.console.format.unwrap_or(config.format),
                is_journal: journal::is_stdout(),
                lines,
            });
        }
        if let Some(file) = file {
            let lines = match running(Place::File) {
                Some(lines) => {
                    lines.replace(Box::new(file))?;
                    lines
                }
                None => Lines::start(Box::new(file))?,
            };
            applied.push(Output {
                place: Place::File,
                level: config.file.level.unwrap_or(LogLevel::Debug),
                format: config.file.format.unwrap_or(config.format),
                is_journal: false,
                lines,
            });
        }
        *outputs = applied;
        Ok(())
    }

    /// Writes a line wherever lines of its level are wanted.
    pub(super) fn write(&self, level: LogLevel, line: &Line, time: Timestamp) {
        let outputs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for output in outputs.iter().filter(|output| level >= output.level) {
            let mut written = line.written(output.format, &time);
            if output.is_journal {
                written.splice(..0, journal::prefix(level).bytes());
            }
            output.lines.write(written);
        }
    }

    /// Waits a moment until all lines are written.
    pub(super) fn flush(&self) {
        let outputs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<Lines> = outputs.iter().map(|output| output.lines.clone()).collect();
        // Who changes the outputs meanwhile does not wait, nor who logs behind him.
        drop(outputs);
        all.iter().for_each(Lines::flush);
    }
}
