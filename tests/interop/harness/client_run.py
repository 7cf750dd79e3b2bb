"""All scenarios of one client, one after another, and what has to hold after them."""

import json
import subprocess
import time
from pathlib import Path
from threading import Lock
from typing import Callable

from .catalogue import CORE_ROWS, Client
from .client_process import ClientProcess, Listed, Outcome, Surroundings, scenarios_of
from .environment import HERE, PYTHON
from .own_broker import OwnBroker

SWEEP_SECONDS = 120
SWEEP = "nothing-left-behind"
FOREIGN = "this needs a broker of the client's own, which only a broker that the command starts has"
UNLISTED = "the client lists neither this core row nor a reason why it has no such thing"

_printing = Lock()


class ClientRun:
    """One client's part of a run; `only` are the scenarios that were asked for, none for all."""

    def __init__(
        self, client: Client, surroundings: Surroundings, binary: Path | None, only: list[str], ends: float,
        reason_to_stop: Callable[[], str | None], death: Callable[[], str | None],
    ):
        self._client = client
        self._surroundings = surroundings
        self._only = only
        self._ends = ends
        self._reason_to_stop = reason_to_stop
        self._death = death
        self._folder = surroundings.scratch / client.name
        self._folder.mkdir()
        self._own = OwnBroker(binary, self._folder) if binary else None
        self._process = ClientProcess(client, surroundings, self._own)

    def interrupt(self) -> None:
        """Ends the client from another thread."""
        self._process.interrupt()

    def run(self) -> list[Outcome]:
        """Runs the scenarios, prints each outcome, and leaves nothing of the client."""
        outcomes: list[Outcome] = []
        try:
            listed = scenarios_of(self._client, self._surroundings.environment(self._client, self._own))
            for each in listed:
                if self._is_asked(each.name):
                    outcomes.append(self._outcome(each))
                    _progress(outcomes[-1])
            outcomes += [self._failed(row, UNLISTED) for row in CORE_ROWS if self._is_asked(row) and row not in _names(listed)]
        except Exception as error:  # a client that cannot even start is a failure of the run, not of the runner
            outcomes.append(self._failed("start", repr(error)))
        if problem := self._process.end():
            outcomes.append(self._failed("end", problem))
        if problem := self._own and self._own.end():
            outcomes.append(self._failed("clean-stop", f"its own broker: {problem}"))
        if any(not outcome.not_applicable for outcome in outcomes) and not self._death():
            outcomes.append(self._sweep({outcome.scenario for outcome in outcomes if not outcome.passed}))
            _progress(outcomes[-1])
        return outcomes

    def _is_asked(self, scenario: str) -> bool:
        return not self._only or scenario in self._only

    def _outcome(self, listed: Listed) -> Outcome:
        reason = listed.not_applicable
        if not reason and listed.own_broker and not self._own:
            reason = FOREIGN
        if reason:
            return Outcome(self._client.name, listed.name, True, 0.0, reason, not_applicable=True)
        if problem := self._reason_to_stop():
            return self._failed(listed.name, problem)
        seconds = min(listed.deadline_seconds, max(self._ends - time.monotonic(), 0))
        return self._process.run(listed.name, seconds, listed.own_broker)

    def _failed(self, scenario: str, problem: str) -> Outcome:
        return Outcome(self._client.name, scenario, False, 0.0, problem)

    def _sweep(self, failed: set[str]) -> Outcome:
        """Deletes what the client left; that is a failure only where the scenario itself passed."""
        started = time.monotonic()
        names = self._surroundings.names(self._client.name)
        try:
            done = subprocess.run(
                [str(PYTHON), "-B", "-m", "clients.sweep", json.dumps(sorted(failed))], cwd=HERE,
                env=self._surroundings.environment(self._client, None),
                input=names.read_text() if names.exists() else "", capture_output=True, text=True, timeout=SWEEP_SECONDS,
            )
            passed, detail = done.returncode == 0, done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            passed, detail = False, f"the queues of this client could not be looked at within {SWEEP_SECONDS} seconds"
        return Outcome(self._client.name, SWEEP, passed, time.monotonic() - started, detail)


def _names(listed: list[Listed]) -> set[str]:
    return {each.name for each in listed}


def _progress(outcome: Outcome) -> None:
    with _printing:
        verdict = "FAIL" if not outcome.passed else "-   " if outcome.not_applicable else "pass"
        print(f"{verdict}  {outcome.client:<24} {outcome.scenario:<24} {outcome.seconds:6.2f} s", flush=True)
