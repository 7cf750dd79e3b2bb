"""The core rows, as far as an application of Celery has them."""

from amqp.exceptions import PreconditionFailed
from kombu import Exchange, Queue

from .. import expect, payload
from .client import CELERY, MAIN, Application
from .scenarios import RESULT_SECONDS, START_SECONDS

RESTART_SECONDS = 300

CELERY.not_applicable("return", "its publisher looks at no returned message")
CELERY.not_applicable("get", "it only consumes")
CELERY.not_applicable("rpc-reply-to", "its answers come to queues that the caller declares")


@CELERY.scenario("declare", START_SECONDS)
def declare(run):
    tasks = MAIN.tasks(run)
    exchanges = [Exchange(run.exchange(kind), kind) for kind in payload.EXCHANGE_TYPES]
    queue = Queue(run.queue(), exchanges[0], "key", queue_arguments={"x-max-length": 10})
    # Celery declares what it publishes to.
    for exchange in exchanges:
        for number in range(2):
            tasks.echo.apply_async((number,), queue=queue, declare=[queue, exchange], ignore_result=True)
    other = Queue(queue.name, queue.exchange, "key", queue_arguments={"x-max-length": 11})
    with tasks.app.connection_for_write() as connection, connection.channel() as channel:
        # By a connection that has not declared it yet: each remembers by name what it has.
        expect.raises(
            PreconditionFailed, lambda: tasks.echo.apply_async((0,), queue=other, connection=connection), "another limit"
        )
        expect.equal(queue(channel).queue_declare(passive=True).message_count, 2 * len(exchanges), "tasks in the queue")
        for entity in (queue, *exchanges):
            entity(channel).delete()


@CELERY.scenario("bind", START_SECONDS)
def bind(run):
    tasks, worker = MAIN.tasks(run), MAIN.worker(run)
    exchange, queue = Exchange(run.exchange("topic"), "topic"), run.queue()
    control = tasks.app.control
    # The worker declares the queue, binds it by the pattern and consumes from it.
    inspect = control.inspect([worker.name], timeout=60)

    def consumed():
        return [each["name"] for each in inspect.active_queues()[worker.name]]

    # Its answer says that it will.
    control.add_consumer(queue, exchange.name, "topic", "a.*", destination=[worker.name], reply=True)
    expect.until(lambda: queue in consumed(), "the worker consumes from another queue")
    result = tasks.echo.apply_async(("bound",), exchange=exchange, routing_key="a.one")
    expect.equal(result.get(timeout=RESULT_SECONDS), "bound", "result of a task by the topic exchange")
    control.cancel_consumer(queue, destination=[worker.name], reply=True)
    expect.until(lambda: queue not in consumed(), "the worker does not consume from it any more")
    for key in ("a.two", "b.one"):
        tasks.echo.apply_async((key,), exchange=exchange, routing_key=key, ignore_result=True)
    with tasks.app.connection_for_write() as connection, connection.channel() as channel:
        expect.equal(Queue(queue)(channel).queue_declare(passive=True).message_count, 1, "tasks that match the pattern")
        Queue(queue)(channel).delete()
        exchange(channel).delete()


@CELERY.scenario("confirmed-publish", START_SECONDS)
def confirmed_publish(run):
    tasks, queue = MAIN.tasks(run), Queue(run.queue())
    # With confirm_publish each call returns once the broker has confirmed.
    for number in range(100):
        tasks.echo.apply_async((number,), queue=queue, ignore_result=True)
    with tasks.app.connection_for_write() as connection, connection.channel() as channel:
        expect.equal(queue(channel).queue_declare(passive=True).message_count, 100, "confirmed tasks")
        queue(channel).delete()


@CELERY.scenario("ttl-dead-letter", START_SECONDS)
def ttl_dead_letter(run):
    tasks = MAIN.tasks(run)
    MAIN.worker(run)
    # Nobody consumes from this queue; what expires in it becomes work.
    waiting = Queue(run.queue("short-lived"), message_ttl=payload.TTL_MILLISECONDS / 1000, queue_arguments={
        "x-dead-letter-exchange": tasks.SETTINGS.queue, "x-dead-letter-routing-key": tasks.SETTINGS.queue,
    })
    result = tasks.deaths.apply_async(queue=waiting)
    deaths = result.get(timeout=RESULT_SECONDS)
    got = {name: deaths[0][name] for name in ("queue", "reason", "count")}
    expect.equal(got, {"queue": waiting.name, "reason": "expired", "count": 1}, "x-death")
    with tasks.app.connection_for_write() as connection, connection.channel() as channel:
        waiting(channel).delete()


@CELERY.scenario("reconnect", RESTART_SECONDS)
def reconnect(run):
    # The results are in files, so that nothing but the work depends on the broker.
    application = Application("restarted", own_broker=True, concurrency=1)
    tasks, scratch = application.tasks(run), run.scratch()
    with application.worker(run) as worker:
        for how in ("stop", "kill"):
            started, release = scratch / f"started.{how}", scratch / f"release.{how}"
            held = tasks.hold.delay(str(started), str(release))
            expect.until(started.exists, "the task has started", seconds=RESULT_SECONDS)
            ready = tasks.echo.delay("ready")
            run.restart(how)
            after = _sent(tasks, "after")
            release.touch()
            expect.equal(held.get(timeout=RESULT_SECONDS), worker.name, f"the task under way at the broker's {how}")
            expect.equal(ready.get(timeout=RESULT_SECONDS), "ready", f"the task that was waiting at the broker's {how}")
            expect.equal(after.get(timeout=RESULT_SECONDS), "after", f"a task sent after the broker's {how}")
        with tasks.app.connection_for_read() as connection:
            def left():
                queue = Queue(application.settings.queue)(connection.default_channel)
                return queue.queue_declare(passive=True).message_count

            expect.until(lambda: left() == 0, "no task is left")


def _sent(tasks, value):
    """Sends a task by a connection of the pool, which was lost."""
    return tasks.echo.apply_async((value,), retry=True, retry_policy={"max_retries": 20, "interval_start": 0.1})
