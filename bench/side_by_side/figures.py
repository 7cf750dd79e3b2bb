"""The rows of the table: what is read from a report, what it has to be, and the medians of all rounds."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Figure:
    """One row of the table: what is read from a report, and what it has to be."""

    label: str
    key: str
    unit: str = "/s"
    scale: float = 1.0
    ratio: float | None = None  # at least so many times the other broker's
    least: float | None = None
    most: float | None = None
    below_other: bool = False

    def target(self) -> str:
        if self.ratio is not None:
            return f">= {self.ratio:g}x"
        if self.least is not None:
            return f">= {shown(self.least, self.unit)}"
        if self.most is not None:
            return f"<= {shown(self.most, self.unit)}"
        return "below the other's" if self.below_other else ""

    def verdict(self, own: float | None, other: float | None) -> str:
        if own is None or not self.target():
            return ""
        if self.least is not None or self.most is not None:
            met = own >= self.least if self.least is not None else own <= self.most
        elif other is None:
            return ""
        else:
            met = own >= self.ratio * other if self.ratio is not None else own < other
        return "yes" if met else "no"


def looked_up(report: dict[str, object], key: str) -> float | None:
    value: object = report
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else None


def shown(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}"
    return text + unit if unit in ("/s", "x") else f"{text} {unit}".rstrip()


class Results:
    """Figures of all rounds, by row and broker."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], list[float]] = {}
        self.failures: list[str] = []

    def add(self, figures: tuple[Figure, ...], broker: str, report: dict[str, object]) -> None:
        for figure in figures:
            value = looked_up(report, figure.key)
            if value is not None:
                self.values.setdefault((figure.label, broker), []).append(value * figure.scale)

    def median(self, figure: Figure, broker: str) -> float | None:
        values = self.values.get((figure.label, broker))
        return statistics.median(values) if values else None

    def table(self, figures: list[Figure], other_name: str | None) -> str:
        head = ["", "target", "Leveret"] + ([other_name, "ratio"] if other_name else []) + ["met"]
        rows = [head, ["---"] + ["---:"] * (len(head) - 2) + ["---"]]
        for figure in figures:
            own, other = self.median(figure, "leveret"), self.median(figure, "other")
            row = [figure.label, figure.target(), shown(own, figure.unit)]
            if other_name:
                ratio = f"{own / other:.2f}" if own is not None and other else "-"
                row += [shown(other, figure.unit), ratio]
            rows.append([*row, figure.verdict(own, other)])
        return "\n".join("| " + " | ".join(row) + " |" for row in rows)
