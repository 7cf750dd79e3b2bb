"""How messages reach consumers and come back: get, nack, the end of a queue, heartbeats."""

import time

from amqp import Message

from .. import expect
from .client import PY_AMQP, connected, serve, wait

HEARTBEAT_SECONDS = 6


@PY_AMQP.scenario("get")
def get(run):
    queue = run.queue()
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, auto_delete=False)
        expect.equal(channel.basic_get(queue), None, "get from an empty queue")
        for body in ("first", "second"):
            channel.basic_publish(Message(body), routing_key=queue)
        first = channel.basic_get(queue)
        expect.equal((first.body, first.delivery_info["message_count"]), ("first", 1), "first get")
        channel.basic_ack(first.delivery_tag)
        expect.equal(channel.queue_purge(queue), 1, "purged messages")
        expect.equal(channel.basic_get(queue), None, "get at the end")


@PY_AMQP.scenario("nack-requeue")
def nack_requeue(run):
    queue = run.queue()
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, auto_delete=False)
        for number in range(3):
            channel.basic_publish(Message(str(number)), routing_key=queue)
        # py-amqp has basic.reject and basic.recover.
        taken = [channel.basic_get(queue) for _ in range(2)]
        expect.equal([(m.body, m.delivery_info["redelivered"]) for m in taken], [("0", False), ("1", False)], "taken")
        channel.basic_reject(taken[0].delivery_tag, requeue=True)
        again = channel.basic_get(queue)
        expect.equal((again.body, again.delivery_info["redelivered"]), ("0", True), "after the reject")
        channel.basic_reject(again.delivery_tag, requeue=False)
        channel.basic_recover(requeue=True)
        last = [channel.basic_get(queue, no_ack=True) for _ in range(2)]
        expect.equal([(m.body, m.delivery_info["redelivered"]) for m in last], [("1", True), ("2", False)], "recovered")
        expect.equal(channel.basic_get(queue), None, "get at the end")


@PY_AMQP.scenario("cancel-notify")
def cancel_notify(run):
    queue = run.queue()
    with connected(run) as connection, connected(run) as other:
        channel = connection.channel()
        channel.queue_declare(queue, auto_delete=False)
        cancelled = []
        # py-amqp finds the callback by the tag that was asked for, so it must be ours.
        channel.basic_consume(queue, "tag", callback=lambda _: None, on_cancel=cancelled.append)
        other.channel().queue_delete(queue)
        wait(connection, lambda: cancelled, "the cancellation")
        expect.equal(cancelled, ["tag"], "cancelled consumers")
        channel.queue_declare(queue, auto_delete=False)


@PY_AMQP.scenario("heartbeat")
def heartbeat(run):
    with connected(run, heartbeat=HEARTBEAT_SECONDS) as alive, connected(run, heartbeat=HEARTBEAT_SECONDS) as silent:
        expect.equal((alive.heartbeat, silent.heartbeat), (HEARTBEAT_SECONDS, HEARTBEAT_SECONDS), "negotiated heartbeat")
        # py-amqp sends heartbeats, and misses the broker's, only in heartbeat_tick.
        started = time.monotonic()
        error = None
        while error is None and time.monotonic() < started + expect.WAIT_SECONDS:
            alive.heartbeat_tick()
            serve(alive)
            try:
                serve(silent)
            except OSError as closed:
                error = closed
        expect.true(error is not None, "the broker keeps a connection that is silent for a minute")
        expect.true(time.monotonic() - started > HEARTBEAT_SECONDS, "a silent connection is dropped too early")
        # Outlive the silent one, so that the heartbeats and not the order of events are why this one is open.
        ends = time.monotonic() + 3 * HEARTBEAT_SECONDS
        while time.monotonic() < ends:
            alive.heartbeat_tick()
            serve(alive)
        alive.channel().close()
