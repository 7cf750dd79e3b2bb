"""Takes messages of `load` out of a queue and says what came.

Events: `{"event": "taken", "count": N}` now and then, and at the end `{"event": "end", "numbers": RANGES IN THE ORDER OF
ARRIVAL, "damaged": N, "reason"}`. It ends when `--until` messages have come, or without that when the queue has none
left. With `--hold` it acks nothing until a line comes on its standard input; then it acks all at once and goes on.
"""

import argparse
import struct
import sys
import threading
import time

import pika

from .lines import say
from .load import body
from .parameters import connected, parameters

TURN_SECONDS = 0.05
QUIET_SECONDS = 1.0
TAKEN_EVERY = 1000
ACK_EVERY = 100


class Drain:
    def __init__(self, arguments: argparse.Namespace):
        self._arguments = arguments
        self._numbers: list[list[int]] = []
        self._damaged = 0
        self._count = 0
        self._last_tag = 0
        self._acked_tag = 0
        self._last_arrival = time.monotonic()
        self._released = threading.Event()
        self._connection = connected(parameters(arguments.url), 0)
        self._channel = self._connection.channel()

    def run(self) -> str:
        arguments = self._arguments
        if arguments.hold:
            threading.Thread(target=self._await_release, daemon=True).start()
        self._channel.basic_qos(prefetch_count=arguments.prefetch)
        self._channel.basic_consume(arguments.queue, self._take)
        while not self._done():
            try:
                self._connection.process_data_events(TURN_SECONDS)
            except pika.exceptions.AMQPError as lost:
                return f"{type(lost).__name__}: {lost}"
            if not arguments.hold or self._released.is_set():
                self._ack()
        self._ack()
        self._connection.close()
        return "done"

    def end(self, reason: str) -> None:
        say(event="end", count=self._count, numbers=self._numbers, damaged=self._damaged, reason=reason)

    def _done(self) -> bool:
        if self._arguments.until is not None:
            return self._count >= self._arguments.until
        # Nothing for a while, and the broker says so, too.
        if time.monotonic() - self._last_arrival < QUIET_SECONDS:
            return False
        self._last_arrival, before = time.monotonic(), self._count
        if self._channel.queue_declare(self._arguments.queue, passive=True).method.message_count != 0:
            return False
        # What came before that answer is taken in the next turn.
        self._connection.process_data_events(TURN_SECONDS)
        return self._count == before

    def _await_release(self) -> None:
        sys.stdin.readline()
        self._released.set()

    def _take(self, _channel, method, _properties, content: bytes) -> None:
        (number,) = struct.unpack(">Q", content[:8])
        if content != body(number, len(content)):
            self._damaged += 1
        if self._numbers and self._numbers[-1][1] == number - 1:
            self._numbers[-1][1] = number
        else:
            self._numbers.append([number, number])
        self._count += 1
        self._last_tag = method.delivery_tag
        self._last_arrival = time.monotonic()
        if self._count % TAKEN_EVERY == 0:
            say(event="taken", count=self._count)
        if not self._arguments.hold and self._last_tag - self._acked_tag >= ACK_EVERY:
            self._ack()

    def _ack(self) -> None:
        if self._last_tag > self._acked_tag:
            self._acked_tag = self._last_tag
            self._channel.basic_ack(self._last_tag, multiple=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("queue")
    parser.add_argument("--until", type=int)
    parser.add_argument("--prefetch", type=int, default=500)
    parser.add_argument("--hold", action="store_true")
    drain = Drain(parser.parse_args())
    drain.end(drain.run())


if __name__ == "__main__":
    main()
