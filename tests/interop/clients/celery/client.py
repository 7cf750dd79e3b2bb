"""Starts and ends the processes of an application, and gives the scenarios its tasks."""

import importlib.util
import os
import subprocess
import sys
import uuid
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from kombu import Connection, Exchange, Queue

from .. import expect
from ..scenario import Run, Scenarios
from .settings import Settings

READY_SECONDS = 240
STOP_SECONDS = 60
APPLICATION = f"{__package__}.app"


class Program:
    """One of Celery's programs: `celery -A app ARGUMENTS`."""

    def __init__(self, settings: Settings, *arguments: str, environment: dict[str, str] | None = None):
        self.log_file = Path(os.environ["INTEROP_SCRATCH"]) / f"{arguments[0]}-{uuid.uuid4().hex[:8]}.log"
        command = [sys.executable, "-B", "-m", "celery", "-A", APPLICATION, *arguments]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**settings.to_environment(), **(environment or {})},
            )

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def running(self) -> bool:
        """Raises when the program has ended by itself."""
        expect.true(self.process.poll() is None, f"the program ended by itself:\n{self.log()}")
        return True

    def stop(self) -> None:
        """Asks the program to leave and waits until it has."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the program did not leave within {STOP_SECONDS} seconds:\n{self.log()}")

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Worker(Program):
    """A worker with a name of its own, which has its queues when this returns."""

    def __init__(self, run: Run, settings: Settings, *options: str):
        self.name = f"{uuid.uuid4().hex[:8]}@interop"
        # What this worker makes on the broker by itself, besides the queues of tasks.
        run.record("queue", f"{self.name}.{settings.prefix}.pidbox")
        super().__init__(settings, "worker", "--hostname", self.name, "--loglevel", "INFO", "--pool", "prefork", *options)
        expect.until(lambda: self.running() and " ready." in self.log(), f"worker {self.name} is ready", seconds=READY_SECONDS)

    def lose(self) -> None:
        """Kills the worker without a warning, its pool with it."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.process.kill()
        self.process.wait()
        for child in children:
            try:
                os.kill(int(child), 9)
            except ProcessLookupError:
                pass


class Application:
    """An application and its worker; scenarios share both, and the first that needs them makes them.

    Results go to files unless `results` is "rpc"; with `own_broker` it lives at the broker that is restarted.
    """

    def __init__(self, label: str, results: str = "files", own_broker: bool = False, **options: Any):
        self._label = label
        self._results = results
        self._url = "INTEROP_RESTART_URL" if own_broker else "INTEROP_URL"
        self._options = options
        self._module: ModuleType | None = None
        self._worker: Worker | None = None
        if not own_broker:
            _applications.append(self)

    @cached_property
    def settings(self) -> Settings:
        backend = "rpc://"
        if self._results == "files":
            folder = Path(os.environ["INTEROP_SCRATCH"]) / f"results.{self._label}"
            folder.mkdir()
            backend = f"file://{folder}"
        prefix = f"interop.{os.environ['INTEROP_RUN']}.celery.{self._label}"
        return Settings(prefix, os.environ[self._url], backend, **self._options)

    def tasks(self, run: Run) -> ModuleType:
        """The application's module: a copy of its own, since each has its settings."""
        if not self._module:
            for kind, name in self.settings.made():
                run.record(kind, name)
            os.environ.update(self.settings.to_environment())
            spec = importlib.util.spec_from_file_location(APPLICATION, Path(__file__).parent / "app.py")
            self._module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(self._module)
        return self._module

    def worker(self, run: Run) -> Worker:
        """The worker, which has started when this returns."""
        self.tasks(run)
        if not self._worker:
            self._worker = Worker(run, self.settings, "--events")
        return self._worker

    def lose_worker(self) -> None:
        """Kills the worker; the next that is asked for is a new one."""
        self._worker.lose()
        self._worker = None

    def finish(self) -> None:
        """Stops the worker and deletes what Celery has made."""
        worker, self._worker = self._worker, None
        if self._module:
            with Connection(self.settings.broker, connect_timeout=60) as connection, connection.channel() as channel:
                try:
                    if worker:
                        worker.stop()
                finally:
                    for kind, name in self.settings.made():
                        (Queue(name) if kind == "queue" else Exchange(name))(channel).delete()


_applications: list[Application] = []

# What most have: results over rpc://.
MAIN = Application("main", results="rpc")
# One task at a time, by priority, and results that chords can be made of.
ORDERED = Application("ordered", concurrency=1, priority_max=10)


def clean(_run: Run) -> None:
    """What a worker has made outlives a scenario; `finish` deletes it."""


def finish() -> None:
    """Ends all that the scenarios share."""
    problems = []
    for application in _applications:
        try:
            application.finish()
        except AssertionError as problem:
            problems.append(problem)
    if problems:
        raise problems[0]


CELERY = Scenarios("celery", clean, finish)
