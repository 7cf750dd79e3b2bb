"""Runs one client's scenarios in a process of its own, and ends that process when a scenario hangs."""

import json
import os
import queue
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from .broker import BrokerFailed
from .catalogue import Client
from .environment import HERE, TARGET
from .own_broker import RESTARTING, OwnBroker

LIST_SECONDS = 120
DEADLINE_SECONDS = 180
END_SECONDS = 180
LOG_TAIL = 3000


@dataclass(frozen=True)
class Outcome:
    """What became of one scenario. `detail` is what the client saw, for a failure."""

    client: str
    scenario: str
    passed: bool
    seconds: float
    detail: str
    # The client has no such thing; `detail` says why.
    not_applicable: bool = False


@dataclass(frozen=True)
class Listed:
    """A scenario as its client lists it."""

    name: str
    deadline_seconds: float = DEADLINE_SECONDS
    not_applicable: str | None = None
    own_broker: bool = False


@dataclass(frozen=True)
class Surroundings:
    """What all clients are told."""

    url: str
    run: str
    scratch: Path
    # Where TLS is spoken and the folder of its certificates, if it is.
    tls: tuple[str, Path] | None = None
    # Where the HTTP API is, if it is.
    management_url: str | None = None

    def environment(self, client: Client, own: OwnBroker | None) -> dict[str, str]:
        tls = {"INTEROP_TLS_URL": self.tls[0], "INTEROP_CERTIFICATES": str(self.tls[1])} if self.tls else {}
        management = {"INTEROP_MANAGEMENT_URL": self.management_url} if self.management_url else {}
        return {
            **os.environ,
            **tls,
            **management,
            **(own.environment() if own else {}),
            "INTEROP_URL": self.url,
            "INTEROP_RUN": self.run,
            "INTEROP_SCRATCH": str(self.scratch / client.name),
            "INTEROP_NAMES": str(self.names(client.name)),
            "INTEROP_TARGET": str(TARGET / client.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def names(self, client: str) -> Path:
        return self.scratch / client / "names"


def scenarios_of(client: Client, environment: dict[str, str]) -> list[Listed]:
    """What the client says that it does, and what it cannot."""
    done = subprocess.run(
        [*client.command, "--list"], cwd=HERE, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIST_SECONDS,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{client.name} cannot list its scenarios:\n{done.stderr}")
    return [
        Listed(
            entry["name"], entry.get("deadline_seconds", DEADLINE_SECONDS), entry.get("not_applicable"),
            entry.get("own_broker", False) or entry["name"].startswith(RESTARTING),
        )
        for entry in json.loads(done.stdout)
    ]


class ClientProcess:
    """One client's process. It is started at the first scenario and again after one that hung."""

    def __init__(self, client: Client, surroundings: Surroundings, own: OwnBroker | None):
        self._client = client
        self._environment = surroundings.environment(client, own)
        self._own = own
        self._log = surroundings.scratch / client.name / "log"
        self._process: subprocess.Popen | None = None

    def run(self, scenario: str, deadline_seconds: float, own_broker: bool) -> Outcome:
        """Runs one scenario; a client that does not answer in time is killed with all that it started."""
        started = time.monotonic()
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        own = self._own if own_broker else None
        try:
            if own:
                own.start()
            outcome = self._ask(scenario, deadline_seconds, started)
        except BrokerFailed as failed:
            return self._failed(scenario, started, str(failed))
        if own and not outcome.passed:
            log = f"\n--- the last lines of the client's own broker ---\n{own.log()}"
            return replace(outcome, detail=outcome.detail + log)
        return outcome

    def _ask(self, scenario: str, deadline_seconds: float, started: float) -> Outcome:
        try:
            if self._process is None:
                self._start()
            self._process.stdin.write(scenario + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=deadline_seconds)
        except queue.Empty:
            self.kill()
            return self._failed(scenario, started, f"no answer within {deadline_seconds:g} seconds")
        except OSError as error:
            self.kill()
            return self._failed(scenario, started, f"the client's process ended: {error}")
        if line is None:
            self._left_within(1)
            status = self.kill()
            return self._failed(scenario, started, f"the client's process ended with status {status}")
        answer = json.loads(line)
        return Outcome(
            self._client.name, answer["scenario"], answer["passed"], time.monotonic() - started,
            answer["detail"] if answer["passed"] else answer["detail"] + self._stderr(),
        )

    def _start(self) -> None:
        log = open(self._log, "ab")
        # A group of its own, so that a hung client goes together with the workers that it started.
        self._process = subprocess.Popen(
            self._client.command, cwd=HERE, env=self._environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
        )
        log.close()
        self._answers: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_copy, args=(self._process.stdout, self._answers), daemon=True).start()

    def end(self) -> str | None:
        """Lets the client finish by itself, and leaves nothing of it; returns what was wrong with its end, if anything."""
        if self._process is None:
            return None
        try:
            self._process.stdin.close()
        except OSError:
            pass
        left = self._left_within(END_SECONDS)
        status = self.kill()
        if not left:
            return f"the client did not end within {END_SECONDS} seconds{self._stderr()}"
        return f"the client ended with status {status}{self._stderr()}" if status else None

    def _left_within(self, seconds: float) -> bool:
        # WNOWAIT: as long as the leader is not reaped its group's id is not given to anybody else.
        ends = time.monotonic() + seconds
        flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
        while os.waitid(os.P_PID, self._process.pid, flags) is None:
            if time.monotonic() > ends:
                return False
            time.sleep(0.02)
        return True

    def interrupt(self) -> None:
        """Ends the client from another thread than the one that runs its scenarios, which then sees it gone."""
        process = self._process
        if process is not None and process.returncode is None:
            _kill_group(process.pid)

    def kill(self) -> int | None:
        """Ends the client's process group and returns its leader's status."""
        process, self._process = self._process, None
        if process is None:
            return None
        _kill_group(process.pid)
        return process.wait()

    def _failed(self, scenario: str, started: float, what: str) -> Outcome:
        seconds = time.monotonic() - started
        return Outcome(self._client.name, scenario, False, seconds, what + self._stderr())

    def _stderr(self) -> str:
        if not self._log.exists():
            return ""
        with open(self._log, "rb") as log:
            log.seek(self._log_start)
            text = log.read().decode(errors="replace")
        return f"\n--- the client's stderr ---\n{text[-LOG_TAIL:]}" if text.strip() else ""


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _copy(stream, answers: "queue.Queue[str | None]") -> None:
    for line in stream:
        answers.put(line)
    answers.put(None)
