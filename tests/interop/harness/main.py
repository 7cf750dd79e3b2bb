"""The command: prepare, start a broker unless there is one, run every client, print the table."""

import argparse
import json
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Callable
from urllib.parse import quote, unquote, urlsplit

from . import broker, certificates, environment
from .catalogue import CLIENTS, Client
from .client_process import ClientProcess, Outcome, Surroundings, scenarios_of
from .environment import HERE, PYTHON
from .table import failures, table

SWEEP_SECONDS = 30
SWEEP = "nothing-left-behind"


def main() -> int:
    arguments = _arguments()
    # So that the broker and the clients are ended whichever way the run is.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    clients = [client for client in CLIENTS if not arguments.client or client.name in arguments.client]
    scratch = Path(tempfile.mkdtemp(prefix="leveret-interop-"))
    try:
        # The probe and the sweep speak pika, so Python is needed whatever the client.
        environment.prepare({"python"}.union(*(client.needs for client in clients)))
        return _with_broker(arguments, clients, scratch)
    except (environment.Missing, broker.BrokerFailed, KeyboardInterrupt) as problem:
        print(str(problem) or "interrupted")
        print("0 passed, 1 failed")
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _with_broker(arguments: argparse.Namespace, clients: list[Client], scratch: Path) -> int:
    if arguments.url:
        url = complete(arguments.url)
        broker.reachable(url, PYTHON)
        tls = (arguments.tls_url, Path(arguments.certificates).resolve()) if arguments.tls_url else None
        return _report(_run(arguments, clients, scratch, url, tls, lambda: None), "")
    certificates.make(scratch / "tls")
    started = broker.Broker(broker.build(), scratch / "data", scratch / "tls")
    url = started.start()
    try:
        tls = (started.tls_url(), scratch / "tls")
        outcomes = _run(arguments, clients, scratch, url, tls, started.death)
    finally:
        before = time.monotonic()
        problem = started.stop()
    outcomes.append(Outcome("broker", "clean-stop", problem is None, time.monotonic() - before, problem or ""))
    return _report(outcomes, started.log())


def _run(arguments, clients, scratch, url, tls, death) -> list[Outcome]:
    surroundings = Surroundings(url, uuid.uuid4().hex[:8], scratch, tls)
    processes = {client: ClientProcess(client, surroundings) for client in clients}
    ends = time.monotonic() + arguments.deadline
    interrupted = Event()

    def reason_to_stop() -> str | None:
        if interrupted.is_set():
            return "not run: the run was interrupted"
        if time.monotonic() > ends:
            return "not run: the deadline of the whole run has passed"
        return death()

    print(f"driving the broker at {_without_password(url)}", flush=True)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        runs = [
            pool.submit(
                _run_client, client, processes[client], surroundings, arguments.scenario, ends, reason_to_stop, death
            )
            for client in clients
        ]
        try:
            return [outcome for run in runs for outcome in run.result()]
        except BaseException:
            interrupted.set()
            for process in processes.values():
                process.interrupt()
            raise


_printing = Lock()


def _run_client(
    client: Client, process: ClientProcess, surroundings: Surroundings, only: list[str], ends: float,
    reason_to_stop: Callable[[], str | None], death: Callable[[], str | None],
) -> list[Outcome]:
    (surroundings.scratch / client.name).mkdir()
    outcomes = []
    try:
        for scenario, deadline in scenarios_of(client, surroundings).items():
            if only and scenario not in only:
                continue
            if problem := reason_to_stop():
                outcome = Outcome(client.name, scenario, False, 0.0, problem)
            else:
                outcome = process.run(scenario, min(deadline, max(ends - time.monotonic(), 0)))
            outcomes.append(outcome)
            _progress(outcome)
    except Exception as error:  # a client that cannot even start is a failure of the run, not of the runner
        outcomes.append(Outcome(client.name, "start", False, 0.0, repr(error)))
    if problem := process.end():
        outcomes.append(Outcome(client.name, "end", False, 0.0, problem))
    if outcomes and not death():
        failed = {outcome.scenario for outcome in outcomes if not outcome.passed}
        outcomes.append(_sweep(client, surroundings, failed))
        _progress(outcomes[-1])
    return outcomes


def _sweep(client: Client, surroundings: Surroundings, failed: set[str]) -> Outcome:
    """Deletes what the client left; that is a failure only where the scenario itself passed."""
    started = time.monotonic()
    names = surroundings.names(client.name)
    try:
        done = subprocess.run(
            [str(PYTHON), "-B", "-m", "clients.sweep", json.dumps(sorted(failed))], cwd=HERE,
            env=surroundings.environment(client.name), input=names.read_text() if names.exists() else "",
            capture_output=True, text=True, timeout=SWEEP_SECONDS,
        )
        passed, detail = done.returncode == 0, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        passed, detail = False, f"the queues of this client could not be looked at within {SWEEP_SECONDS} seconds"
    return Outcome(client.name, SWEEP, passed, time.monotonic() - started, detail)


def _progress(outcome: Outcome) -> None:
    with _printing:
        verdict = "pass" if outcome.passed else "FAIL"
        print(f"{verdict}  {outcome.client:<11} {outcome.scenario:<20} {outcome.seconds:6.2f} s", flush=True)


def _report(outcomes: list[Outcome], log: str) -> int:
    failed = sum(not outcome.passed for outcome in outcomes)
    if failed:
        print("\n" + failures(outcomes))
        if log:
            print(f"\n--- the broker's last lines ---\n{log}")
    print("\n" + table(outcomes) + "\n")
    print(f"{len(outcomes) - failed} passed, {failed} failed")
    # A run of nothing proves nothing.
    return 0 if outcomes and not failed else 1


def complete(url: str) -> str:
    """Fills in what clients have different defaults for: user, password, port and virtual host."""
    parts = urlsplit(url)
    if parts.scheme != "amqp" or not parts.hostname:
        raise broker.BrokerFailed(f"{url}: expected amqp://[user:password@]host[:port][/vhost]")
    user, password = parts.username or "guest", parts.password or "guest"
    vhost = quote(unquote(parts.path[1:]) or "/", safe="")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"amqp://{user}:{password}@{host}:{parts.port or 5672}/{vhost}"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"amqp://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/interop/run", description=__doc__)
    parser.add_argument("--url", help="an already running broker, amqp://...; without it Leveret is built and started")
    parser.add_argument("--tls-url", help="with --url: where that broker speaks TLS, amqps://...; guest logs in by certificate, too")
    parser.add_argument("--certificates", default=".", help="with --tls-url: the folder of ca.pem, client.pem and client-key.pem")
    parser.add_argument("--client", action="append", default=[], choices=[client.name for client in CLIENTS], help="only this client; may be repeated")
    parser.add_argument("--scenario", action="append", default=[], help="only this scenario; may be repeated")
    parser.add_argument("--jobs", type=int, default=4, help="clients at the same time (default 4)")
    parser.add_argument("--deadline", type=float, default=150, help="seconds for all scenarios together (default 150)")
    return parser.parse_args()
