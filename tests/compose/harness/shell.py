"""Runs commands and waits for conditions."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.05
COMMAND_SECONDS = 300


class Missing(Exception):
    """Something that a run needs is not there and could not be made; the text says what to do."""


class Failed(Exception):
    """What a scenario looked at is not as it has to be."""


class Unavailable(Exception):
    """A scenario cannot be had on this machine; the text says what is missing."""


_running: set[subprocess.Popen] = set()
_interrupted = threading.Event()


def interrupt() -> None:
    """Ends the commands that run and has everybody who waits give up. Commands that come after it run as ever."""
    _interrupted.set()
    for process in list(_running):
        _signal(process, signal.SIGTERM)


def check_interrupted() -> None:
    """Fails if the run was interrupted."""
    if _interrupted.is_set():
        raise Failed("the run was interrupted")


def done(*command: str, seconds: float = COMMAND_SECONDS, environment: dict[str, str] | None = None,
         folder: Path | None = None) -> subprocess.CompletedProcess:
    """Runs a command to its end, whatever its status is; its output holds what it wrote to either stream."""
    # A group of its own: an interrupt at the terminal does not reach what is already clearing up.
    with subprocess.Popen(
        command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    ) as process:
        _running.add(process)
        try:
            text, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)
            raise
        finally:
            _running.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, text)


def _signal(process: subprocess.Popen, what: signal.Signals) -> None:
    try:
        os.killpg(process.pid, what)
    except ProcessLookupError:
        pass


def output(*command: str, **how) -> str:
    """The output of a command that has to end with 0."""
    ran = done(*command, **how)
    if ran.returncode != 0:
        raise Failed(f"`{' '.join(command)}` ended with {ran.returncode}:\n{ran.stdout}")
    return ran.stdout


def until(condition: Callable[[], object], what: str, seconds: float):
    """Waits until `condition` returns something that is true, and returns that."""
    ends = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        check_interrupted()
        if time.monotonic() > ends:
            raise Failed(f"within {seconds:g} seconds not: {what}")
        time.sleep(POLL_SECONDS)


def expect(is_so: object, what: str) -> None:
    """Fails with `what` unless it is so."""
    if not is_so:
        raise Failed(what)


def equal(found, wanted, what: str) -> None:
    """Fails unless both are the same."""
    if found != wanted:
        raise Failed(f"{what}: expected {wanted!r}, found {found!r}")


def unmount_below(folder: Path) -> None:
    """Unmounts what is mounted in a folder, so that it can be removed and nothing else with it."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in reversed([point for point in points if point.startswith(f"{folder}/")]):
        ran = done("umount", "--lazy", point)
        if ran.returncode != 0:
            raise Failed(f"{point} cannot be unmounted: {ran.stdout}")
