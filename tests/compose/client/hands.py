"""The hands of a scenario in a client container: does with pika what it is told, a line of JSON at a time.

A request is `{"do": NAME, ...}` with the arguments of the method below that has this name; its answer is
`{"answer": ...}` or `{"refused": TEXT}`. Between answers come events: `{"event": "delivery", ...}`,
`{"event": "lost", "reason": TEXT}` when the connection ends. It knows no scenario.
"""

import json
import queue
import sys
import threading

import pika

from .lines import say
from .parameters import connected, parameters

TURN_SECONDS = 0.01


class Hands:
    """One connection with one channel."""

    def __init__(self):
        self._connection: pika.BlockingConnection | None = None
        self._channel = None

    def connect(self, url: str, seconds: float = 0, **how) -> None:
        self._connection = connected(parameters(url, **how), seconds)
        self._channel = self._connection.channel()

    def disconnect(self) -> None:
        connection, self._connection = self._connection, None
        connection.close()

    def declare_exchange(self, exchange: str, kind: str, durable: bool = True) -> None:
        self._channel.exchange_declare(exchange, kind, durable=durable)

    def declare_queue(self, queue: str = "", **how) -> dict:
        ok = self._channel.queue_declare(queue, **how).method
        return {"queue": ok.queue, "messages": ok.message_count, "consumers": ok.consumer_count}

    def delete_queue(self, queue: str) -> None:
        self._channel.queue_delete(queue)

    def delete_exchange(self, exchange: str) -> None:
        self._channel.exchange_delete(exchange)

    def bind(self, queue: str, exchange: str, key: str = "") -> None:
        self._channel.queue_bind(queue, exchange, key)

    def confirm(self) -> None:
        self._channel.confirm_delivery()

    def publish(self, key: str, body: str, exchange: str = "", mandatory: bool = False, persistent: bool = True,
                **properties) -> str:
        """Says what became of it: `confirmed` (or only sent, without confirms), `returned` or `refused`."""
        made = pika.BasicProperties(delivery_mode=2 if persistent else 1, **properties)
        try:
            self._channel.basic_publish(exchange, key, body.encode(), made, mandatory)
        except pika.exceptions.UnroutableError:
            return "returned"
        except pika.exceptions.NackError:
            return "refused"
        return "confirmed"

    def qos(self, prefetch: int) -> None:
        self._channel.basic_qos(prefetch_count=prefetch)

    def consume(self, queue: str, auto_ack: bool = False) -> str:
        return self._channel.basic_consume(queue, self._deliver, auto_ack)

    def _deliver(self, _channel, method, properties, body: bytes) -> None:
        say(event="delivery", tag=method.delivery_tag, consumer=method.consumer_tag, **_message(method, properties, body))

    def get(self, queue: str) -> dict | None:
        """A message of the queue, which is acked, or nothing."""
        method, properties, body = self._channel.basic_get(queue, auto_ack=True)
        return _message(method, properties, body) if method else None

    def ack(self, tag: int, multiple: bool = False) -> None:
        self._channel.basic_ack(tag, multiple)

    def nack(self, tag: int, requeue: bool = True) -> None:
        self._channel.basic_nack(tag, requeue=requeue)

    def turn(self) -> None:
        """Reads what the broker sends, and answers its heartbeats."""
        if self._connection is None:
            return
        try:
            self._connection.process_data_events(TURN_SECONDS)
        except pika.exceptions.AMQPError as lost:
            self.lost(lost)

    def lost(self, why: Exception) -> None:
        self._connection = None
        say(event="lost", reason=f"{type(why).__name__}: {why}")

    @property
    def open(self) -> bool:
        return self._connection is not None


def _message(method, properties, body: bytes) -> dict:
    return {
        "body": body.decode(), "key": method.routing_key, "exchange": method.exchange,
        "redelivered": method.redelivered, "reply_to": properties.reply_to,
        "correlation_id": properties.correlation_id, "delivery_mode": properties.delivery_mode,
    }


def _serve(hands: Hands, request: dict) -> None:
    name = request.pop("do")
    try:
        say(answer=getattr(hands, name)(**request))
    except pika.exceptions.AMQPError as refused:
        say(refused=f"{type(refused).__name__}: {refused}")
        if isinstance(refused, pika.exceptions.AMQPConnectionError) and hands.open:
            hands.lost(refused)
    except OSError as refused:
        say(refused=f"{type(refused).__name__}: {refused}")


def main() -> None:
    requests: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    hands = Hands()
    while True:
        try:
            line = requests.get(block=not hands.open)
        except queue.Empty:
            hands.turn()
            continue
        if line is None:
            return
        _serve(hands, json.loads(line))


def _read(requests: queue.Queue) -> None:
    for line in sys.stdin:
        requests.put(line)
    requests.put(None)


if __name__ == "__main__":
    main()
