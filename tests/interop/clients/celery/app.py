"""The application that workers run and scenarios call, with the settings of the environment."""

import threading
import time
from pathlib import Path

from celery import Celery
from celery.exceptions import Reject

from .settings import Settings

SETTINGS = Settings.from_environment()
SECONDS_MAX = 120

app = Celery("interop", broker=SETTINGS.broker, backend=SETTINGS.backend)
app.conf.update(SETTINGS.configuration())


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def echo(value):
    return value


@app.task(bind=True, max_retries=5)
def succeeds_at_attempt(self, attempt, countdown=0):
    """Fails and is retried until its given attempt (the first is 0)."""
    if self.request.retries < attempt:
        raise self.retry(countdown=countdown)
    return self.request.retries


@app.task
def fails(text):
    raise ValueError(text)


@app.task(bind=True)
def deaths(self):
    """What the broker says of how the message came here."""
    return [{"queue": each["queue"], "reason": each["reason"], "count": each["count"]} for each in self.request.headers["x-death"]]


@app.task
def note(path, text):
    """Appends a line to a file."""
    with open(path, "a") as notes:
        notes.write(f"{text}\n")


@app.task
def note_time(path):
    """Appends the time to a file."""
    with open(path, "a") as notes:
        notes.write(f"{time.time()}\n")


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
