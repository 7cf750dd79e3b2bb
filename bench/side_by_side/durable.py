"""Messages and queues that have to survive: what waiting for the disk costs, long backlogs, and starting again."""

import dataclasses
import statistics

from side_by_side.brokers import KB, Broken, Leveret, Other
from side_by_side.figures import Figure
from side_by_side.ground import Ground
from side_by_side.in_memory import Load, flow

PERSISTENT = "--persistent --size 1KiB --prefetch 1000"
# The smallest batch that a journal writes: a block.
SMALLEST_BATCH = 4096


class FourQueues:
    """Four of everything, and what the disk alone gives to batches of the size that the journal's had."""

    name = "durable: 4 producers, 4 consumers, 4 queues"
    load = "1 KB persistent, 4 producers, 4 consumers, 4 queues, window 2000"
    options = f"{PERSISTENT} --producers 4 --consumers 4 --queues 4 --confirm-window 2000"
    rate = Figure(load, "consume_rate", ratio=12)
    share = Figure(f"{load}: bytes journalled, of what the disk alone takes", "share", "%", 100, least=50)
    written = Figure(f"{load}: bytes journalled a byte published", "written", "x")
    batch = Figure(f"{load}: mean group commit", "batch", "KB", 1 / KB)
    figures = (rate, share, written, batch)

    def measure(self, ground: Ground) -> None:
        options = ground.timed(self.options)
        with ground.attempt(self.name, "leveret"), ground.leveret() as own:
            report = ground.load(self.name, own, options)
            ground.add((self.rate,), own.name, report)
            own.stop()
            journal = own.journal()
            if journal is None:
                raise Broken("has not said in its log what it wrote to its journal")
            batch = journal.mean_batch_bytes()
            raw = ground.disk(self.name, own, batch)
            bytes_a_message = journal.written_bytes / report["published"]
            share = report["publish_rate"] * bytes_a_message / raw["byte_rate"]
            found = {"share": share, "written": bytes_a_message / KB, "batch": batch}
            ground.add(self.figures[1:], own.name, found)
        if ground.other:
            with ground.attempt(self.name, "other"):
                ground.add((self.rate,), ground.other.name, ground.load(self.name, ground.other, options))


class OneInFlight:
    """How long a confirm takes when it waits for nothing but its own message's way to the disk."""

    name = "durable: confirm latency"
    label = "1 KB persistent, one in flight: publish to confirm"
    options = "--persistent --size 1KiB --consumers 0 --confirm-window 1"
    p50 = Figure(f"{label}, p50", "confirm_latency_us.p50", "us")
    p99 = Figure(f"{label}, p99", "confirm_latency_us.p99", "us")
    above = Figure(f"{label}, p50 above that of the disk's fdatasync", "above", "us", most=150)
    figures = (p50, p99, above)

    def measure(self, ground: Ground) -> None:
        options = ground.timed(self.options)
        with ground.attempt(self.name, "leveret"), ground.leveret() as own:
            # The first file of a journal grows, which takes longer; those after it are written before they are used.
            ground.load(self.name, own, f"{PERSISTENT} --confirm-window 1000 --messages 300000")
            report = ground.load(self.name, own, options)
            own.stop()
            raw = ground.disk(self.name, own, SMALLEST_BATCH)
            above = report["confirm_latency_us"]["p50"] - raw["fdatasync_us"]["p50"]
            ground.add(self.figures, own.name, report | {"above": above})
        if ground.other:
            with ground.attempt(self.name, "other"):
                ground.add((self.p50, self.p99), ground.other.name, ground.load(self.name, ground.other, options))


class Restart:
    """Fill a queue, kill the broker without a word, start it again, and see what is left."""

    def __init__(self, messages: int, most_ms: float, compared: bool) -> None:
        label = f"{messages:,} x 1 KB persistent, kill -9"
        self.name = f"durable: restart with {messages:,} messages"
        self.messages = messages
        self.compared = compared
        self.ready = Figure(f"{label}: start to ready", "ready_ms", "ms", most=most_ms)
        self.lost = Figure(f"{label}: confirmed and lost", "lost", "messages", most=0)
        self.figures = (self.ready, self.lost)

    def measure(self, ground: Ground) -> None:
        with ground.attempt(self.name, "leveret"), ground.leveret() as own:
            self.restart(ground, own)
        if ground.other and ground.other.restart and self.compared:
            with ground.attempt(self.name, "other"):
                self.restart(ground, ground.other)

    def restart(self, ground: Ground, broker: Leveret | Other) -> None:
        messages = self.messages // 10 if ground.quick else self.messages
        kept = "--name leveret-bench-kept --persistent"
        fill = f"--scenario backlog --keep --consumers 0 --size 1KiB --confirm-window 2000 --messages {messages} --duration 300"
        filled = ground.load(self.name, broker, f"{kept} {fill}")
        if filled["found"]:
            raise Broken("has a queue leveret-bench-kept.0 from another run: delete it")
        ready_ms = broker.kill_and_restart()
        drained = ground.load(self.name, broker, f"{kept} --scenario drain --prefetch 1000 --duration 300")
        if drained["consumed"] < drained["found"]:
            raise Broken(f"has {drained['found']} messages but delivers {drained['consumed']}")
        if drained["consumed"] > filled["published"]:
            raise Broken(f"delivers {drained['consumed']} messages of {filled['published']}")
        lost = max(0, filled["confirmed"] - drained["consumed"])
        ground.add(self.figures, broker.name, {"ready_ms": ready_ms, "lost": lost})


@dataclasses.dataclass(frozen=True)
class DeepBacklog:
    """A queue so long that it cannot be in memory: what it costs, and whether it slows down who publishes."""

    label: str
    options: str
    messages: int
    rss_most: float | None = None
    # Publishing its last three tenths, compared with the three after the first: with that at a tenth of the depth.
    deep_least: float | None = None
    # Publishing its last three tenths, compared with the short queue's publishing.
    short_least: float | None = None
    # Draining it, compared with the short queue's consuming.
    drain_least: float | None = None

    @property
    def name(self) -> str:
        return f"durable: backlog of {self.label}"

    @property
    def figures(self) -> tuple[Figure, ...]:
        queue = f"{self.label} in one queue"
        figures = [
            Figure(f"{queue}: memory", "filled_rss_bytes", "MB", 1e-6, most=self.rss_most),
            Figure(f"{queue}: most memory meanwhile", "broker_rss_max_bytes", "MB", 1e-6),
            Figure(f"{queue}: published", "publish_rate"),
            Figure(f"{queue}: drained", "consume_rate"),
        ]
        for key, what, least in (
            ("deep", "publishing the last 30 %, of the rate from 10 to 40 %", self.deep_least),
            ("short", "publishing the last 30 %, of the short queue's rate", self.short_least),
            ("drain", "draining, of the short queue's rate", self.drain_least),
        ):
            if least is not None:
                figures.append(Figure(f"{queue}: {what}", key, "%", 100, least=100 * least))
        return tuple(figures)

    def measure(self, ground: Ground) -> None:
        messages = self.messages // 10 if ground.quick else self.messages
        with ground.attempt(self.name, "leveret"):
            with ground.leveret() as own:
                short = ground.load(self.name, own, ground.timed(self.options))
            with ground.leveret() as own:
                fill = f"--scenario backlog --messages {messages} --duration 300"
                deep = ground.load(self.name, own, f"{self.options} {fill}")
            if deep["published"] < messages:
                raise Broken(f"published only {deep['published']} in the time")
            rates = deep["publish_rates_by_depth"]
            # All parts are equally long, so that the rate over several of them is the harmonic mean. One part alone is over in a
            # fraction of a second, in which the disk may happen to be busy.
            late = statistics.harmonic_mean(rates[-3:])
            compared = {
                "deep": late / statistics.harmonic_mean(rates[1:4]),
                "short": late / short["publish_rate"],
                "drain": deep["consume_rate"] / short["consume_rate"],
            }
            ground.add(self.figures, own.name, deep | compared)


SCENARIOS = (
    flow(
        "1 KB persistent, 1 producer, 1 consumer, window 1000, classic queues",
        f"{PERSISTENT} --confirm-window 1000 --queue-type classic",
        ratio=6,
    ),
    flow(
        "1 KB persistent, 1 producer, 1 consumer, window 1000, quorum queues",
        f"{PERSISTENT} --confirm-window 1000 --queue-type quorum",
        ratio=6,
    ),
    FourQueues(),
    OneInFlight(),
    Load(
        "durable: queues",
        "--scenario queues --durable --connections 8 --duration {seconds}",
        (Figure("durable queues declared, 8 connections", "declare_rate", least=5000),),
        timed=False,
    ),
    Restart(1_000_000, most_ms=1000, compared=True),
    DeepBacklog(
        "10,000,000 x 100 B",
        "--size 100 --auto-ack",
        10_000_000,
        rss_most=150,
        deep_least=0.8,
        drain_least=1 / 3,
    ),
    DeepBacklog(
        "10,000,000 x 100 B persistent",
        "--persistent --size 100 --confirm-window 2000 --prefetch 1000",
        10_000_000,
        rss_most=150,
        deep_least=0.8,
        drain_least=1 / 3,
    ),
    DeepBacklog(
        "3,000,000 x 1 KB persistent",
        f"{PERSISTENT} --confirm-window 1000",
        3_000_000,
        short_least=0.4,
    ),
)

# These take tens of gigabytes of disk and several minutes each.
LONG_SCENARIOS = (
    Restart(10_000_000, most_ms=10_000, compared=False),
    DeepBacklog(
        "10,000,000 x 1 KB persistent", f"{PERSISTENT} --confirm-window 1000", 10_000_000, short_least=0.4
    ),
    DeepBacklog("100,000,000 x 100 B", "--size 100 --auto-ack", 100_000_000, rss_most=200),
)
