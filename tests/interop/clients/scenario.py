"""The registry of a Python client's scenarios, and the line protocol that the runner speaks with it."""

import asyncio
import inspect
import itertools
import json
import os
import sys
import time
import traceback
import urllib.error
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

DEADLINE_SECONDS = 180
RESTART_SECONDS = 180


@dataclass
class Run:
    """One run of one scenario: where the broker is, and names that nobody else uses."""

    client: str
    scenario: str
    url: str = field(default_factory=lambda: os.environ["INTEROP_URL"])
    made: list[tuple[str, str]] = field(default_factory=list)
    _numbers: Any = field(default_factory=itertools.count)

    @property
    def restart_url(self) -> str:
        """This client's own broker, which runs during scenarios that were registered with it, and `reconnect`."""
        return os.environ["INTEROP_RESTART_URL"]

    def restart(self, how: str = "stop") -> None:
        """Ends this client's own broker, by SIGTERM or with how="kill" by SIGKILL, and waits until it is back."""
        request = urllib.request.Request(f"{os.environ['INTEROP_CONTROL']}/restart?how={how}", method="POST")
        try:
            urllib.request.urlopen(request, timeout=RESTART_SECONDS).close()
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"the broker was not restarted: {refused.read().decode()}") from refused

    def restarting(self, how: str) -> "Future[None]":
        """The same in a thread, for a scenario that reads meanwhile what the broker says."""
        pool = ThreadPoolExecutor(1)
        future = pool.submit(self.restart, how)
        pool.shutdown(wait=False)
        return future

    def queue(self, label: str = "queue") -> str:
        """A new queue name, recorded so that the queue is deleted after the scenario."""
        return self._name("queue", label)

    def exchange(self, label: str = "exchange") -> str:
        """A new exchange name, recorded as a queue's is."""
        return self._name("exchange", label)

    def scratch(self) -> Path:
        """An empty directory of this scenario."""
        path = Path(os.environ["INTEROP_SCRATCH"]) / f"{self.scenario}.{next(self._numbers)}"
        path.mkdir(parents=True)
        return path

    def _name(self, kind: str, label: str) -> str:
        run = os.environ["INTEROP_RUN"]
        name = f"interop.{run}.{self.client}.{self.scenario}.{label}.{next(self._numbers)}"
        self.record(kind, name)
        return name

    def record(self, kind: str, name: str) -> None:
        """Notes a name that the scenario or its library chose, so that it is deleted too."""
        self.made.append((kind, name))
        with open(os.environ["INTEROP_NAMES"], "a") as names:
            names.write(json.dumps({"scenario": self.scenario, "kind": kind, "name": name}) + "\n")


@dataclass(frozen=True)
class Scenario:
    """A named piece of behaviour; `body` raises where the broker differs from it."""

    body: Callable[[Run], Any]
    deadline_seconds: float
    own_broker: bool


class Scenarios:
    """The scenarios of one client. `clean` deletes a run's queues and exchanges with that client."""

    def __init__(self, client: str, clean: Callable[[Run], Any], finish: Callable[[], None] = lambda: None):
        self._client = client
        self._clean = clean
        self._finish = finish
        self._scenarios: dict[str, Scenario] = {}
        self._not_applicable: dict[str, str] = {}

    def scenario(self, name: str, deadline_seconds: float = DEADLINE_SECONDS, own_broker: bool = False):
        """Registers the decorated function, which may be a coroutine. With `own_broker` it finds that one running."""

        def register(body):
            if name in self._scenarios:
                raise ValueError(f"two scenarios are called {name}")
            self._scenarios[name] = Scenario(body, deadline_seconds, own_broker)
            return body

        return register

    def not_applicable(self, name: str, reason: str) -> None:
        """Says that the client has no such thing, and why."""
        self._not_applicable[name] = reason

    def main(self) -> None:
        """Lists the scenarios with --list; else runs those that are named on stdin, one a line."""
        if sys.argv[1:] == ["--list"]:
            print(json.dumps(self._list()))
            return
        answers = _take_stdout()
        try:
            for line in sys.stdin:
                print(json.dumps(self._answer(line.strip())), file=answers, flush=True)
        finally:
            self._finish()

    def _list(self) -> list[dict[str, Any]]:
        listed = [
            {"name": name, "deadline_seconds": scenario.deadline_seconds, "own_broker": scenario.own_broker}
            for name, scenario in self._scenarios.items()
        ]
        return listed + [{"name": name, "not_applicable": reason} for name, reason in self._not_applicable.items()]

    def _answer(self, name: str) -> dict[str, Any]:
        started = time.monotonic()
        run = Run(self._client, name)
        detail = ""
        for step in (self._scenarios[name].body, self._clean):
            try:
                _call(step, run)
            except Exception:
                detail += traceback.format_exc()
        return {"scenario": name, "passed": not detail, "seconds": time.monotonic() - started, "detail": detail}


def _call(body: Callable[[Run], Any], run: Run) -> None:
    if inspect.iscoroutinefunction(body):
        asyncio.run(body(run))
    else:
        body(run)


def _take_stdout():
    # What a library prints must not end up between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers
