"""What features of queues cost, next to the same load without them: of Leveret alone."""

import dataclasses

from side_by_side.figures import Figure
from side_by_side.ground import Ground


@dataclasses.dataclass(frozen=True)
class Share:
    """What is left of the rate with a feature, the two runs one after the other."""

    name: str
    options: str
    feature: str
    least: float

    @property
    def figures(self) -> tuple[Figure, ...]:
        with_it = Figure(self.name, "consume_rate")
        share = Figure(f"{self.name}: of the rate without", "share", "%", 100, least=self.least)
        return with_it, share

    def measure(self, ground: Ground) -> None:
        rates = {}
        for feature in ("", self.feature):
            with ground.attempt(self.name, "leveret"), ground.leveret() as own:
                report = ground.load(self.name, own, ground.timed(f"{self.options} {feature}"))
                rates[feature] = float(report["consume_rate"])
        if len(rates) == 2 and rates[""] > 0:
            report = {"consume_rate": rates[self.feature], "share": rates[self.feature] / rates[""]}
            ground.add(self.figures, "leveret", report)


@dataclasses.dataclass(frozen=True)
class Expire:
    """Messages that expire at random moments, next to messages that are delivered at once, and as evenly."""

    name: str
    options: str

    @property
    def figures(self) -> tuple[Figure, ...]:
        expire = Figure(f"{self.name}: processor time each", "expire_cpu_us", "us")
        at_once = Figure(f"{self.name}: as many drained at once", "deliver_at_once_cpu_us", "us")
        ratio = Figure(f"{self.name}: of what draining costs", "expire_of_deliver_at_once", "x", most=1)
        evenly = Figure(f"{self.name}: as many published and delivered evenly", "publish_and_deliver_evenly_cpu_us", "us")
        return expire, at_once, ratio, evenly

    def measure(self, ground: Ground) -> None:
        messages = "--messages 300000 --duration 3" if ground.quick else "--messages 1000000 --duration 10"
        options = f"--scenario expire --size 100 --prefetch 1000 {messages} {self.options}"
        with ground.attempt(self.name, "leveret"), ground.leveret() as own:
            ground.add(self.figures, own.name, ground.load(self.name, own, options))


PRIORITIES = "--priorities 10 --queue-arg x-max-priority=10"
KEYS = "--prefetch 100 --exchange-type direct --bindings 1000"
GROUPS = "--queue-arg x-message-group=routing-key"
SCENARIOS = (
    Share("16 B, ten priorities, auto-ack", "--size 16 --auto-ack", PRIORITIES, 50),
    Share("16 B, ten priorities, prefetch 1000", "--size 16 --prefetch 1000", PRIORITIES, 50),
    Share("16 B, 1,000 message groups, 4 consumers, prefetch 100", f"--size 16 --consumers 4 {KEYS}", GROUPS, 50),
    Share("16 B, 1,000 message groups, 10 consumers, prefetch 100", f"--size 16 --consumers 10 {KEYS}", GROUPS, 50),
    Expire("a million messages expire at random in 10 s", ""),
    Expire("a million persistent messages expire at random in 10 s", "--persistent"),
)
