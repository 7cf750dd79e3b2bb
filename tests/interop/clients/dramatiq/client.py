"""Starts and ends workers, and sends to their actors."""

import os
import subprocess
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
from dramatiq import Message
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.common import dq_name, xq_name

from .. import expect
from ..scenario import Run, Scenarios

READY_SECONDS = 120
STOP_SECONDS = 60
PRIORITY_MAX = 10


def queue_of(run: Run) -> str:
    """A new queue with the two that Dramatiq makes beside it: of what is to be done later, and of what failed."""
    queue = run.queue()
    for name in (dq_name(queue), xq_name(queue)):
        run.record("queue", name)
    return queue


@contextmanager
def connected(url: str, **options: Any):
    """A broker, as Dramatiq calls its side of the connection."""
    broker = RabbitmqBroker(url=url, confirm_delivery=True, **{"max_priority": PRIORITY_MAX, **options})
    try:
        yield broker
    finally:
        broker.close()


def send(broker: RabbitmqBroker, queue: str, actor: str, *arguments: Any, delay: int | None = None, **options: Any) -> Message:
    """Sends a message to an actor; `delay` is in milliseconds."""
    message = Message(queue_name=queue, actor_name=actor, args=arguments, kwargs={}, options=options)
    return broker.enqueue(message, delay=delay)


class Worker:
    """A worker process with one thread, which takes one message at a time."""

    def __init__(self, url: str, queue: str):
        self._log = Path(os.environ["INTEROP_SCRATCH"]) / f"worker-{uuid.uuid4().hex[:8]}.log"
        command = [sys.executable, "-B", "-m", "dramatiq", f"{__package__}.actors", "--processes", "1", "--threads", "1"]
        environment = {
            **os.environ, "INTEROP_DRAMATIQ_URL": url, "INTEROP_DRAMATIQ_QUEUE": queue, "dramatiq_queue_prefetch": "1",
            "dramatiq_restart_delay": "300",
        }
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        expect.until(self._ready, "the worker is ready", seconds=READY_SECONDS)

    def _ready(self) -> bool:
        expect.true(self._process.poll() is None, f"the worker ended by itself:\n{self.log()}")
        return "ready for action" in self.log()

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"the worker did not leave within {STOP_SECONDS} seconds:\n{self.log()}")


def clean(run: Run) -> None:
    """Deletes what the run made: deleting what is gone already is no error."""
    if run.made:
        connection = pika.BlockingConnection(pika.URLParameters(run.url))
        channel = connection.channel()
        for _, name in run.made:
            channel.queue_delete(name)
        connection.close()


DRAMATIQ = Scenarios("dramatiq", clean)
