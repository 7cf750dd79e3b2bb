"""Prints outcomes: a table client x scenario, then what the clients saw where they failed."""

from .catalogue import COLUMNS, ROWS
from .client_process import Outcome


def table(outcomes: list[Outcome]) -> str:
    """Rows are scenarios, columns are clients; an empty cell is a scenario that the client does not have."""
    cells = {(outcome.scenario, outcome.client): _cell(outcome) for outcome in outcomes}
    met = {outcome.client for outcome in outcomes}
    columns = [name for name in COLUMNS if name in met] + sorted(met - set(COLUMNS))
    seen = list(dict.fromkeys(outcome.scenario for outcome in outcomes))
    rows = [name for name in ROWS if name in seen] + [name for name in seen if name not in ROWS]
    lines = [["scenario", *columns]]
    lines += [[row, *(cells.get((row, column), "") for column in columns)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return "\n".join([text[0], "-" * sum(widths, 2 * len(widths) - 2), *text[1:]])


def _cell(outcome: Outcome) -> str:
    return f"pass {outcome.seconds:.1f}s" if outcome.passed else "FAIL"


def failures(outcomes: list[Outcome]) -> str:
    """The evidence of every failure, one block each."""
    blocks = []
    for outcome in outcomes:
        if not outcome.passed:
            blocks.append(f"FAIL {outcome.client} {outcome.scenario} ({outcome.seconds:.1f} s)\n{_indent(outcome.detail)}")
    return "\n\n".join(blocks)


def _indent(text: str) -> str:
    return "\n".join("    " + line for line in text.rstrip().splitlines())
