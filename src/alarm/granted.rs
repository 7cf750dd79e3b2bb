//! How much memory the broker may count on.

use std::fs;

/// Bytes that the machine or the control group grants, whichever is less; `u64::MAX` when neither can be read.
pub fn granted_memory() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine_total(&text));
    let group = control_group().and_then(|text| limit(&text));
    machine.into_iter().chain(group).min().unwrap_or(u64::MAX)
}

/// The limit of the control group that the process is in: version 2's, else version 1's.
fn control_group() -> Option<String> {
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = membership.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    [
        format!("/sys/fs/cgroup{own}/memory.max"),
        "/sys/fs/cgroup/memory.max".to_owned(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned(),
    ]
    .iter()
    .find_map(|path| fs::read_to_string(path).ok())
}

/// The total of `/proc/meminfo`, in bytes.
fn machine_total(meminfo: &str) -> Option<u64> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// A control group's limit; `max` is none.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_totals_are_read_as_the_kernel_writes_them() {
        assert_eq!(machine_total("MemTotal:       24689560 kB\nMemFree: 1 kB\n"), Some(24_689_560 * 1024));
        assert_eq!(machine_total("MemFree: 1 kB\n"), None);
        assert_eq!(limit("536870912\n"), Some(536_870_912));
        assert_eq!(limit("max\n"), None);
    }

    #[test]
    fn something_is_granted() {
        assert!(granted_memory() > 0);
    }
}
