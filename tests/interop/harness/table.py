"""Prints outcomes: tables client x scenario, why a client has no such thing, and what clients saw where they failed."""

from .catalogue import CLIENTS, ROWS
from .client_process import Outcome

COLUMNS_MAX = 9


def table(outcomes: list[Outcome]) -> str:
    """Rows are scenarios, columns are clients, a few to a table; an empty cell is a scenario that the client has not."""
    met = {outcome.client for outcome in outcomes}
    known = [client.name for client in CLIENTS]
    columns = [name for name in known if name in met] + sorted(met - set(known))
    parts = [columns[start:start + COLUMNS_MAX] for start in range(0, len(columns), COLUMNS_MAX)]
    tables = [_part([outcome for outcome in outcomes if outcome.client in part], part) for part in parts]
    reasons = [f"- {each.client} {each.scenario}: {each.detail}" for each in outcomes if each.not_applicable]
    return "\n\n".join([*tables, *(["\n".join(reasons)] if reasons else [])])


def _part(outcomes: list[Outcome], columns: list[str]) -> str:
    cells = {(outcome.scenario, outcome.client): _cell(outcome) for outcome in outcomes}
    lines = [["scenario", *columns]]
    lines += [[row, *(cells.get((row, column), "") for column in columns)] for row in rows_of(outcomes)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return "\n".join([text[0], "-" * sum(widths, 2 * len(widths) - 2), *text[1:]])


def rows_of(outcomes: list[Outcome]) -> list[str]:
    """The scenarios of these outcomes in the order of the catalogue, then those that it does not name."""
    seen = list(dict.fromkeys(outcome.scenario for outcome in outcomes))
    return [name for name in ROWS if name in seen] + [name for name in seen if name not in ROWS]


def _cell(outcome: Outcome) -> str:
    if outcome.not_applicable:
        return "-"
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
