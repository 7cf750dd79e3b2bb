"""What Dramatiq's users rely on: actors in a worker process, delays, retries, dead letters, priorities, results."""

import time

import dramatiq
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend

from .. import expect, payload
from .client import DRAMATIQ, Worker, connected, queue_of, send

DELAY_MILLISECONDS = 5000
WORK_SECONDS = 60


def lines(path):
    """What actors have noted until now."""
    return path.read_text().splitlines() if path.exists() else []


@DRAMATIQ.scenario("work-queue")
def work_queue(run):
    queue, notes = queue_of(run), run.scratch() / "notes"
    with connected(run.url) as broker, Worker(run.url, queue):
        for number in range(50):
            send(broker, queue, "note", str(notes), number)
        expect.until(lambda: len(lines(notes)) >= 50, "fifty messages", seconds=WORK_SECONDS)
        expect.equal(lines(notes), [str(number) for number in range(50)], "messages")


@DRAMATIQ.scenario("delay")
def delay(run):
    queue, notes = queue_of(run), run.scratch() / "notes"
    with connected(run.url) as broker, Worker(run.url, queue):
        started = time.monotonic()
        # It waits in the worker, taken from the queue of what is to be done later.
        send(broker, queue, "note", str(notes), "late", delay=DELAY_MILLISECONDS)
        send(broker, queue, "note", str(notes), "now")
        expect.until(lambda: len(lines(notes)) == 2, "both messages", seconds=WORK_SECONDS)
        expect.equal(lines(notes), ["now", "late"], "messages")
        expect.true(time.monotonic() - started > DELAY_MILLISECONDS / 1000, "it came too early")


@DRAMATIQ.scenario("retries")
def retries(run):
    queue, notes = queue_of(run), run.scratch() / "notes"
    with connected(run.url) as broker, Worker(run.url, queue):
        send(broker, queue, "succeeds_at_attempt", str(notes), 2)
        expect.until(lambda: len(lines(notes)) == 3, "three attempts", seconds=WORK_SECONDS)
        expect.equal([line.split()[0] for line in lines(notes)], ["0", "1", "2"], "attempts")
        expect.until(lambda: broker.get_queue_message_counts(queue) == (0, 0, 0), "no message is left")


@DRAMATIQ.scenario("dead-letter")
def dead_letter(run):
    queue, tried = queue_of(run), run.scratch() / "tried"
    with connected(run.url) as broker, Worker(run.url, queue):
        send(broker, queue, "fails", str(tried))
        expect.until(tried.exists, "the actor has tried", seconds=WORK_SECONDS)
        expect.until(lambda: broker.get_queue_message_counts(queue) == (0, 0, 1), "the message is among the dead letters")


@DRAMATIQ.scenario("priorities")
def priorities(run):
    queue, scratch = queue_of(run), run.scratch()
    started, release, notes = (scratch / name for name in ("started", "release", "notes"))
    with connected(run.url) as broker, Worker(run.url, queue):
        send(broker, queue, "hold", str(started), str(release))
        expect.until(started.exists, "the worker's only thread is busy", seconds=WORK_SECONDS)
        for number, priority in enumerate((1, 9, 0, 5, 9)):
            send(broker, queue, "note", str(notes), f"{priority}.{number}", broker_priority=priority)
        release.touch()
        expect.until(lambda: len(lines(notes)) == 5, "all messages", seconds=WORK_SECONDS)
        expect.equal(lines(notes), ["9.1", "9.4", "5.3", "1.0", "0.2"], "messages in the order of their priorities")


@DRAMATIQ.scenario("results")
def results(run):
    queue = queue_of(run)
    with connected(run.url) as broker:
        # The results stay in this process, and so does the worker.
        broker.add_middleware(Results(backend=StubBackend()))

        @dramatiq.actor(broker=broker, queue_name=queue, store_results=True)
        def fibonacci(number):
            return payload.fibonacci(number)

        worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=100)
        worker.start()
        try:
            messages = dramatiq.group([fibonacci.message(number) for number in range(30, 35)], broker=broker).run()
            got = list(messages.get_results(block=True, timeout=1000 * WORK_SECONDS))
            expect.equal(got, [payload.fibonacci(number) for number in range(30, 35)], "results")
            piped = dramatiq.pipeline([fibonacci.message(7), fibonacci.message()], broker=broker).run()
            expect.equal(piped.get_result(block=True, timeout=1000 * WORK_SECONDS), payload.fibonacci(13), "result of a pipeline")
        finally:
            worker.stop()
