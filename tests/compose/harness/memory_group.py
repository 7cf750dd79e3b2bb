"""A control group that limits the memory of a process, of either version."""

import time
from pathlib import Path

from .shell import done

ROOT = Path("/sys/fs/cgroup")
REMOVE_SECONDS = 60


class MemoryGroup:
    """Raises OSError where this machine does not let us make one."""

    def __init__(self, name: str, limit_mb: int):
        first = (ROOT / "memory").is_dir()
        self._folder = (ROOT / "memory" if first else ROOT) / name
        self._kills = "memory.oom_control" if first else "memory.events"
        self._folder.mkdir()
        try:
            limit = str(limit_mb * 1024**2)
            (self._folder / ("memory.limit_in_bytes" if first else "memory.max")).write_text(limit)
            swap = self._folder / ("memory.memsw.limit_in_bytes" if first else "memory.swap.max")
            if swap.exists():
                swap.write_text(limit if first else "0")
        except OSError:
            self._folder.rmdir()
            raise

    def within(self) -> list[str]:
        """The words before a command that have it run in this group."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self._folder / "cgroup.procs")]

    def kills(self) -> int:
        """How many processes were killed because memory was short."""
        for line in (self._folder / self._kills).read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
        return 0

    def remove(self) -> None:
        """Removes it; a process that has just ended may still count for a moment."""
        ends = time.monotonic() + REMOVE_SECONDS
        while done("rmdir", str(self._folder)).returncode != 0 and time.monotonic() < ends:
            time.sleep(0.05)
