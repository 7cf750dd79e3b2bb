"""Publishes numbered persistent messages with confirms, many in flight, until it is told to stop or has sent all.

A body is the number in eight bytes and then as much of a pattern of that number as the size asks for. Events:
`{"event": "started"}` with the first confirm, `{"event": "progress", "confirmed": N}` now and then, `blocked` and
`unblocked` as the broker says them, and at the end `{"event": "end", "sent", "confirmed", "refused", "reason"}`, where
`confirmed` are the ranges of numbers, both ends included. A line on its standard input stops it: it waits for the
confirms that are due, and ends.
"""

import argparse
import struct
import sys
import threading

import pika

from .lines import say
from .parameters import parameters

PROGRESS_EVERY = 1000


def body(number: int, size: int) -> bytes:
    """The body of a message; another number has another one."""
    head = struct.pack(">Q", number)
    return (head * (size // 8 + 1))[:max(size, 8)]


class Load:
    def __init__(self, arguments: argparse.Namespace):
        self._arguments = arguments
        self._next = 0
        self._in_flight: dict[int, int] = {}
        self._confirmed: list[int] = []
        self._refused = 0
        self._stopping = False
        self._blocked = False
        self._tags = 0
        made = parameters(arguments.url, heartbeat=arguments.heartbeat)
        self._connection = pika.SelectConnection(made, self._opened, self._failed, self._closed)

    def run(self) -> None:
        threading.Thread(target=self._await_stop, daemon=True).start()
        self._connection.ioloop.start()

    def _await_stop(self) -> None:
        sys.stdin.readline()
        self._connection.ioloop.add_callback_threadsafe(self._stop)

    def _stop(self) -> None:
        self._stopping = True
        self._publish()

    def _opened(self, connection) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel) -> None:
        self._channel = channel
        channel.confirm_delivery(self._on_confirm, lambda _ok: self._publish())

    def _on_blocked(self, _connection, frame) -> None:
        self._blocked = True
        say(event="blocked", reason=frame.method.reason, sent=self._next, confirmed=len(self._confirmed))

    def _on_unblocked(self, _connection, _frame) -> None:
        self._blocked = False
        say(event="unblocked", sent=self._next, confirmed=len(self._confirmed))
        self._publish()

    def _on_confirm(self, frame) -> None:
        method = frame.method
        tags = [tag for tag in self._in_flight if tag <= method.delivery_tag] if method.multiple else [method.delivery_tag]
        for tag in tags:
            number = self._in_flight.pop(tag)
            if isinstance(method, pika.spec.Basic.Ack):
                self._one_confirmed(number)
            else:
                self._refused += 1
        self._publish()

    def _one_confirmed(self, number: int) -> None:
        self._confirmed.append(number)
        if len(self._confirmed) == 1:
            say(event="started")
        if len(self._confirmed) % PROGRESS_EVERY == 0:
            say(event="progress", confirmed=len(self._confirmed))

    def _publish(self) -> None:
        arguments = self._arguments
        properties = pika.BasicProperties(delivery_mode=2)
        while (not self._stopping and not self._blocked and self._next < arguments.count
               and len(self._in_flight) < arguments.window):
            number = self._next
            self._next += 1
            self._tags += 1
            self._in_flight[self._tags] = number
            self._channel.basic_publish("", arguments.queue, body(number, arguments.size), properties)
        done = self._stopping or self._next == arguments.count
        if done and not self._in_flight and self._connection.is_open:
            self._connection.close()

    def _failed(self, _connection, why) -> None:
        self._end(f"could not connect: {why!r}")

    def _closed(self, _connection, why) -> None:
        self._end(str(why))

    def _end(self, reason: str) -> None:
        say(event="end", sent=self._next, confirmed=_ranges(sorted(self._confirmed)), refused=self._refused, reason=reason)
        self._connection.ioloop.stop()


def _ranges(numbers: list[int]) -> list[list[int]]:
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("queue")
    parser.add_argument("--count", type=int, default=1 << 40)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--window", type=int, default=200)
    parser.add_argument("--heartbeat", type=int, default=60)
    Load(parser.parse_args()).run()


if __name__ == "__main__":
    main()
