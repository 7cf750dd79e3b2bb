"""Starts and ends workers, and gives the scenarios the application."""

import importlib
import os
import subprocess
import sys
import uuid
from pathlib import Path

from kombu import Connection, Exchange, Queue

from .. import expect
from ..scenario import Run, Scenarios

READY_SECONDS = 40
STOP_SECONDS = 15
PREFIX = "INTEROP_CELERY_PREFIX"

# The scenarios share one worker; it is started by the first that needs it.
_workers: list["Worker"] = []


class Worker:
    """A worker process with a name of its own."""

    def __init__(self, run: Run):
        self.name = f"{uuid.uuid4().hex[:8]}@interop"
        # What this worker makes on the broker by itself, besides the queues of tasks.
        run.record("queue", f"{self.name}.{os.environ[PREFIX]}.pidbox")
        self._log = Path(os.environ["INTEROP_SCRATCH"]) / f"worker-{self.name}.log"
        command = [sys.executable, "-B", "-m", "celery", "-A", f"{__package__}.app", "worker"]
        options = ["--hostname", self.name, "--loglevel", "INFO", "--pool", "prefork", "--logfile", str(self._log)]
        self.process = subprocess.Popen([*command, *options], stdin=subprocess.DEVNULL, stdout=sys.stderr)
        expect.until(self._ready, f"worker {self.name} is ready", seconds=READY_SECONDS)

    def _ready(self) -> bool:
        expect.true(self.process.poll() is None, f"the worker ended by itself:\n{self.log()}")
        return " ready." in self.log()

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

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
        if self in _workers:
            _workers.remove(self)

    def stop(self) -> None:
        """Asks the worker to leave and waits until it has."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.lose()
            raise AssertionError(f"the worker did not leave within {STOP_SECONDS} seconds:\n{self.log()}")


def application(run: Run):
    """The application module, under names of this client's run."""
    if PREFIX not in os.environ:
        os.environ[PREFIX] = f"interop.{os.environ['INTEROP_RUN']}.celery"
        for kind, name in _made():
            run.record(kind, name)
    return importlib.import_module(f"{__package__}.app")


def _made() -> list[tuple[str, str]]:
    """What Celery declares under the application's names, and never deletes itself."""
    prefix = os.environ[PREFIX]
    exchanges = [f"{prefix}.{name}" for name in ("tasks", "pidbox", "events", "results")]
    return [("queue", f"{prefix}.tasks"), *(("exchange", name) for name in exchanges), ("exchange", f"reply.{prefix}.pidbox")]


def worker(run: Run) -> Worker:
    """The shared worker."""
    application(run)
    if not _workers:
        _workers.append(Worker(run))
    return _workers[0]


def clean(_run: Run) -> None:
    """What the worker has made outlives a scenario; `finish` deletes it."""


def finish() -> None:
    """Stops the worker and deletes what Celery has made."""
    problem = None
    for running in list(_workers):
        try:
            running.stop()
        except AssertionError as error:
            problem = error
    if PREFIX in os.environ:
        with Connection(os.environ["INTEROP_URL"], connect_timeout=10) as connection, connection.channel() as channel:
            for kind, name in _made():
                (Queue(name) if kind == "queue" else Exchange(name))(channel).delete()
    if problem:
        raise problem


CELERY = Scenarios("celery", clean, finish)
