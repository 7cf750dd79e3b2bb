//! What the broker's process costs: processor time and resident memory, read from Linux' `/proc`.

use std::fs;
use std::io;

/// A process and its descendants at the time they were first looked at.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    children: Vec<u32>,
    ticks_per_second: u64,
}

/// One look at a process: what all its threads and its children's have used since they started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// Processor time in kernel ticks; see [`Process::seconds`].
    ticks: u64,
    /// Resident memory in bytes.
    pub(super) rss_bytes: u64,
}

impl Process {
    /// Finds process `pid` and its descendants.
    pub(super) fn attach(pid: u32) -> io::Result<Self> {
        stat(pid).map_err(|error| io::Error::new(error.kind(), format!("process {pid}: {error}")))?;
        let ticks_per_second = rustix::param::clock_ticks_per_second();
        Ok(Self { pid, children: descendants(pid)?, ticks_per_second })
    }

    /// Looks at the process now. Children that have ended are counted by their parent.
    pub(super) fn usage(&self) -> io::Result<Usage> {
        let own = stat(self.pid)?;
        let mut usage =
            Usage { ticks: own.ticks + own.reaped_ticks, rss_bytes: rss_bytes(self.pid).unwrap_or(0) };
        for &child in &self.children {
            if let Ok(stat) = stat(child) {
                usage.ticks += stat.ticks + stat.reaped_ticks;
                usage.rss_bytes += rss_bytes(child).unwrap_or(0);
            }
        }
        Ok(usage)
    }

    /// Seconds of processor time used between two looks.
    pub(super) fn seconds(&self, from: Usage, to: Usage) -> f64 {
        #[allow(clippy::cast_precision_loss)] // ticks are hundredths of seconds
        let ratio = to.ticks.saturating_sub(from.ticks) as f64 / self.ticks_per_second.max(1) as f64;
        ratio
    }
}

struct Stat {
    parent: u32,
    ticks: u64,
    reaped_ticks: u64,
}

fn stat(pid: u32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&text).ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is not as expected")))
}

/// Fields after the name in brackets, which may itself hold spaces and brackets: see `proc_pid_stat(5)`.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The state is field 3 of the whole line and 0 here: ppid 4, utime 14, stime 15, cutime 16, cstime 17.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(4)?).ok()?,
        ticks: number(14)? + number(15)?,
        reaped_ticks: number(16)? + number(17)?,
    })
}

fn rss_bytes(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
    Ok(kibibytes.unwrap_or(0) * 1024)
}

fn descendants(root: u32) -> io::Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if let Ok(stat) = stat(pid) {
            parents.push((pid, stat.parent));
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    Ok(found.split_off(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name_of_the_program() {
        let line = "42 (a) b (c)) S 7 42 42 0 -1 4194304 1 2 3 4 100 20 3 1 20 0 9 0 500 1 2";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.parent, stat.ticks, stat.reaped_ticks), (7, 120, 4));
        assert!(parse_stat("42 (x) S 7").is_none());
    }

    #[test]
    fn the_own_process_has_memory_and_uses_time() {
        let own = Process::attach(std::process::id()).unwrap();
        let before = own.usage().unwrap();
        let mut rounds = 0_u64;
        while own.usage().unwrap().ticks == before.ticks {
            rounds += 1;
        }
        let after = own.usage().unwrap();
        assert!(after.rss_bytes > 100 * 1024, "{after:?}");
        assert!(own.seconds(before, after) > 0.0, "after {rounds} rounds");
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        assert!(Process::attach(u32::MAX).is_err());
    }
}
