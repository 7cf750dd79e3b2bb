//! What messages are called that wait for a time.

use std::fmt;
use std::str::FromStr;

use crate::place::Position;
use crate::time::Time;

/// Which of a queue's waiting messages: when it is due, and its place. Written `<milliseconds since the epoch>-<place>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduledId {
    /// When it is due.
    pub due: Time,
    /// Its place in its queue: among those that are due at the same time the first goes first.
    pub position: Position,
}

impl fmt::Display for ScheduledId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.due.as_millis(), self.position.0)
    }
}

/// A text that names no waiting message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoScheduledId;

impl fmt::Display for NoScheduledId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the id of a scheduled message: two numbers with a '-' between them")
    }
}

impl std::error::Error for NoScheduledId {}

impl FromStr for ScheduledId {
    type Err = NoScheduledId;

    fn from_str(text: &str) -> Result<Self, NoScheduledId> {
        let (due, position) = text.split_once('-').ok_or(NoScheduledId)?;
        let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number(due) || !is_number(position) {
            return Err(NoScheduledId);
        }
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| NoScheduledId);
        Ok(Self { due: Time::from_millis(number(due)?), position: Position(number(position)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(due: u64, position: u64) -> ScheduledId {
        ScheduledId { due: Time::from_millis(due), position: Position(position) }
    }

    #[test]
    fn an_id_is_read_from_what_it_prints_and_from_nothing_else() {
        for id in [id(0, 0), id(1_700_000_000_000, 42), id(u64::MAX, u64::MAX)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for wrong in ["", "5", "5-", "-5", "5-+5", "5-5-5", "a-5", "18446744073709551616-0", " 5-5"] {
            assert_eq!(wrong.parse::<ScheduledId>(), Err(NoScheduledId), "{wrong}");
        }
    }
}
