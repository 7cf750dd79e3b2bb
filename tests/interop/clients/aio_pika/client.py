"""How the scenarios connect, wait and clean up with aio-pika."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import aio_pika

from .. import expect
from ..scenario import Run, Scenarios

CONNECT_SECONDS = 60
POLL_SECONDS = 0.02


@asynccontextmanager
async def connected(run: Run, **options: Any):
    """A connection that is closed afterwards, whatever happened."""
    url = run.url + "".join(f"{'&' if number else '?'}{name}={value}" for number, (name, value) in enumerate(options.items()))
    connection = await aio_pika.connect(url, timeout=CONNECT_SECONDS)
    try:
        yield connection
    finally:
        await connection.close()


async def clean(run: Run) -> None:
    """Deletes what the run made: deleting what is gone already is no error."""
    if not run.made:
        return
    async with connected(run) as connection:
        channel = await connection.channel()
        for kind, name in run.made:
            if kind == "queue":
                await channel.queue_delete(name)
            else:
                await channel.exchange_delete(name)


AIO_PIKA = Scenarios("aio-pika", clean)


async def wait(condition, what: str) -> None:
    """Lets the event loop run until the condition holds."""
    ends = asyncio.get_running_loop().time() + expect.WAIT_SECONDS
    while not condition():
        expect.true(asyncio.get_running_loop().time() < ends, f"not within {expect.WAIT_SECONDS} seconds: {what}")
        await asyncio.sleep(POLL_SECONDS)


async def raises(kind, attempt, what: str):
    """Returns the exception that the coroutine must raise."""
    try:
        got = await attempt
    except kind as error:
        return error
    raise AssertionError(f"{what}: no error, got {got!r}")
