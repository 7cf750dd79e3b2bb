"""Deletes what a client's scenarios left. Reads their names on stdin; its argument lists the scenarios that failed."""

import json
import sys
import time

import pika
from pika.exceptions import ChannelClosedByBroker

from .scenario import Run

GONE_SECONDS = 60


def main() -> int:
    failed = set(json.loads(sys.argv[1]))
    entries = [json.loads(line) for line in sys.stdin]
    connection = pika.BlockingConnection(pika.URLParameters(Run("sweep", "sweep").url))
    ends = time.monotonic() + GONE_SECONDS
    left = entries
    # Queues of a connection that has just been cut go a moment later.
    while (left := [entry for entry in left if _exists(connection, entry)]) and time.monotonic() < ends:
        connection.sleep(0.1)
    for entry in left:
        _delete(connection, entry)
    connection.close()
    surprises = [entry for entry in left if entry["scenario"] not in failed]
    for entry in surprises:
        print(f"{entry['kind']} {entry['name']} was left behind by {entry['scenario']}")
    return 1 if surprises else 0


def _exists(connection: pika.BlockingConnection, entry: dict[str, str]) -> bool:
    channel = connection.channel()
    try:
        if entry["kind"] == "queue":
            channel.queue_declare(entry["name"], passive=True)
        else:
            channel.exchange_declare(entry["name"], passive=True)
    except ChannelClosedByBroker as closed:
        if closed.reply_code != 404:
            return True
        return False
    channel.close()
    return True


def _delete(connection: pika.BlockingConnection, entry: dict[str, str]) -> None:
    channel = connection.channel()
    try:
        if entry["kind"] == "queue":
            channel.queue_delete(entry["name"])
        else:
            channel.exchange_delete(entry["name"])
        channel.close()
    except ChannelClosedByBroker as closed:
        print(f"{entry['kind']} {entry['name']} cannot be deleted: {closed}")


if __name__ == "__main__":
    sys.exit(main())
