"""The core rows that no tutorial has. py-amqp does not connect again by itself: kombu above it does."""

import time

from amqp import Message
from amqp.exceptions import AMQPError, NotFound, PreconditionFailed

from .. import expect, payload
from .client import PY_AMQP, bodies_of, connected, connected_to, wait


@PY_AMQP.scenario("declare")
def declare(run):
    arguments = {"x-max-length": 10, "x-overflow": "reject-publish"}
    queue = run.queue()
    with connected(run) as connection:
        channel = connection.channel()
        for kind in payload.EXCHANGE_TYPES:
            exchange = run.exchange(kind)
            for _ in range(2):
                channel.exchange_declare(exchange, kind, durable=True, auto_delete=False)
            channel.exchange_declare(exchange, kind, passive=True)
        for _ in range(2):
            declared = channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments)
            expect.equal(tuple(declared), (queue, 0, 0), "declared")
        other, with_other_limit = connection.channel(), {**arguments, "x-max-length": 11}
        expect.raises(
            PreconditionFailed,
            lambda: other.queue_declare(queue, durable=True, auto_delete=False, arguments=with_other_limit),
            "another limit",
        )
        channel.queue_delete(queue)
        expect.raises(NotFound, lambda: channel.queue_declare(queue, passive=True), "a deleted queue")
        expect.true(connection.connected, "the connection is still open")


@PY_AMQP.scenario("bind")
def bind(run):
    source, target, queue = run.exchange("topic"), run.exchange("fanout"), run.queue()
    with connected(run, confirm_publish=True) as connection:
        channel = connection.channel()
        channel.exchange_declare(source, "topic", auto_delete=False)
        channel.exchange_declare(target, "fanout", auto_delete=False)
        channel.queue_declare(queue, auto_delete=False)
        channel.queue_bind(queue, source, "a.*")
        channel.exchange_bind(target, source, "b.#")
        channel.queue_bind(queue, target)

        def got():
            for key in ("a.one", "b.one.two", "c"):
                channel.basic_publish(Message(key), source, key, timeout=expect.WAIT_SECONDS)
            bodies = []
            while message := channel.basic_get(queue, no_ack=True):
                bodies.append(message.body)
            return bodies

        expect.equal(got(), ["a.one", "b.one.two"], "bound")
        channel.queue_unbind(queue, source, "a.*")
        expect.equal(got(), ["b.one.two"], "with one binding less")
        channel.exchange_unbind(target, source, "b.#")
        expect.equal(got(), [], "without a way from the source")


@PY_AMQP.scenario("consume-ack-prefetch")
def consume_ack_prefetch(run):
    queue = run.queue()
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, auto_delete=False)
        for number in range(5):
            channel.basic_publish(Message(str(number)), routing_key=queue)
        channel.basic_qos(0, 2, False)
        held = []
        channel.basic_consume(queue, callback=held.append)
        wait(connection, lambda: len(held) == 2, "as many as the prefetch")
        # A round trip on the same channel: a third delivery would have come before its answer.
        expect.equal(channel.queue_declare(queue, passive=True).message_count, 3, "messages that wait")
        expect.equal(bodies_of(held), ["0", "1"], "deliveries")
        channel.basic_ack(held[0].delivery_tag)
        wait(connection, lambda: len(held) == 3, "one more for the acknowledged one")
        channel.basic_ack(held[2].delivery_tag, multiple=True)
        wait(connection, lambda: len(held) == 5, "the last two")
        channel.close()
        # Neither was acknowledged: both are back at their places, and marked.
        other = connection.channel()
        again = [other.basic_get(queue, no_ack=True) for _ in range(2)]
        expect.equal([(m.body, m.delivery_info["redelivered"]) for m in again], [("3", True), ("4", True)], "given back")


@PY_AMQP.scenario("ttl-dead-letter")
def ttl_dead_letter(run):
    exchange, queue, dead = run.exchange("dead-letters"), run.queue("short-lived"), run.queue("dead")
    with connected(run) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange, "direct", auto_delete=False)
        channel.queue_declare(dead, auto_delete=False)
        channel.queue_bind(dead, exchange, "expired")
        channel.queue_declare(queue, auto_delete=False, arguments={
            "x-message-ttl": payload.TTL_MILLISECONDS, "x-dead-letter-exchange": exchange,
            "x-dead-letter-routing-key": "expired",
        })
        received = []
        channel.basic_consume(dead, no_ack=True, callback=received.append)
        started = time.monotonic()
        channel.basic_publish(Message("late", message_id="7"), routing_key=queue)
        wait(connection, lambda: received, "the dead letter")
        expect.true(time.monotonic() - started > payload.TTL_SECONDS_MIN, "the message died too early")
        message = received[0]
        address = (message.delivery_info["exchange"], message.delivery_info["routing_key"])
        expect.equal(address, (exchange, "expired"), "address")
        expect.equal((message.message_id, message.body), ("7", "late"), "content")
        death = message.headers["x-death"][0]
        got = {name: death[name] for name in ("queue", "reason", "exchange", "routing-keys", "count")}
        wanted = {"queue": queue, "reason": "expired", "exchange": "", "routing-keys": [queue], "count": 1}
        expect.equal(got, wanted, "x-death")


@PY_AMQP.scenario("reconnect", deadline_seconds=300)
def reconnect(run):
    queue = run.queue()
    with connected_to(run.restart_url) as connection:
        connection.channel().queue_declare(queue, durable=True, auto_delete=False)
    for how in ("stop", "kill"):
        with connected_to(run.restart_url, confirm_publish=True) as connection:
            channel = connection.channel()
            for body in ("unacked", "ready"):
                channel.basic_publish(Message(body, delivery_mode=2), routing_key=queue, timeout=expect.WAIT_SECONDS)
            channel.basic_qos(0, 1, False)
            held = []
            channel.basic_consume(queue, callback=held.append)
            wait(connection, lambda held=held: held, "the message that is not acknowledged")
            restarted = run.restarting(how)
            expect.raises((OSError, AMQPError), lambda: wait(connection, lambda: False, "the end"), "a restart")
            restarted.result()
        with connected_to(run.restart_url) as connection:
            channel = connection.channel()
            got = [channel.basic_get(queue, no_ack=True).body for _ in range(2)]
            expect.equal(got, ["unacked", "ready"], f"messages after the broker's {how}")
