//! What changes when everything is read again.

use std::fmt;

use super::Config;
use super::key::{Key, Reload};
use super::keys::keys;
use super::shown::Shown;

/// A key whose value is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub key: &'static str,
    /// What held before.
    pub from: Shown,
    /// What was read.
    pub to: Shown,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (from {} to {})", self.key, self.from, self.to)
    }
}

/// The keys that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that take effect.
    pub now: Vec<Change>,
    /// Those that need a restart.
    pub after_restart: Vec<Change>,
}

impl Config {
    /// The configuration that holds once `read` was read in a running broker: what needs a restart stays. Tells the
    /// differences.
    pub fn reloaded(&self, read: &Self) -> (Self, Changes) {
        let mut config = self.clone();
        let mut changes = Changes::default();
        for key in keys().filter(|key| !key.field.is_same(self, read)) {
            let change = self.change(key, read);
            if key.reload == Reload::Restart {
                changes.after_restart.push(change);
            } else {
                key.field.copy(read, &mut config);
                changes.now.push(change);
            }
        }
        (config, changes)
    }

    fn change(&self, key: &Key, read: &Self) -> Change {
        Change { key: key.name, from: key.shown(self), to: key.shown(read) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogLevel;

    #[test]
    fn what_can_be_changed_is_and_what_cannot_is_told() {
        let running = Config::default();
        let mut read = Config { heartbeat: 5, data_dir: "elsewhere".into(), ..Config::default() };
        read.log.connection = Some(LogLevel::Debug);
        let (config, changes) = running.reloaded(&read);
        let told = |changes: &[Change]| changes.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            told(&changes.now),
            ["heartbeat (from 60 to 5)", "log.connection.level (from (not set) to debug)"]
        );
        assert_eq!(told(&changes.after_restart), ["data_dir (from leveret-data to elsewhere)"]);
        assert_eq!(config, Config { data_dir: running.data_dir.clone(), ..read.clone() });
        assert_eq!(config.reloaded(&read).1.now, []);
        assert_eq!(running.reloaded(&running), (running.clone(), Changes::default()));
    }
}
