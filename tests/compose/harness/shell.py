"""Runs commands and waits for conditions."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.05
COMMAND_SECONDS = 120


class Missing(Exception):
    """Something that a run needs is not there and could not be made; the text says what to do."""


class Failed(Exception):
    """What a scenario looked at is not as it has to be."""


class Unavailable(Exception):
    """A scenario cannot be had on this machine; the text says what is missing."""


def done(*command: str, seconds: float = COMMAND_SECONDS, environment: dict[str, str] | None = None,
         folder: Path | None = None, given: str | None = None) -> subprocess.CompletedProcess:
    """Runs a command to its end, whatever its status is; its output holds what it wrote to either stream."""
    stdin = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    return subprocess.run(
        command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", timeout=seconds, **stdin,
    )


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
