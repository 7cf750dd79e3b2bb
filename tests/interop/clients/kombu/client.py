"""How the scenarios connect, wait and clean up with kombu."""

import socket
from contextlib import contextmanager
from typing import Any, Callable

import kombu

from .. import expect
from ..scenario import Run, Scenarios

CONNECT_SECONDS = 60


@contextmanager
def connected(run: Run, **options: Any):
    """A connection that is open, and closed afterwards."""
    with connected_to(run.url, **options) as connection:
        yield connection


@contextmanager
def connected_to(url: str, **options: Any):
    """The same, to another broker than the run's."""
    with kombu.Connection(url, connect_timeout=CONNECT_SECONDS, **options) as connection:
        connection.connect()
        yield connection


def clean(run: Run) -> None:
    """Deletes what the run made: deleting what is gone already is no error."""
    if not run.made:
        return
    with connected(run) as connection, connection.channel() as channel:
        for kind, name in run.made:
            if kind == "queue":
                kombu.Queue(name)(channel).delete()
            else:
                kombu.Exchange(name)(channel).delete()


KOMBU = Scenarios("kombu", clean)


def serve(connection: kombu.Connection) -> None:
    """Handles what has arrived, if anything has within a moment."""
    try:
        connection.drain_events(timeout=0.05)
    except socket.timeout:
        pass


def wait(connection: kombu.Connection, condition: Callable[[], Any], what: str) -> Any:
    """Serves the connection until the condition holds."""
    return expect.until(condition, what, lambda: serve(connection))
