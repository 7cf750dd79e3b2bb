"""What larger applications use: periodic tasks, priorities, chords, retries in the future, control, events, Flower."""

import json
import os
import re
import socket
import time
import urllib.request
from datetime import datetime

from celery import chain, chord, group
from celery.exceptions import TaskRevokedError
from kombu import Queue

from .. import expect
from .client import CELERY, ORDERED, Application, Program
from .scenarios import RESULT_SECONDS, START_SECONDS
from .settings import Settings

TICKS = 4
# Celery rounds what is to wait to seconds.
SLACK_SECONDS = 1
DELAY_SECONDS = 3
# The broker is on time; the worker needs its share of the processor before it notes the time.
LATE_SECONDS_MAX = 30


@CELERY.scenario("beat", START_SECONDS)
def beat(run):
    ORDERED.worker(run)
    scratch = run.scratch()
    notes = scratch / "notes"
    settings = Settings(**{**vars(ORDERED.settings), "beat_notes": str(notes)})

    def done():
        return len(notes.read_text().splitlines()) if notes.exists() else 0

    with Program(settings, "beat", "--schedule", str(scratch / "schedule"), "--pidfile", "", "--loglevel", "INFO") as beating:
        expect.until(lambda: beating.running() and done() > TICKS, "the task that is due every second", seconds=RESULT_SECONDS)
        # Killed: at SIGTERM beat closes its connection wherever it is, and waits for itself if it is writing to it just then.
        beating.process.kill()
    # By the log of beat, which sends the first when it starts: a busy worker may do several at once.
    ticks = [datetime.fromisoformat(time.replace(",", ".")) for time in re.findall(r"^\[(.+?): .*Sending due task tick", beating.log(), re.MULTILINE)]
    lasted = (ticks[TICKS] - ticks[0]).total_seconds()
    expect.true(lasted > TICKS - SLACK_SECONDS, f"the task was sent too often: {ticks}")


@CELERY.scenario("priorities", START_SECONDS)
def priorities(run):
    tasks, scratch = ORDERED.tasks(run), run.scratch()
    ORDERED.worker(run)
    started, release, notes = (scratch / name for name in ("started", "release", "notes"))
    held = tasks.hold.delay(str(started), str(release))
    expect.until(started.exists, "the worker's only process is busy", seconds=RESULT_SECONDS)
    # The worker takes one more than it works on only when it acknowledges early: these wait in the queue.
    sent = (1, 9, 0, 5, 9, 3)
    results = [
        tasks.note.apply_async((str(notes), f"{priority}.{number}"), priority=priority) for number, priority in enumerate(sent)
    ]
    release.touch()
    for result in [held, *results]:
        result.get(timeout=RESULT_SECONDS)
    expect.equal(notes.read_text().split(), ["9.1", "9.4", "5.3", "3.5", "1.0", "0.2"], "tasks in the order of their priorities")


@CELERY.scenario("chord", START_SECONDS)
def chords(run):
    tasks = ORDERED.tasks(run)
    ORDERED.worker(run)
    # With results in files the body waits in a task that is retried every second: celery.chord_unlock.
    result = chord(tasks.add.s(number, number) for number in range(10))(tasks.total.s())
    expect.equal(result.get(timeout=RESULT_SECONDS), sum(2 * number for number in range(10)), "result of the chord")
    result = chain(tasks.add.s(1, 1), group(tasks.add.s(10), tasks.add.s(20)), tasks.total.s()).apply_async()
    expect.equal(result.get(timeout=RESULT_SECONDS), 34, "result of a chain with a group in it")


@CELERY.scenario("eta-retries", START_SECONDS)
def eta_retries(run):
    tasks = ORDERED.tasks(run)
    ORDERED.worker(run)
    started = time.monotonic()
    expect.equal(tasks.succeeds_at_attempt.delay(2, countdown=1).get(timeout=RESULT_SECONDS), 2, "attempt")
    expect.true(time.monotonic() - started > 2, "it was retried too early")


@CELERY.scenario("inspect-revoke", START_SECONDS)
def inspect_revoke(run):
    tasks, worker, scratch = ORDERED.tasks(run), ORDERED.worker(run), run.scratch()
    inspect = tasks.app.control.inspect([worker.name], timeout=60)
    expect.equal(inspect.ping(), {worker.name: {"ok": "pong"}}, "answer to ping")
    started, release = scratch / "started", scratch / "release"
    held = tasks.hold.delay(str(started), str(release))
    expect.until(started.exists, "the task has started", seconds=RESULT_SECONDS)
    expect.equal([task["id"] for task in inspect.active()[worker.name]], [held.id], "tasks under way")
    future = tasks.echo.apply_async(("never",), countdown=2)
    control = tasks.app.control
    control.revoke(held.id, destination=[worker.name], terminate=True, reply=True, timeout=60)
    control.revoke(future.id, destination=[worker.name], reply=True, timeout=60)
    expect.raises(TaskRevokedError, lambda: held.get(timeout=RESULT_SECONDS), "a task that was ended")
    revoked = inspect.revoked()[worker.name]
    expect.equal({held.id, future.id} <= set(revoked), True, "revoked tasks")
    # One process of the pool has died with the task; another has taken its place. The revoked task of the future is
    # dropped when it is due: until then it takes the only place that the prefetch gives.
    expect.equal(tasks.echo.delay("next").get(timeout=RESULT_SECONDS), "next", "the next task")


@CELERY.scenario("events", START_SECONDS)
def events(run):
    tasks, worker, scratch = ORDERED.tasks(run), ORDERED.worker(run), run.scratch()
    shots = scratch / "shots"
    arguments = ("events", "--camera", f"{__package__}.camera.Camera", "--frequency", "0.5", "--pidfile", "")
    with Program(ORDERED.settings, *arguments, environment={"INTEROP_SHOTS": str(shots)}) as watching:
        sent = set()

        def send():
            # Until the program has its queue nobody keeps what the worker tells.
            sent.add(tasks.echo.delay("watched").id)
            time.sleep(0.5)

        def seen():
            watching.running()
            states = [json.loads(line) for line in shots.read_text().splitlines()] if shots.exists() else []
            return any(
                worker.name in shot["workers"] and any(shot["tasks"].get(task) == "SUCCESS" for task in sent) for shot in states
            )

        expect.until(seen, "a picture with the worker and a task that it did", send, seconds=RESULT_SECONDS)


@CELERY.scenario("quorum-queue", 2 * START_SECONDS, own_broker=True)
def quorum_queue(run):
    # A worker that finds quorum queues leaves what is to be done later with the broker: 28 queues with a TTL, each twice
    # that of the next, and topic exchanges between them. Their names are the same for every application.
    application = Application("quorum", own_broker=True, quorum=True, concurrency=1)
    tasks, scratch = application.tasks(run), run.scratch()
    with application.worker(run) as worker, tasks.app.connection_for_read() as connection:
        expect.equal(tasks.echo.delay("now").get(timeout=RESULT_SECONDS), "now", "a task that is due")
        channel = connection.default_channel
        for level in range(28):
            Queue(f"celery_delayed_{level}")(channel).queue_declare(passive=True)
        started = time.time()
        late = tasks.note_time.apply_async((str(scratch / "late"),), countdown=DELAY_SECONDS)
        inspect = tasks.app.control.inspect([worker.name], timeout=60)
        expect.equal(inspect.scheduled(), {worker.name: []}, "tasks of the future that the worker keeps itself")
        expect.equal(tasks.echo.delay("soon").get(timeout=RESULT_SECONDS), "soon", "a task that is due meanwhile")
        late.get(timeout=RESULT_SECONDS)
        waited = float((scratch / "late").read_text()) - started
        expect.true(DELAY_SECONDS - SLACK_SECONDS <= waited <= DELAY_SECONDS + LATE_SECONDS_MAX, f"waited for {waited} seconds")
        started = time.time()
        restarted = tasks.note_time.apply_async((str(scratch / "restarted"),), countdown=DELAY_SECONDS)
        run.restart("kill")
        restarted.get(timeout=RESULT_SECONDS)
        waited = float((scratch / "restarted").read_text()) - started
        expect.true(waited >= DELAY_SECONDS - SLACK_SECONDS, f"waited for {waited} seconds over a restart")


@CELERY.scenario("flower", 2 * START_SECONDS)
def flower(run):
    tasks, worker, scratch = ORDERED.tasks(run), ORDERED.worker(run), run.scratch()
    # Bound and never listened at: Flower may listen there, and nobody else is given the port before it does.
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    port = kept.getsockname()[1]
    settings = Settings(**{**vars(ORDERED.settings), "broker": ORDERED.settings.broker.replace("/%2F", "//")})
    arguments = ("flower", "--address=127.0.0.1", f"--port={port}", f"--broker-api={os.environ['INTEROP_MANAGEMENT_URL']}/api/")
    queue = ORDERED.settings.queue

    with kept, Program(settings, *arguments, environment={"FLOWER_UNAUTHENTICATED_API": "true"}) as watching:
        def page(path):
            watching.running()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=expect.WAIT_SECONDS) as answer:
                    return answer.read().decode()
            except OSError:
                return ""

        def wait_for(condition, what):
            return expect.until(condition, what, lambda: time.sleep(0.2), seconds=RESULT_SECONDS)

        wait_for(lambda: page("/healthcheck") == "OK", "Flower has started")

        def queues():
            # What a worker has not answered within Flower's own second is missing until it is asked again.
            workers = json.loads(page("/api/workers?refresh=true") or "{}")
            return {name: [each["name"] for each in told.get("active_queues", [])] for name, told in workers.items()}

        wait_for(lambda: queues() == {worker.name: [queue]}, "the worker and its queue")
        started, release = scratch / "started", scratch / "release"
        held = tasks.hold.delay(str(started), str(release))
        expect.until(started.exists, "the task has started", seconds=RESULT_SECONDS)
        waiting = [tasks.echo.delay(number) for number in range(3)]

        def lengths():
            told = json.loads(page("/api/queues/length") or "{}")
            return {each["name"]: each["messages"] for each in told.get("active_queues", [])}

        wait_for(lambda: lengths() == {queue: len(waiting) + 1}, "the tasks that wait and the one under way")
        # Flower gives the broker's HTTP API a second, and else shows the page without queues.
        wait_for(lambda: all(part in page("/broker") for part in (queue, "Messages", "Unacked")), "the page of the broker")
        release.touch()
        for result in [held, *waiting]:
            result.get(timeout=RESULT_SECONDS)
        wait_for(lambda: json.loads(page(f"/api/task/info/{held.id}") or "{}").get("state") == "SUCCESS", "the state of the task")
