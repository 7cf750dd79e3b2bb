"""How the scenarios connect, wait and clean up with py-amqp."""

import socket
from contextlib import contextmanager
from typing import Any, Callable
from urllib.parse import unquote, urlsplit

import amqp

from .. import expect
from ..scenario import Run, Scenarios

SOCKET_SECONDS = 60


@contextmanager
def connected(run: Run, **options: Any):
    """A connection that is closed afterwards, whatever happened."""
    with connected_to(run.url, **options) as connection:
        yield connection


@contextmanager
def connected_to(where: str, **options: Any):
    """The same, to another broker than the run's."""
    url = urlsplit(where)
    connection = amqp.Connection(
        host=f"{url.hostname}:{url.port}", userid=unquote(url.username), password=unquote(url.password),
        virtual_host=unquote(url.path[1:]), connect_timeout=SOCKET_SECONDS, **options,
    )
    connection.connect()
    try:
        yield connection
    finally:
        try:
            connection.close()
        except (OSError, amqp.exceptions.AMQPError):
            connection.collect()


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


PY_AMQP = Scenarios("py-amqp", clean)


def serve(connection: amqp.Connection) -> None:
    """Handles what has arrived, if anything has within a moment."""
    try:
        connection.drain_events(timeout=0.05)
    except socket.timeout:
        pass


def wait(connection: amqp.Connection, condition: Callable[[], Any], what: str) -> Any:
    """Serves the connection until the condition holds."""
    return expect.until(condition, what, lambda: serve(connection))


def bodies_of(messages: list[amqp.Message]) -> list[str]:
    """The bodies alone. py-amqp decodes a body as text when it was sent as text."""
    return [message.body for message in messages]
