"""The core rows that no tutorial has. A robust connection comes back by itself, with its channels and consumers."""

import asyncio

import aio_pika
from aio_pika import DeliveryMode, Message
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from .. import expect, payload
from .client import AIO_PIKA, CONNECT_SECONDS, connected, raises, wait

AGAIN_SECONDS = 0.2
RECONNECT_SECONDS = 60


@AIO_PIKA.scenario("declare")
async def declare(run):
    name, arguments = run.queue(), {"x-max-length": 10, "x-overflow": "reject-publish"}
    async with connected(run) as connection:
        channel = await connection.channel()
        for kind in payload.EXCHANGE_TYPES:
            exchange = run.exchange(kind)
            for _ in range(2):
                await channel.declare_exchange(exchange, kind, durable=True)
            await channel.get_exchange(exchange, ensure=True)
        for _ in range(2):
            queue = await channel.declare_queue(name, durable=True, arguments=arguments)
            declared = queue.declaration_result
            expect.equal((declared.queue, declared.message_count, declared.consumer_count), (name, 0, 0), "declared")
        other = await connection.channel()
        again = other.declare_queue(name, durable=True, arguments={**arguments, "x-max-length": 11})
        await raises(ChannelPreconditionFailed, again, "another limit")
        await channel.queue_delete(name)
        await raises(ChannelNotFoundEntity, channel.declare_queue(name, passive=True), "a deleted queue")
        expect.true(not connection.is_closed, "the connection is still open")


@AIO_PIKA.scenario("bind")
async def bind(run):
    async with connected(run) as connection:
        channel = await connection.channel()
        source = await channel.declare_exchange(run.exchange("topic"), "topic")
        target = await channel.declare_exchange(run.exchange("fanout"), "fanout")
        queue = await channel.declare_queue(run.queue())
        await queue.bind(source, "a.*")
        await target.bind(source, "b.#")
        await queue.bind(target)

        async def got():
            for key in ("a.one", "b.one.two", "c"):
                await source.publish(Message(key.encode()), key, mandatory=False)
            bodies = []
            while message := await queue.get(no_ack=True, fail=False):
                bodies.append(message.body)
            return bodies

        expect.equal(await got(), [b"a.one", b"b.one.two"], "bound")
        await queue.unbind(source, "a.*")
        expect.equal(await got(), [b"b.one.two"], "with one binding less")
        await target.unbind(source, "b.#")
        expect.equal(await got(), [], "without a way from the source")


@AIO_PIKA.scenario("consume-ack-prefetch")
async def consume_ack_prefetch(run):
    async with connected(run) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(run.queue())
        for number in range(5):
            await channel.default_exchange.publish(Message(b"%d" % number), queue.name)
        await channel.set_qos(prefetch_count=2)
        held = []
        await queue.consume(held.append)
        await wait(lambda: len(held) == 2, "as many as the prefetch")
        # A round trip on the same channel: a third delivery would have come before its answer.
        declared = await channel.declare_queue(queue.name, passive=True)
        expect.equal(declared.declaration_result.message_count, 3, "messages that wait")
        expect.equal([message.body for message in held], [b"0", b"1"], "deliveries")
        await held[0].ack()
        await wait(lambda: len(held) == 3, "one more for the acknowledged one")
        await held[2].ack(multiple=True)
        await wait(lambda: len(held) == 5, "the last two")
        await channel.close()
        # Neither was acknowledged: both are back at their places, and marked.
        other = await (await connection.channel()).get_queue(queue.name)
        again = [await other.get(no_ack=True) for _ in range(2)]
        expect.equal([(each.redelivered, each.body) for each in again], [(True, b"3"), (True, b"4")], "given back")


@AIO_PIKA.scenario("ttl-dead-letter")
async def ttl_dead_letter(run):
    async with connected(run) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(run.exchange("dead-letters"), "direct")
        dead = await channel.declare_queue(run.queue("dead"))
        await dead.bind(exchange, "expired")
        queue = await channel.declare_queue(run.queue("short-lived"), arguments={
            "x-message-ttl": payload.TTL_MILLISECONDS, "x-dead-letter-exchange": exchange.name,
            "x-dead-letter-routing-key": "expired",
        })
        received = []
        await dead.consume(received.append, no_ack=True)
        started = asyncio.get_running_loop().time()
        await channel.default_exchange.publish(Message(b"late", message_id="7"), queue.name)
        await wait(lambda: received, "the dead letter")
        lived = asyncio.get_running_loop().time() - started
        expect.true(lived > payload.TTL_SECONDS_MIN, "the message died too early")
        message = received[0]
        expect.equal((message.exchange, message.routing_key), (exchange.name, "expired"), "address")
        expect.equal((message.message_id, message.body), ("7", b"late"), "content")
        death = message.headers["x-death"][0]
        got = {name: death[name] for name in ("queue", "reason", "exchange", "routing-keys", "count")}
        wanted = {"queue": queue.name, "reason": "expired", "exchange": "", "routing-keys": [queue.name], "count": 1}
        expect.equal(got, wanted, "x-death")


@AIO_PIKA.scenario("reconnect", deadline_seconds=300)
async def reconnect(run):
    connection = await aio_pika.connect_robust(run.restart_url, timeout=CONNECT_SECONDS, reconnect_interval=AGAIN_SECONDS)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        queue = await channel.declare_queue(run.queue(), durable=True)
        held = []
        await queue.consume(held.append)
        for how in ("stop", "kill"):
            held.clear()
            for body in (b"unacked", b"ready"):
                message = Message(body, delivery_mode=DeliveryMode.PERSISTENT)
                await channel.default_exchange.publish(message, queue.name)
            await wait(lambda: held, "the message that is not acknowledged")
            await asyncio.to_thread(run.restart, how)
            # Nothing is asked for again: the consumer is back as it was, and so are both messages.
            for number, body in enumerate((b"unacked", b"ready"), start=1):
                async with asyncio.timeout(RECONNECT_SECONDS):
                    await wait(lambda number=number: len(held) > number, f"{body} after the broker's {how}")
                expect.equal((held[number].body, held[number].redelivered or number == 2), (body, True), "delivery")
                await held[number].ack()
            # An acknowledgement has no answer: this one on the same channel does.
            expect.equal(await queue.get(fail=False), None, "a third message")
