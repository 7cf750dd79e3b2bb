"""Where scenarios are run: the programs, the time that each has, and where its figures go."""

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

from side_by_side.brokers import Broken, Leveret, Other, bench
from side_by_side.figures import Figure, Results, looked_up, shown


@dataclasses.dataclass
class Ground:
    """What every scenario needs to know."""

    program: pathlib.Path
    other: Other | None
    seconds: int
    quick: bool
    results: Results
    raw: list[dict[str, object]] = dataclasses.field(default_factory=list)

    def leveret(self) -> Leveret:
        """A broker of its own for each load: what the last one left in memory is not this one's."""
        return Leveret(self.program)

    def timed(self, options: str) -> str:
        return f"{options} --duration {self.seconds} --warmup 1"

    def load(self, scenario: str, broker: Leveret | Other, options: str) -> dict[str, object]:
        """Puts load on a broker. What was written before has to be on the disk by then, or it would be this run's."""
        os.sync()
        where = ["--url", broker.url] + (["--pid", str(broker.pid)] if broker.pid else [])
        report = bench(self.program, [*where, *options.split()])
        self.raw.append({"scenario": scenario, "on": broker.name, "options": options, "report": report})
        return report

    def disk(self, scenario: str, broker: Leveret, batch_bytes: int) -> dict[str, object]:
        """What the disk under a broker's data directory gives to batches of this size, if nobody else uses it."""
        os.sync()
        options = ["--scenario", "disk", "--batch-size", str(batch_bytes), "--duration", str(self.seconds)]
        report = bench(self.program, [*options, "--dir", broker.home])
        self.raw.append({"scenario": scenario, "on": "disk", "options": " ".join(options), "report": report})
        return report

    def add(self, figures: tuple[Figure, ...], on: str, report: dict[str, object]) -> None:
        """Takes from the report what the figures want of it, and shows it."""
        self.results.add(figures, on, report)
        values = [(figure, looked_up(report, figure.key)) for figure in figures]
        line = ", ".join(shown(value * figure.scale, figure.unit) for figure, value in values if value is not None)
        cpus = f"   broker on {report['broker_cpus']:.2f} processors" if "broker_cpus" in report else ""
        print(f"  {on:8} {line}{cpus}", file=sys.stderr)

    @contextlib.contextmanager
    def attempt(self, scenario: str, on: str) -> Iterator[None]:
        """A failure ends what is attempted and is told at the end; the others go on."""
        try:
            yield
        except (Broken, subprocess.TimeoutExpired) as why:
            self.results.failures.append(f"{scenario}, {on}: {why}")
            print(f"  {on:8} failed: {why}", file=sys.stderr)
