"""A program that runs where a client is, and the lines of JSON that go to and fro."""

import collections
import json
import subprocess
import threading
import time
from collections.abc import Callable

from .shell import Failed, check_interrupted

ANSWER_SECONDS = 90
EVENT_SECONDS = 90
END_SECONDS = 60
TURN_SECONDS = 0.5
STDERR_TAIL = 2000


class Refused(Failed):
    """The hands were told to do something and could not; the text is pika's exception."""


class Program:
    """One of the programs of `client/`, with the events that it has said and nobody has looked at yet."""

    def __init__(self, start: Callable[..., subprocess.Popen], module: str, *arguments: str):
        self._name = module
        self._process = start("python3", "-m", f"client.{module}", *arguments)
        self._lines: collections.deque[dict] = collections.deque()
        self._stderr: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        for read in (self._read, self._read_stderr):
            threading.Thread(target=read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout:
            with self._changed:
                try:
                    self._lines.append(json.loads(line))
                except ValueError:
                    self._stderr.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read_stderr(self) -> None:
        for line in self._process.stderr:
            self._stderr.append(line)

    def event(self, *names: str, seconds: float = EVENT_SECONDS) -> dict:
        """The next event of these names; others before it stay."""
        return self.line(lambda line: line.get("event") in names, " or ".join(names), seconds)

    def line(self, wanted: Callable[[dict], bool], what: str, seconds: float) -> dict:
        """The first line that is wanted, which is taken."""
        ends = time.monotonic() + seconds
        with self._changed:
            while True:
                for index, line in enumerate(self._lines):
                    if wanted(line):
                        del self._lines[index]
                        return line
                left = ends - time.monotonic()
                if self._ended:
                    raise Failed(f"{self._name} ended without saying: {what}{self._evidence()}")
                if left <= 0:
                    raise Failed(f"{self._name} did not say within {seconds:g} seconds: {what}{self._evidence()}")
                check_interrupted()
                self._changed.wait(min(left, TURN_SECONDS))

    def has(self, name: str) -> bool:
        """Whether it has said an event of this name that nobody has taken."""
        with self._changed:
            return any(line.get("event") == name for line in self._lines)

    def write(self, line: str) -> None:
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            raise Failed(f"{self._name} has ended{self._evidence()}") from None

    def close(self) -> None:
        """Lets it end, or ends it."""
        try:
            self._process.stdin.close()
        except OSError:
            pass
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _evidence(self) -> str:
        unread = "".join(f"\n  {json.dumps(line)}" for line in list(self._lines)[-5:])
        stderr = "".join(self._stderr)[-STDERR_TAIL:]
        return (f"\nits last lines:{unread}" if unread else "") + (f"\nits stderr:\n{stderr}" if stderr else "")


class Hands(Program):
    """A client that does what it is told: each method of `client/hands.py` is one of this object."""

    def __init__(self, start: Callable[..., subprocess.Popen]):
        super().__init__(start, "hands")

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *values, **arguments: self._ask(name, *values, **arguments)

    def _ask(self, name: str, *, answer_seconds: float = ANSWER_SECONDS, **arguments):
        self.write(json.dumps({"do": name, **arguments}))
        line = self.line(lambda line: "answer" in line or "refused" in line, f"what became of {name}", answer_seconds)
        if "refused" in line:
            raise Refused(f"{name}: {line['refused']}")
        return line["answer"]

    def delivery(self, seconds: float = EVENT_SECONDS) -> dict:
        """The next delivery."""
        return self.event("delivery", seconds=seconds)

    def bodies(self, count: int) -> list[str]:
        """The bodies of the next deliveries."""
        return [self.delivery()["body"] for _ in range(count)]
