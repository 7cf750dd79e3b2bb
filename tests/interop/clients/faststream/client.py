"""How the scenarios connect, wait and clean up with FastStream."""

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import Any, Callable

import aio_pika
from faststream.rabbit import RabbitBroker, RabbitQueue

from .. import expect
from ..scenario import Run, Scenarios

AGAIN_SECONDS = 0.2
POLL_SECONDS = 0.02


def broker_of(url: str, **options: Any) -> RabbitBroker:
    """A broker, as FastStream calls its side of the connection; it is started when its subscribers are known."""
    return RabbitBroker(url, reconnect_interval=AGAIN_SECONDS, log_level=logging.WARNING, **options)


@asynccontextmanager
async def started(broker: RabbitBroker):
    """Connects, starts the subscribers, and stops all of it afterwards."""
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


async def ready(broker: RabbitBroker, queue: str) -> int:
    """How many messages wait in a queue that is there."""
    # aio-pika remembers what it declared; a look past that is a declaration of its own.
    underlay = await (await broker.declare_queue(RabbitQueue(queue, declare=False))).channel.get_underlay_channel()
    return (await underlay.queue_declare(queue, passive=True)).message_count


async def clean(run: Run) -> None:
    """Deletes what the run made: deleting what is gone already is no error."""
    if not run.made:
        return
    async with await aio_pika.connect(run.url) as connection:
        channel = await connection.channel()
        for kind, name in run.made:
            if kind == "queue":
                await channel.queue_delete(name)
            else:
                await channel.exchange_delete(name)


FASTSTREAM = Scenarios("faststream", clean)


async def wait(condition: Callable[[], Any], what: str, seconds: float = expect.WAIT_SECONDS) -> None:
    """Lets the event loop run until the condition holds."""
    ends = asyncio.get_running_loop().time() + seconds
    while not condition():
        expect.true(asyncio.get_running_loop().time() < ends, f"not within {seconds} seconds: {what}")
        await asyncio.sleep(POLL_SECONDS)
