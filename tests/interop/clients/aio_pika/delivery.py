"""How messages reach consumers and come back: get, nack, the end of a queue, heartbeats."""

import asyncio

from aio_pika import Message
from aio_pika.exceptions import QueueEmpty

from .. import expect
from .client import AIO_PIKA, connected, raises, wait

HEARTBEAT_SECONDS = 6
# aiormq gives a broker up that was silent for three times its heartbeat and one.
IDLE_SECONDS = 3 * (HEARTBEAT_SECONDS + 1) + 1


@AIO_PIKA.scenario("get")
async def get(run):
    async with connected(run) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(run.queue())
        await raises(QueueEmpty, queue.get(), "get from an empty queue")
        for body in (b"first", b"second"):
            await channel.default_exchange.publish(Message(body), queue.name)
        first = await queue.get()
        expect.equal((first.body, first.message_count, first.redelivered), (b"first", 1, False), "first get")
        await first.ack()
        expect.equal((await queue.purge()).message_count, 1, "purged messages")
        await raises(QueueEmpty, queue.get(), "get at the end")


@AIO_PIKA.scenario("nack-requeue")
async def nack_requeue(run):
    async with connected(run) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(run.queue())
        received = []
        await channel.set_qos(prefetch_count=1)

        async def first_time_back(message):
            received.append((message.body, message.redelivered))
            if message.redelivered:
                await message.ack()
            else:
                await message.nack(requeue=True)

        for body in (b"a", b"b"):
            await channel.default_exchange.publish(Message(body), queue.name)
        await queue.consume(first_time_back)
        await wait(lambda: len(received) >= 4, "both messages twice")
        # Each goes back to its place, so its second delivery comes before the next message.
        expect.equal(received, [(b"a", False), (b"a", True), (b"b", False), (b"b", True)], "deliveries")


@AIO_PIKA.scenario("cancel-notify")
async def cancel_notify(run):
    async with connected(run) as connection, connected(run) as other:
        channel = await connection.channel()
        queue = await channel.declare_queue(run.queue())
        underlay = await channel.get_underlay_channel()
        tag = await queue.consume(lambda _: None)
        expect.true(tag in underlay.consumers, "the consumer is registered")
        await (await other.channel()).queue_delete(queue.name)
        # aiormq forgets a consumer that the broker has cancelled.
        await wait(lambda: tag not in underlay.consumers, "the cancellation")
        await channel.declare_queue(queue.name)


@AIO_PIKA.scenario("heartbeat")
async def heartbeat(run):
    async with connected(run, heartbeat=HEARTBEAT_SECONDS) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(run.queue())
        # Being idle is what is tested, for as long as either side could give the other up.
        await asyncio.sleep(IDLE_SECONDS)
        expect.true(not connection.is_closed, "the connection is still open")
        await channel.default_exchange.publish(Message(b"still here"), queue.name)
        expect.equal((await queue.get(no_ack=True)).body, b"still here", "message after idling")
