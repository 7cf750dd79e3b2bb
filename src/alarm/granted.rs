//! How much memory the broker may count on.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// Bytes that the broker may count on: what the configuration says (`total_memory_available_override_value`), or what the
/// machine or the control group grants, whichever is less; `u64::MAX` when neither can be read.
pub fn granted_memory(total: Option<u64>) -> u64 {
    total.unwrap_or_else(granted_by_the_system)
}

fn granted_by_the_system() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine_total(&text));
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups =
        limit_files(&membership).into_iter().filter_map(|path| limit(&fs::read_to_string(path).ok()?));
    groups.chain(machine).min().unwrap_or(u64::MAX)
}

/// Where the limits of the process's control group and of those around it stand, of version 2 and of version 1. A container
/// sees its own as the outermost.
fn limit_files(membership: &str) -> Vec<PathBuf> {
    let lines = || {
        membership.lines().filter_map(|line| line.split_once(':').and_then(|(_, rest)| rest.split_once(':')))
    };
    let own = |controller: &str| {
        let is_own = |controllers: &str| controllers.split(',').any(|one| one == controller);
        let path = lines().find(|(controllers, _)| is_own(controllers)).map(|(_, path)| path);
        path.and_then(|path| path.strip_prefix('/')).unwrap_or_default()
    };
    let files = |root: &str, own: &'_ str, name: &'static str| {
        let root = Path::new(ROOT).join(root);
        Path::new(own).ancestors().map(|group| root.join(group).join(name)).collect::<Vec<_>>()
    };
    let version_2 = files("", own(""), "memory.max");
    version_2.into_iter().chain(files("memory", own("memory"), "memory.limit_in_bytes")).collect()
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
    fn a_group_is_limited_by_those_around_it_too() {
        let files = |membership| -> Vec<String> {
            limit_files(membership).iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(
            files("1:name=x:/y\n0::/system.slice/leveret.service\n"),
            [
                "/sys/fs/cgroup/system.slice/leveret.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            ]
        );
        assert_eq!(
            files("12:cpu,cpuacct:/c\n4:memory:/docker/1:2\n"),
            [
                "/sys/fs/cgroup/memory.max",
                "/sys/fs/cgroup/memory/docker/1:2/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            ]
        );
        assert_eq!(
            files("0::/\n"),
            ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        );
    }

    #[test]
    fn something_is_granted() {
        assert!(granted_memory(None) > 0);
        assert_eq!(granted_memory(Some(5)), 5);
    }
}
