"""How the scenarios connect, wait and clean up with pika."""

from contextlib import contextmanager
from typing import Any, Callable

import pika
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

from .. import expect
from ..scenario import Run, Scenarios

SOCKET_SECONDS = 60


@contextmanager
def connected(run: Run, **parameters: Any):
    """A connection that is closed afterwards, whatever happened."""
    with connected_to(run.url, **parameters) as connection:
        yield connection


@contextmanager
def connected_to(url: str, **parameters: Any):
    """The same, to another broker than the run's."""
    wanted = pika.URLParameters(url)
    wanted.socket_timeout = SOCKET_SECONDS
    for name, value in parameters.items():
        setattr(wanted, name, value)
    connection = pika.BlockingConnection(wanted)
    try:
        yield connection
    finally:
        if connection.is_open:
            connection.close()


def clean(run: Run) -> None:
    """Deletes what the run made: deleting what is gone already is no error."""
    if not run.made:
        return
    with connected(run) as connection:
        channel = connection.channel()
        for kind, name in run.made:
            if kind == "queue":
                channel.queue_delete(name)
            else:
                channel.exchange_delete(name)


PIKA = Scenarios("pika", clean)


def wait(connection: BlockingConnection, condition: Callable[[], Any], what: str) -> Any:
    """Serves the connection until the condition holds."""
    return expect.until(condition, what, lambda: connection.process_data_events(0.05))


def take(connection: BlockingConnection, channel: BlockingChannel, queue: str, count: int) -> list[bytes]:
    """Consumes without acknowledgements until `count` bodies have come."""
    bodies: list[bytes] = []
    tag = channel.basic_consume(queue, lambda _c, _m, _p, body: bodies.append(body), auto_ack=True)
    wait(connection, lambda: len(bodies) >= count, f"{count} messages from {queue}")
    channel.basic_cancel(tag)
    return bodies
