"""Writes the results into the documents: a small table into the project's README, a long one beside the command."""

from pathlib import Path

from .broker import ROOT
from .catalogue import CLIENTS, CORE_ROWS, Client
from .client_process import Outcome
from .environment import HERE
from .table import rows_of
from .versions import version_of

BEGIN = "<!-- written by tests/interop/run --all --table README: begin -->"
END = "<!-- written by tests/interop/run --all --table README: end -->"


def write(outcomes: list[Outcome]) -> None:
    """Replaces what is between the markers of both documents."""
    by_client = {client: [each for each in outcomes if each.client == client.name] for client in CLIENTS}
    _replace(ROOT / "README.md", _short(by_client))
    _replace(HERE / "README.md", _long(by_client))


def _short(by_client: dict[Client, list[Outcome]]) -> str:
    """Clients x core rows."""
    lines = ["| client | " + " | ".join(CORE_ROWS) + " |", "|---|" + ":-:|" * len(CORE_ROWS)]
    for client, outcomes in by_client.items():
        marks = {outcome.scenario: _mark(outcome) for outcome in outcomes}
        cells = [f"{client.name} {version_of(client)} ({client.language})", *(marks.get(row, "✗") for row in CORE_ROWS)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _long(by_client: dict[Client, list[Outcome]]) -> str:
    """What each client does besides the core rows, and why it has not one of these."""
    lines = ["| client | version | passed | besides the core rows |", "|---|---|--:|---|"]
    for client, outcomes in by_client.items():
        ran = [outcome for outcome in outcomes if not outcome.not_applicable]
        passed = sum(outcome.passed for outcome in ran)
        failed = {outcome.scenario for outcome in ran if not outcome.passed}
        besides = [f"{row} ✗" if row in failed else row for row in rows_of(ran) if row not in CORE_ROWS]
        count = f"{passed}" if passed == len(ran) else f"{passed} of {len(ran)}"
        lines.append(f"| {client.name} ({client.language}) | {version_of(client)} | {count} | {', '.join(besides)} |")
    reasons: dict[str, list[str]] = {}
    for outcome in (each for outcomes in by_client.values() for each in outcomes if each.not_applicable):
        reasons.setdefault(f"{outcome.client}: {outcome.detail}", []).append(outcome.scenario)
    if reasons:
        lines += ["", "Not applicable:", ""]
        lines += [f"- {', '.join(f'`{row}`' for row in rows)}, {reason}" for reason, rows in reasons.items()]
    return "\n".join(lines)


def _mark(outcome: Outcome) -> str:
    return "–" if outcome.not_applicable else "✓" if outcome.passed else "✗"


def _replace(document: Path, table: str) -> None:
    before, begin, rest = document.read_text().partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} has not both of these lines: {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
