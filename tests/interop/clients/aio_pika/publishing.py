"""What a publisher is promised: confirms, returns, transactions, and its properties and bodies unchanged."""

import asyncio
import datetime
from decimal import Decimal
from urllib.parse import unquote, urlsplit

from aio_pika import DeliveryMode, Message
from aio_pika.exceptions import PublishError

from .. import expect, payload
from .client import AIO_PIKA, connected, raises, wait

CHANNELS = 1000


@AIO_PIKA.scenario("confirmed-publish")
async def confirms(run):
    async with connected(run) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(run.queue(), durable=True)

        async def publish(number):
            mode = DeliveryMode.PERSISTENT if number % 2 else DeliveryMode.NOT_PERSISTENT
            return await channel.default_exchange.publish(Message(b"%d" % number, delivery_mode=mode), queue.name)

        # All at once: the broker may confirm several with one frame, and each publish must be answered.
        async with asyncio.timeout(expect.WAIT_SECONDS):
            confirmed = await asyncio.gather(*(publish(number) for number in range(500)))
        expect.equal({type(frame).__name__ for frame in confirmed}, {"Ack"}, "confirms")
        declared = await channel.declare_queue(queue.name, passive=True)
        expect.equal(declared.declaration_result.message_count, 500, "confirmed messages")


@AIO_PIKA.scenario("return")
async def returns(run):
    nowhere = run.queue("nowhere")
    async with connected(run) as connection:
        channel = await connection.channel(on_return_raises=True)
        queue = await channel.declare_queue(run.queue())
        await channel.default_exchange.publish(Message(b"routable"), queue.name, mandatory=True)
        unroutable = channel.default_exchange.publish(Message(b"returned", message_id="7"), nowhere, mandatory=True)
        error = await raises(PublishError, unroutable, "an unroutable message")
        expect.equal((error.message.delivery.reply_code, error.message.delivery.reply_text), (312, "NO_ROUTE"), "reason")
        expect.equal((error.message.body, error.message.header.properties.message_id), (b"returned", "7"), "content")

        listening = await connection.channel()
        returned = []
        listening.return_callbacks.add(lambda _channel, message: returned.append(message))
        # The publish ends with the acknowledgement, so the return must have come before.
        await listening.default_exchange.publish(Message(b"again"), nowhere, mandatory=True)
        expect.equal([(message.body, message.routing_key) for message in returned], [(b"again", nowhere)], "returned")


@AIO_PIKA.scenario("tx")
async def tx(run):
    async with connected(run) as connection:
        channel = await connection.channel(publisher_confirms=False)
        queue = await channel.declare_queue(run.queue())
        transaction = channel.transaction()
        await transaction.select()
        await channel.default_exchange.publish(Message(b"rolled back"), queue.name)
        await transaction.rollback()
        await channel.default_exchange.publish(Message(b"committed"), queue.name)
        expect.equal(await queue.get(fail=False), None, "message before the commit")
        await transaction.commit()
        message = await queue.get(no_ack=True)
        expect.equal(message.body, b"committed", "body")
        expect.equal(await queue.get(fail=False), None, "a second message")


@AIO_PIKA.scenario("properties")
async def properties(run):
    moment = datetime.datetime(2024, 2, 29, 12, 30, 15, tzinfo=datetime.timezone.utc)
    headers = {
        "text": "grüße", "empty": "", "true": True, "false": False, "byte": 5, "short": 300, "negative": -70000,
        "large": 2**40, "double": 1.5, "decimal": Decimal("12.34"), "nothing": None, "moment": moment,
        "bytes": bytearray(b"\x00\xff"),
        "list": ["a", 1, [True, None], {"deep": {"deeper": ["bottom"]}}], "empty list": [],
        "table": {"inner": {"innermost": {"number": 1}}, "empty": {}},
    }
    sent = {
        "content_type": "application/json", "content_encoding": "utf-8", "priority": 9,
        "correlation_id": "correlation", "reply_to": "reply", "expiration": 600.0, "message_id": "message",
        "timestamp": moment, "type": "type", "user_id": unquote(urlsplit(run.url).username), "app_id": "application",
        "delivery_mode": DeliveryMode.PERSISTENT,
    }
    async with connected(run) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(run.queue())
        await channel.default_exchange.publish(Message(b"{}", headers=headers, **sent), queue.name)
        received = await queue.get(no_ack=True)
        expect.equal(received.body, b"{}", "body")
        for name, value in headers.items():
            expect.equal(received.headers.get(name, "missing"), value, f"header {name}")
        expect.equal(set(received.headers), set(headers), "names of the headers")
        for name, value in sent.items():
            expect.equal(getattr(received, name), value, name)


@AIO_PIKA.scenario("message-16mb", deadline_seconds=300)
async def message_16mb(run):
    body = payload.large_body()
    async with connected(run) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(run.queue())
        received = []
        await queue.consume(received.append, no_ack=True)
        await channel.default_exchange.publish(Message(body), queue.name, timeout=expect.WAIT_SECONDS)
        await wait(lambda: received, "the large message")
        expect.true(received[0].body == body, f"the large body came back changed, {len(received[0].body)} bytes")


@AIO_PIKA.scenario("channels-1000", deadline_seconds=300)
async def channels_1000(run):
    async with connected(run) as connection:
        # Opened and used all at the same time.
        channels = await asyncio.gather(*(connection.channel().__aenter__() for _ in range(CHANNELS)))
        expect.equal(len({channel.number for channel in channels}), CHANNELS, "channels")
        queue = await channels[0].declare_queue(run.queue())
        await asyncio.gather(*(
            channel.default_exchange.publish(Message(b"%d" % channel.number), queue.name) for channel in channels
        ))
        queues = [await channel.get_queue(queue.name, ensure=False) for channel in channels]
        got = await asyncio.gather(*(each.get(no_ack=True) for each in queues))
        expect.equal({message.body for message in got}, {b"%d" % channel.number for channel in channels}, "bodies")
        await asyncio.gather(*(channel.close() for channel in channels))
        expect.true(not connection.is_closed, "the connection is still open")
