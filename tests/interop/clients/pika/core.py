"""The core rows that no tutorial has. pika does not connect again by itself: its users do, as here."""

import time

import pika
from pika.exceptions import AMQPConnectionError, AMQPError, ChannelClosedByBroker

from .. import expect, payload
from .client import PIKA, connected, connected_to, take, wait

PERSISTENT = pika.BasicProperties(delivery_mode=2)


@PIKA.scenario("declare")
def declare(run):
    arguments = {"x-max-length": 10, "x-overflow": "reject-publish"}
    queue = run.queue()
    with connected(run) as connection:
        channel = connection.channel()
        for kind in payload.EXCHANGE_TYPES:
            exchange = run.exchange(kind)
            for _ in range(2):
                channel.exchange_declare(exchange, kind, durable=True)
            channel.exchange_declare(exchange, passive=True)
        for _ in range(2):
            declared = channel.queue_declare(queue, durable=True, arguments=arguments).method
            expect.equal((declared.queue, declared.message_count, declared.consumer_count), (queue, 0, 0), "declared")
        with_other_limit = {**arguments, "x-max-length": 11}
        closed = expect.raises(
            ChannelClosedByBroker,
            lambda: connection.channel().queue_declare(queue, durable=True, arguments=with_other_limit),
            "another limit",
        )
        expect.equal(closed.reply_code, 406, "code")
        channel.queue_delete(queue)
        closed = expect.raises(ChannelClosedByBroker, lambda: channel.queue_declare(queue, passive=True), "a deleted queue")
        expect.equal(closed.reply_code, 404, "code")


@PIKA.scenario("bind")
def bind(run):
    source, target, queue = run.exchange("topic"), run.exchange("fanout"), run.queue()
    with connected(run) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.exchange_declare(source, "topic")
        channel.exchange_declare(target, "fanout")
        channel.queue_declare(queue)
        channel.queue_bind(queue, source, "a.*")
        channel.exchange_bind(target, source, "b.#")
        channel.queue_bind(queue, target)

        def got():
            for key in ("a.one", "b.one.two", "c"):
                channel.basic_publish(source, key, key.encode())
            return take(connection, channel, queue, channel.queue_declare(queue, passive=True).method.message_count)

        expect.equal(got(), [b"a.one", b"b.one.two"], "bound")
        channel.queue_unbind(queue, source, "a.*")
        expect.equal(got(), [b"b.one.two"], "with one binding less")
        channel.exchange_unbind(target, source, "b.#")
        expect.equal(got(), [], "without a way from the source")


@PIKA.scenario("consume-ack-prefetch")
def consume_ack_prefetch(run):
    queue = run.queue()
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue)
        for number in range(5):
            channel.basic_publish("", queue, b"%d" % number)
        channel.basic_qos(prefetch_count=2)
        held = []
        channel.basic_consume(queue, lambda _c, method, _p, body: held.append((method, body)))
        wait(connection, lambda: len(held) == 2, "as many as the prefetch")
        # A round trip on the same channel: a third delivery would have come before its answer.
        expect.equal(channel.queue_declare(queue, passive=True).method.message_count, 3, "messages that wait")
        expect.equal([body for _, body in held], [b"0", b"1"], "deliveries")
        channel.basic_ack(held[0][0].delivery_tag)
        wait(connection, lambda: len(held) == 3, "one more for the acknowledged one")
        channel.basic_ack(held[2][0].delivery_tag, multiple=True)
        wait(connection, lambda: len(held) == 5, "the last two")
        channel.close()
        # Neither was acknowledged: both are back at their places, and marked.
        other = connection.channel()
        again = [other.basic_get(queue, auto_ack=True) for _ in range(2)]
        expect.equal([(m.redelivered, body) for m, _, body in again], [(True, b"3"), (True, b"4")], "given back")


@PIKA.scenario("ttl-dead-letter")
def ttl_dead_letter(run):
    exchange, queue, dead = run.exchange("dead-letters"), run.queue("short-lived"), run.queue("dead")
    with connected(run) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange, "direct")
        channel.queue_declare(dead)
        channel.queue_bind(dead, exchange, "expired")
        channel.queue_declare(queue, arguments={
            "x-message-ttl": payload.TTL_MILLISECONDS, "x-dead-letter-exchange": exchange,
            "x-dead-letter-routing-key": "expired",
        })
        started = time.monotonic()
        channel.basic_publish("", queue, b"late", pika.BasicProperties(message_id="7"))
        received = []
        channel.basic_consume(dead, lambda _c, method, properties, body: received.append((method, properties, body)), auto_ack=True)
        wait(connection, lambda: received, "the dead letter")
        expect.true(time.monotonic() - started > payload.TTL_SECONDS_MIN, "the message died too early")
        method, properties, body = received[0]
        expect.equal((method.exchange, method.routing_key), (exchange, "expired"), "address")
        expect.equal((properties.message_id, body), ("7", b"late"), "content")
        death = properties.headers["x-death"][0]
        got = {name: death[name] for name in ("queue", "reason", "exchange", "routing-keys", "count")}
        wanted = {"queue": queue, "reason": "expired", "exchange": "", "routing-keys": [queue], "count": 1}
        expect.equal(got, wanted, "x-death")


@PIKA.scenario("reconnect", deadline_seconds=300)
def reconnect(run):
    queue = run.queue()
    with connected_to(run.restart_url) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, durable=True)
    for how in ("stop", "kill"):
        with connected_to(run.restart_url) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for body in (b"unacked", b"ready"):
                channel.basic_publish("", queue, body, PERSISTENT)
            channel.basic_qos(prefetch_count=1)
            held = []
            channel.basic_consume(queue, lambda _c, _m, _p, body, held=held: held.append(body))
            wait(connection, lambda held=held: held, "the message that is not acknowledged")
            restarted = run.restarting(how)
            lost = expect.raises(AMQPError, lambda: wait(connection, lambda: False, "the end"), "a restart")
            expect.true(isinstance(lost, AMQPConnectionError), f"the connection is lost, got {lost!r}")
            restarted.result()
        with connected_to(run.restart_url) as connection:
            got = take(connection, connection.channel(), queue, 2)
            expect.equal(got, [b"unacked", b"ready"], f"messages after the broker's {how}")
