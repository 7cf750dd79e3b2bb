"""Checks and waiting. Nothing here waits for time to pass: only for a condition, within a deadline."""

import time
from typing import Any, Callable

WAIT_SECONDS = 60


def equal(got: Any, expected: Any, what: str) -> None:
    """Raises unless both are equal and of one type."""
    if got != expected or type(got) is not type(expected):
        raise AssertionError(f"{what}: got {_short(got)}, expected {_short(expected)}")


def true(condition: Any, what: str) -> None:
    """Raises unless `condition` holds."""
    if not condition:
        raise AssertionError(what)


def until(condition: Callable[[], Any], what: str, step: Callable[[], Any] = lambda: time.sleep(0.02), seconds: float = WAIT_SECONDS) -> Any:
    """Repeats `step` until `condition` gives something true, which is returned; raises after `seconds`."""
    ends = time.monotonic() + seconds
    while not (met := condition()):
        if time.monotonic() > ends:
            raise AssertionError(f"not within {seconds} seconds: {what}")
        step()
    return met


def raises(kind: type[BaseException] | tuple[type[BaseException], ...], body: Callable[[], Any], what: str) -> Any:
    """Returns the exception that `body` must raise."""
    try:
        got = body()
    except kind as error:
        return error
    raise AssertionError(f"{what}: no error, got {_short(got)}")


def contains(text: Any, parts: tuple[str, ...], what: str) -> None:
    """Raises unless every part occurs in the text."""
    for part in parts:
        if part not in str(text):
            raise AssertionError(f"{what}: {part!r} is missing from {str(text)!r}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 500 else f"{text[:250]} ... {text[-100:]} ({len(text)} characters)"
