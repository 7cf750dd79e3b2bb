"""Bodies and tables that several clients send."""

import random
from typing import Iterable

# RabbitMQ 4's max_message_size, which is the largest body that is still accepted.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024

EXCHANGE_TYPES = ("direct", "fanout", "topic", "headers")

# How long a message of the row ttl-dead-letter lives. A broker may count it by a clock that is some milliseconds coarse.
TTL_MILLISECONDS = 200
COARSE_MILLISECONDS = 5
TTL_SECONDS_MIN = (TTL_MILLISECONDS - COARSE_MILLISECONDS) / 1000

# The topics of the fifth tutorial: which of the queues "orange" (*.orange.*) and "rabbit" (*.*.rabbit, lazy.#) get them.
TOPIC_PATTERNS = {"orange": ("*.orange.*",), "rabbit": ("*.*.rabbit", "lazy.#")}
TOPIC_KEYS = {
    "quick.orange.rabbit": ("orange", "rabbit"),
    "lazy.orange.elephant": ("orange", "rabbit"),
    "quick.orange.fox": ("orange",),
    "lazy.brown.fox": ("rabbit",),
    "lazy.pink.rabbit": ("rabbit",),
    "quick.brown.fox": (),
    "orange": (),
    "quick.orange.new.rabbit": (),
    "lazy.orange.new.rabbit": ("rabbit",),
    "lazy": ("rabbit",),
}

# The severities of the fourth tutorial: one queue for errors, one for all three.
ROUTING_KEYS = {"errors": ("error",), "all": ("info", "warning", "error")}
SEVERITIES = ("info", "error", "debug", "warning", "error")


def large_body() -> bytes:
    """MESSAGE_BYTES_MAX bytes without a pattern, the same in every run."""
    return random.Random(20).randbytes(MESSAGE_BYTES_MAX)


def topics_for(queue: str) -> list[str]:
    """The keys of TOPIC_KEYS that reach the queue, in the order in which they are published."""
    return [key for key, queues in TOPIC_KEYS.items() if queue in queues]


def severities_for(keys: Iterable[str]) -> list[str]:
    """The severities that reach a queue bound with `keys`, in the order in which they are published."""
    return [severity for severity in SEVERITIES if severity in keys]


def fibonacci(n: int) -> int:
    """What the server of the sixth tutorial computes."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a
