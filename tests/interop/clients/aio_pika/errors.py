"""What goes wrong for one channel or one connection, and stays there."""

from aio_pika import Message
from aio_pika.exceptions import ChannelClosed, ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused, ChannelLockedResource

from .. import expect
from .client import AIO_PIKA, connected, raises


@AIO_PIKA.scenario("channel-error")
async def channel_error(run):
    absent = run.queue("absent")
    async with connected(run) as connection:
        bystander = await connection.channel()
        queue = await bystander.declare_queue(run.queue(), durable=True)
        attempts = [
            (ChannelNotFoundEntity, ("no queue", absent), lambda channel: channel.get_queue(absent)),
            (ChannelNotFoundEntity, ("no exchange", absent), lambda channel: channel.get_exchange(absent)),
            (ChannelPreconditionFailed, ("inequivalent arg 'durable'",), lambda channel: channel.declare_queue(queue.name)),
            (ChannelAccessRefused, ("amq.",), lambda channel: channel.declare_queue("amq.mine")),
            # The publish that is under way learns that its channel was closed.
            (ChannelClosed, ("no exchange", absent), lambda channel: publish_to(channel, absent)),
        ]
        for kind, texts, attempt in attempts:
            channel = await connection.channel()
            error = await raises(kind, attempt(channel), f"an attempt that deserves {kind.__name__}")
            expect.contains(error, texts, "reply text")
            expect.true(channel.is_closed and not connection.is_closed, "only the channel is closed")
            await bystander.default_exchange.publish(Message(b"going on"), queue.name)
            expect.equal((await queue.get(no_ack=True)).body, b"going on", "message on another channel")


async def publish_to(channel, exchange):
    await (await channel.get_exchange(exchange, ensure=False)).publish(Message(b""), "")


@AIO_PIKA.scenario("exclusive-queue")
async def exclusive_queue(run):
    name = run.queue()
    async with connected(run) as other:
        async with connected(run) as owner:
            await (await owner.channel()).declare_queue(name, exclusive=True)
            for attempt in (
                lambda channel: channel.get_queue(name),
                lambda channel: channel.declare_queue(name, exclusive=True),
                lambda channel: channel.queue_delete(name),
            ):
                error = await raises(ChannelLockedResource, attempt(await other.channel()), "a locked queue")
                expect.contains(error, ("exclusive access to locked queue", name), "reply text")
        await (await other.channel()).declare_queue(name)
