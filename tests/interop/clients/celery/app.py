"""The application that the worker runs and the scenarios call. Every name that it makes on the broker is of this run."""

import os
import threading
from pathlib import Path

from celery import Celery
from celery.exceptions import Reject

PREFIX = os.environ["INTEROP_CELERY_PREFIX"]
MULTIPLIER = 1
CONCURRENCY = 2

app = Celery("interop", broker=os.environ["INTEROP_URL"], backend="rpc://")
app.conf.update(
    task_default_queue=f"{PREFIX}.tasks",
    task_default_exchange=f"{PREFIX}.tasks",
    task_default_routing_key=f"{PREFIX}.tasks",
    control_exchange=PREFIX,
    event_exchange=f"{PREFIX}.events",
    result_exchange=f"{PREFIX}.results",
    worker_prefetch_multiplier=MULTIPLIER,
    worker_concurrency=CONCURRENCY,
    worker_enable_remote_control=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_connection_retry_on_startup=False,
    broker_connection_timeout=10,
    broker_transport_options={"confirm_publish": True},
    result_expires=300,
    task_track_started=True,
)

SECONDS_MAX = 20


@app.task
def add(a, b):
    return a + b


@app.task
def echo(value):
    return value


@app.task(bind=True, max_retries=5)
def succeeds_at_attempt(self, attempt):
    """Fails and is retried until its given attempt (the first is 0)."""
    if self.request.retries < attempt:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task
def fails(text):
    raise ValueError(text)


@app.task(bind=True)
def reject_once(self, marker):
    """Puts its own message back once, and says whether it came back marked as redelivered."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return self.request.delivery_info["redelivered"]
    raise Reject("once more", requeue=True)


@app.task(bind=True)
def hold(self, started, release):
    """Says that it has started and waits until it is released."""
    Path(started).write_text(self.request.hostname)
    waiting = threading.Event()
    for _ in range(SECONDS_MAX * 20):
        if Path(release).exists():
            return self.request.hostname
        waiting.wait(0.05)
    raise TimeoutError("never released")
