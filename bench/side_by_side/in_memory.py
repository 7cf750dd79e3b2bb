"""Messages that are kept in memory, connections and declarations: what a broker costs when no disk is waited for."""

import dataclasses
import time

from side_by_side.brokers import KB, rss_bytes
from side_by_side.figures import Figure
from side_by_side.ground import Ground


@dataclasses.dataclass(frozen=True)
class Load:
    """Options of `leveret bench`, the same for both brokers, and the rows that come of them."""

    name: str
    options: str
    figures: tuple[Figure, ...]
    timed: bool = True  # runs for the ground's seconds, after a second of warming up

    def measure(self, ground: Ground) -> None:
        # A slow broker fills for the time, a fast one up to the number: both drain what they have.
        messages = 300_000 if ground.quick else 2_000_000
        places = {"seconds": str(ground.seconds), "messages": f"{messages} --duration {ground.seconds * 2}"}
        options = self.options.format_map(places)
        if self.timed:
            options = ground.timed(options)
        with ground.attempt(self.name, "leveret"), ground.leveret() as own:
            ground.add(self.figures, own.name, ground.load(self.name, own, options))
        if ground.other:
            with ground.attempt(self.name, "other"):
                ground.add(self.figures, ground.other.name, ground.load(self.name, ground.other, options))


class Start:
    """Start-up time, and memory a second after it."""

    name = "start"
    ready = Figure("start to ready", "start_ms", "ms", most=50)
    idle = Figure("memory when idle", "idle_rss", "MB", 1 / KB / KB, most=15)
    figures = (ready, idle)

    def measure(self, ground: Ground) -> None:
        with ground.attempt(self.name, "leveret"), ground.leveret() as own:
            time.sleep(1)
            ground.add(self.figures, own.name, {"start_ms": own.start_ms, "idle_rss": rss_bytes(own.pid)})
        # Once: what it has done by the next round is not idle any more.
        if ground.other and ground.other.pid and ground.results.median(self.idle, "other") is None:
            ground.add((self.idle,), ground.other.name, {"idle_rss": rss_bytes(ground.other.pid)})


def flow(name: str, options: str, **target: float) -> Load:
    return Load(name, options, (Figure(name, "consume_rate", **target),))


def latency(rate: int, mode: str, options: str) -> Load:
    name = f"latency, 1 KB at {rate:,}/s, {mode}"
    return Load(
        name,
        f"--size 1024 --rate {rate} --prefetch 1000 {options}",
        (
            Figure(f"{name}: p50", "end_to_end_latency_us.p50", "us", most=200),
            Figure(f"{name}: p99", "end_to_end_latency_us.p99", "us", below_other=True),
        ),
    )


SCENARIOS = (
    Start(),
    Load(
        "5,000 idle connections",
        "--scenario idle --connections 5000",
        (Figure("memory of an idle connection (of 5,000)", "broker_rss_bytes_per_connection", "KB", 1 / KB, most=10),),
        timed=False,
    ),
    flow("16 B, 1 producer, 1 consumer, auto-ack", "--size 16 --auto-ack", ratio=20),
    flow("1 KB, 1 producer, 1 consumer, auto-ack", "--size 1024 --auto-ack", ratio=10),
    Load(
        "64 KB, 1 producer, 1 consumer, auto-ack",
        "--size 65536 --auto-ack",
        (Figure("64 KB, 1 producer, 1 consumer, auto-ack", "consume_rate", "GB/s", 65536 / 1e9, least=1),),
    ),
    flow(
        "1 KB, prefetch 1000, an ack a message, confirm window 1000",
        "--size 1024 --prefetch 1000 --confirm-window 1000",
        ratio=10,
    ),
    flow(
        "16 B, 4 producers, 4 consumers, 4 queues, auto-ack",
        "--size 16 --producers 4 --consumers 4 --queues 4 --auto-ack",
        ratio=25,
    ),
    flow(
        "16 B, 10 producers, 10 consumers, 1 queue, auto-ack",
        "--size 16 --producers 10 --consumers 10 --auto-ack",
        ratio=20,
    ),
    flow(
        "16 B, fanout to 10 queues, 10 consumers, auto-ack: deliveries",
        "--size 16 --exchange-type fanout --queues 10 --consumers 10 --auto-ack",
        ratio=15,
    ),
    flow(
        "16 B, topic, 10,000 bindings, 100 queues, 4 producers, 4 consumers, auto-ack",
        "--size 16 --exchange-type topic --bindings 10000 --queues 100 --producers 4 --consumers 4 --auto-ack",
        ratio=50,
    ),
    latency(2_000, "auto-ack", "--auto-ack"),
    latency(2_000, "an ack a message", ""),
    latency(20_000, "auto-ack", "--auto-ack"),
    latency(20_000, "an ack a message", ""),
    Load(
        "backlog of 100 B",
        "--scenario backlog --size 100 --messages {messages} --auto-ack",
        (
            Figure("100 B published without a consumer", "publish_rate", least=1e6),
            Figure("100 B drained from a backlog", "consume_rate", least=2e6),
        ),
        timed=False,
    ),
    Load(
        "connections",
        "--scenario connections --connections 16 --duration {seconds}",
        (Figure("connections opened and closed", "connection_rate", least=5000),),
        timed=False,
    ),
    Load(
        "queues",
        "--scenario queues --duration {seconds}",
        (Figure("transient queues declared", "declare_rate", least=20_000),),
        timed=False,
    ),
)
