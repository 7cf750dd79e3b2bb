"""The core rows, as far as Dramatiq has them."""

import time

import dramatiq.brokers.rabbitmq as rabbitmq
from dramatiq.common import xq_name
from dramatiq.errors import ConnectionClosed

from .. import expect, payload
from .client import DRAMATIQ, PRIORITY_MAX, Worker, connected, queue_of, send

RESTART_SECONDS = 300
# Long enough that it is looked at twice before it is over.
DEAD_SECONDS = 10
TAKE_MILLISECONDS = 60_000

DRAMATIQ.not_applicable("bind", "it publishes to the default exchange only")
DRAMATIQ.not_applicable("get", "it only consumes")
DRAMATIQ.not_applicable("rpc-reply-to", "its results do not come over the broker")


@DRAMATIQ.scenario("declare")
def declare(run):
    queue = queue_of(run)
    for _ in range(2):
        with connected(run.url) as broker:
            broker.declare_queue(queue, ensure=True)
            expect.equal(broker.get_queue_message_counts(queue), (0, 0, 0), "messages in its three queues")
    with connected(run.url, max_priority=PRIORITY_MAX - 1) as broker:
        error = expect.raises(ConnectionClosed, lambda: broker.declare_queue(queue, ensure=True), "another limit")
        expect.contains(error, ("406", "x-max-priority"), "error")


@DRAMATIQ.scenario("confirmed-publish")
def confirmed_publish(run):
    queue = queue_of(run)
    with connected(run.url) as broker:
        for number in range(100):
            send(broker, queue, "note", number)
        send(broker, queue, "note", "later", delay=60_000)
        expect.equal(broker.get_queue_message_counts(queue), (100, 1, 0), "confirmed messages")


@DRAMATIQ.scenario("consume-ack-prefetch")
def consume_ack_prefetch(run):
    queue = queue_of(run)
    with connected(run.url) as broker:
        for number in range(5):
            send(broker, queue, "note", number)
        consumer = broker.consume(queue, prefetch=2, timeout=TAKE_MILLISECONDS)
        held = [next(consumer) for _ in range(2)]
        expect.equal([message.args for message in held], [(0,), (1,)], "deliveries")
        expect.equal(broker.get_queue_message_counts(queue), (3, 0, 0), "messages that wait")
        consumer.ack(held[0])
        held.append(next(consumer))
        expect.equal(held[2].args, (2,), "one more for the acknowledged one")
        consumer.close()
        # Two were not acknowledged: both are back at their places, and marked.
        consumer = broker.consume(queue, prefetch=4, timeout=TAKE_MILLISECONDS)
        again = [next(consumer) for _ in range(4)]
        got = [(message.args, message.redelivered) for message in again]
        expect.equal(got, [((1,), True), ((2,), True), ((3,), False), ((4,), False)], "given back")
        consumer.close()


@DRAMATIQ.scenario("return")
def returned(run):
    queue = queue_of(run)
    with connected(run.url) as broker, connected(run.url) as other:
        send(broker, queue, "note", "first")
        other.channel.queue_delete(queue)
        # This one is mandatory and comes back: Dramatiq declares the queue again and sends it once more.
        send(broker, queue, "note", "second")
        expect.equal(broker.get_queue_message_counts(queue), (1, 0, 0), "messages in the queue")


@DRAMATIQ.scenario("ttl-dead-letter")
def ttl_dead_letter(run):
    queue = queue_of(run)
    # What fails for good lives for a week among the dead letters; here for a moment.
    usual, rabbitmq.DEAD_MESSAGE_TTL = rabbitmq.DEAD_MESSAGE_TTL, 1000 * DEAD_SECONDS
    try:
        with connected(run.url) as broker:
            send(broker, queue, "note", "dead")
            consumer = broker.consume(queue, timeout=TAKE_MILLISECONDS)
            started = time.monotonic()
            consumer.nack(next(consumer))
            consumer.close()
            dead = broker.consume(xq_name(queue), timeout=TAKE_MILLISECONDS)
            message = next(dead)
            expect.equal((message.args, message.queue_name), (("dead",), queue), "the dead letter")
            dead.close()
            # Not acknowledged, it is back among the dead, as old as it was.
            expect.equal(broker.get_queue_message_counts(queue), (0, 0, 1), "dead letters")
            expect.until(lambda: broker.get_queue_message_counts(queue) == (0, 0, 0), "the dead letter expires")
            expect.true(time.monotonic() - started > DEAD_SECONDS - payload.COARSE_MILLISECONDS / 1000, "it expired too early")
    finally:
        rabbitmq.DEAD_MESSAGE_TTL = usual


@DRAMATIQ.scenario("reconnect", RESTART_SECONDS)
def reconnect(run):
    queue, scratch = queue_of(run), run.scratch()
    with Worker(run.restart_url, queue), connected(run.restart_url) as broker:
        for how in ("stop", "kill"):
            started, release, notes = (scratch / f"{name}.{how}" for name in ("started", "release", "notes"))
            send(broker, queue, "hold", str(started), str(release))
            expect.until(started.exists, "the actor has started")
            send(broker, queue, "note", str(notes), "ready")
            run.restart(how)
            # Sent by a connection that was lost: Dramatiq makes another.
            send(broker, queue, "note", str(notes), "after")
            release.touch()
            expect.until(
                lambda notes=notes: notes.exists() and notes.read_text().split() == ["ready", "after"],
                f"both messages after the broker's {how}", seconds=RESTART_SECONDS / 3,
            )
            expect.until(lambda: broker.get_queue_message_counts(queue) == (0, 0, 0), "no message is left")
