"""What Celery's users rely on. Every scenario names its condition and a deadline; the worker is a real process."""

import time

from celery import chain, group

from .. import expect
from .client import CELERY, MAIN

RESULT_SECONDS = 60
START_SECONDS = 300


@CELERY.scenario("hello", START_SECONDS)
def hello(run):
    tasks = MAIN.tasks(run)
    MAIN.worker(run)
    expect.equal(tasks.echo.delay("Hello World!").get(timeout=RESULT_SECONDS), "Hello World!", "result")


@CELERY.scenario("work-queue", START_SECONDS)
def work_queue(run):
    tasks = MAIN.tasks(run)
    MAIN.worker(run)
    results = [tasks.add.delay(number, number) for number in range(50)]
    got = [result.get(timeout=RESULT_SECONDS) for result in results]
    expect.equal(got, [2 * number for number in range(50)], "results")


@CELERY.scenario("rpc", START_SECONDS)
def rpc(run):
    tasks = MAIN.tasks(run)
    MAIN.worker(run)
    error = expect.raises(ValueError, lambda: tasks.fails.delay("grüße").get(timeout=RESULT_SECONDS), "a task that fails")
    expect.equal(error.args, ("grüße",), "the error's arguments")
    expect.equal(tasks.fails.delay("x").get(timeout=RESULT_SECONDS, propagate=False).args, ("x",), "result of a failure")
    body = "ü" * 500_000
    expect.equal(tasks.echo.delay(body).get(timeout=RESULT_SECONDS), body, "a result of a megabyte")


@CELERY.scenario("group", START_SECONDS)
def groups(run):
    tasks = MAIN.tasks(run)
    MAIN.worker(run)
    result = group(tasks.add.s(number, 1) for number in range(20)).apply_async()
    expect.equal(result.get(timeout=RESULT_SECONDS), [number + 1 for number in range(20)], "results of the group")
    result = chain(tasks.add.s(1, 2), tasks.add.s(3), tasks.add.s(4)).apply_async()
    expect.equal(result.get(timeout=RESULT_SECONDS), 10, "result of the chain")


@CELERY.scenario("retries", START_SECONDS)
def retries(run):
    tasks = MAIN.tasks(run)
    MAIN.worker(run)
    results = [tasks.succeeds_at_attempt.delay(attempt) for attempt in range(4)]
    expect.equal([result.get(timeout=RESULT_SECONDS) for result in results], [0, 1, 2, 3], "attempts")


@CELERY.scenario("countdown", START_SECONDS)
def countdown(run):
    tasks = MAIN.tasks(run)
    MAIN.worker(run)
    # The worker takes tasks of the future out of the queue and keeps them until they are due. From a broker that calls
    # itself RabbitMQ 4 it takes no more than its prefetch, so that the task that is due now may have to wait for them.
    started = time.monotonic()
    future = [tasks.echo.apply_async((number,), countdown=2) for number in range(10)]
    expect.equal(tasks.echo.delay("now").get(timeout=RESULT_SECONDS), "now", "the task that is due")
    expect.equal([result.get(timeout=RESULT_SECONDS) for result in future], list(range(10)), "the tasks of the future")
    expect.true(time.monotonic() - started > 1, "tasks of the future ran too early")


@CELERY.scenario("nack-requeue", START_SECONDS)
def nack_requeue(run):
    tasks = MAIN.tasks(run)
    MAIN.worker(run)
    marker = run.scratch() / "rejected"
    expect.equal(tasks.reject_once.delay(str(marker)).get(timeout=RESULT_SECONDS), True, "redelivered")


@CELERY.scenario("consume-ack-prefetch", START_SECONDS)
def consume_ack_prefetch(run):
    tasks = MAIN.tasks(run)
    running = MAIN.worker(run)
    scratch = run.scratch()
    release = scratch / "release"
    count = 3 * tasks.SETTINGS.concurrency
    held = [tasks.hold.delay(str(scratch / f"started.{number}"), str(release)) for number in range(count)]
    expect.until(
        lambda: len(list(scratch.glob("started.*"))) == tasks.SETTINGS.concurrency, "as many tasks started as the pool has processes"
    )
    inspect = tasks.app.control.inspect([running.name], timeout=60)
    limit = inspect.stats()[running.name]["prefetch_count"]
    expect.equal(limit, tasks.SETTINGS.concurrency * tasks.SETTINGS.multiplier, "the worker's prefetch")
    # Acknowledged late, the tasks under way are all that the worker may have: the rest waits in the queue.
    with tasks.app.connection_for_read() as connection:
        queue = tasks.app.amqp.queues[tasks.SETTINGS.queue](connection.default_channel)
        expect.until(
            lambda: queue.queue_declare(passive=True).message_count == count - limit, "the other tasks wait in the queue"
        )
    release.touch()
    expect.equal({result.get(timeout=RESULT_SECONDS) for result in held}, {running.name}, "workers of the tasks")


@CELERY.scenario("remote-control", START_SECONDS)
def remote_control(run):
    tasks = MAIN.tasks(run)
    running = MAIN.worker(run)
    answers = expect.until(lambda: tasks.app.control.ping([running.name], timeout=60), "an answer to ping")
    expect.equal(answers, [{running.name: {"ok": "pong"}}], "answer to ping")
    registered = tasks.app.control.inspect([running.name], timeout=60).registered()[running.name]
    expect.true(tasks.add.name in registered, f"the worker knows its tasks, got {registered}")


@CELERY.scenario("lost-worker", START_SECONDS)
def lost_worker(run):
    tasks = MAIN.tasks(run)
    scratch = run.scratch()
    started, release = scratch / "started", scratch / "release"
    MAIN.worker(run)
    result = tasks.hold.delay(str(started), str(release))
    expect.until(started.exists, "the task has started", seconds=RESULT_SECONDS)
    MAIN.lose_worker()
    heir = MAIN.worker(run)
    release.touch()
    expect.equal(result.get(timeout=RESULT_SECONDS), heir.name, "the worker that did the task in the end")
