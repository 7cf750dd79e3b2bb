"""What the worker runs. The environment has its broker and its queue."""

import os
import threading
import time
from pathlib import Path

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.middleware import CurrentMessage

PRIORITY_MAX = 10
QUEUE = os.environ["INTEROP_DRAMATIQ_QUEUE"]
SECONDS_MAX = 120

broker = RabbitmqBroker(url=os.environ["INTEROP_DRAMATIQ_URL"], confirm_delivery=True, max_priority=PRIORITY_MAX)
broker.add_middleware(CurrentMessage())
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name=QUEUE)
def note(path, text):
    """Appends a line to a file."""
    with open(path, "a") as notes:
        notes.write(f"{text}\n")


@dramatiq.actor(queue_name=QUEUE, max_retries=5, min_backoff=200, max_backoff=400)
def succeeds_at_attempt(path, attempt):
    """Fails until its given attempt (the first is 0), and notes the time of each."""
    retries = CurrentMessage.get_current_message().options.get("retries", 0)
    with open(path, "a") as notes:
        notes.write(f"{retries} {time.time()}\n")
    if retries < attempt:
        raise ValueError("not yet")


@dramatiq.actor(queue_name=QUEUE, max_retries=0)
def fails(path):
    """Fails for good."""
    Path(path).touch()
    raise ValueError("never")


@dramatiq.actor(queue_name=QUEUE)
def hold(started, release):
    """Says that it has started and waits until it is released."""
    with open(started, "a") as notes:
        notes.write("started\n")
    waiting = threading.Event()
    for _ in range(SECONDS_MAX * 20):
        if Path(release).exists():
            return
        waiting.wait(0.05)
    raise TimeoutError("never released")
