"""The command: prepare, start a broker unless there is one, run every client, print the table."""

import argparse
import shutil
import signal
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Callable
from urllib.parse import quote, unquote, urlsplit

from . import broker, certificates, documents, environment
from .catalogue import CLIENTS, SLOWEST_FIRST, Client
from .client_process import Outcome, Surroundings
from .client_run import ClientRun
from .environment import PYTHON
from .table import failures, table

DEADLINE_SECONDS = 1200
DEADLINE_OF_ALL_SECONDS = 2400


def main() -> int:
    arguments = _arguments()
    # So that the broker and the clients are ended whichever way the run is.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    clients = _chosen(arguments)
    scratch = Path(tempfile.mkdtemp(prefix="leveret-interop-"))
    try:
        environment.prepare(clients)
        return _with_broker(arguments, clients, scratch)
    except (environment.Missing, broker.BrokerFailed, KeyboardInterrupt) as problem:
        print(str(problem) or "interrupted")
        print("0 passed, 1 failed")
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _chosen(arguments: argparse.Namespace) -> list[Client]:
    """The clients to run, in the order of their start."""
    if arguments.client:
        clients = [client for client in CLIENTS if client.name in arguments.client]
    else:
        clients = [client for client in CLIENTS if client.core or arguments.all]
    slow = {name: number for number, name in enumerate(SLOWEST_FIRST)}
    return sorted(clients, key=lambda client: slow.get(client.name, len(slow)))


def _with_broker(arguments: argparse.Namespace, clients: list[Client], scratch: Path) -> int:
    run = uuid.uuid4().hex[:8]
    if arguments.url:
        url = complete(arguments.url)
        broker.reachable(url, PYTHON)
        tls = (arguments.tls_url, Path(arguments.certificates).resolve()) if arguments.tls_url else None
        surroundings = Surroundings(url, run, scratch, tls, arguments.management_url)
        return _report(arguments, _run(arguments, clients, surroundings, None, lambda: None), "")
    certificates.make(scratch / "tls")
    binary = Path(arguments.binary).resolve() if arguments.binary else broker.build()
    started = broker.Broker(binary, scratch / "data", certificates=scratch / "tls", management=True)
    url = started.start()
    try:
        surroundings = Surroundings(url, run, scratch, (started.tls_url(), scratch / "tls"), started.management_url())
        outcomes = _run(arguments, clients, surroundings, binary, started.death)
    finally:
        before = time.monotonic()
        problem = started.stop()
    outcomes.append(Outcome("broker", "clean-stop", problem is None, time.monotonic() - before, problem or ""))
    return _report(arguments, outcomes, started.log())


def _run(
    arguments: argparse.Namespace, clients: list[Client], surroundings: Surroundings, binary: Path | None,
    death: Callable[[], str | None],
) -> list[Outcome]:
    ends = time.monotonic() + arguments.deadline
    interrupted = Event()

    def reason_to_stop() -> str | None:
        if interrupted.is_set():
            return "not run: the run was interrupted"
        if time.monotonic() > ends:
            return "not run: the deadline of the whole run has passed"
        return death()

    runs = [ClientRun(client, surroundings, binary, arguments.scenario, ends, reason_to_stop, death) for client in clients]
    print(f"driving the broker at {_without_password(surroundings.url)}", flush=True)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        under_way = [pool.submit(run.run) for run in runs]
        try:
            return [outcome for each in under_way for outcome in each.result()]
        except BaseException:
            interrupted.set()
            for run in runs:
                run.interrupt()
            raise


def _report(arguments: argparse.Namespace, outcomes: list[Outcome], log: str) -> int:
    failed = sum(not outcome.passed for outcome in outcomes)
    if failed:
        print("\n" + failures(outcomes))
        if log:
            print(f"\n--- the broker's last lines ---\n{log}")
    print("\n" + table(outcomes) + "\n")
    if arguments.table:
        documents.write(outcomes)
    passed = sum(outcome.passed and not outcome.not_applicable for outcome in outcomes)
    print(f"{passed} passed, {failed} failed")
    # A run of nothing proves nothing.
    return 0 if passed and not failed else 1


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
    parser.add_argument("--management-url", help="with --url: where that broker's HTTP API is, http://user:password@host:15672")
    parser.add_argument("--binary", help="start this broker instead of building Leveret")
    parser.add_argument("--all", action="store_true", help="every client, not only those that CI runs")
    parser.add_argument("--client", action="append", default=[], choices=[client.name for client in CLIENTS], help="only this client; may be repeated")
    parser.add_argument("--scenario", action="append", default=[], help="only this scenario; may be repeated")
    parser.add_argument("--jobs", type=int, default=4, help="clients at the same time (default 4)")
    parser.add_argument(
        "--deadline", type=float,
        help=f"seconds for all scenarios together (default {DEADLINE_SECONDS}, with --all {DEADLINE_OF_ALL_SECONDS})",
    )
    parser.add_argument(
        "--table", choices=["README"],
        help="with --all: write the results into README.md of the project and of this folder",
    )
    arguments = parser.parse_args()
    if arguments.table and (not arguments.all or arguments.client or arguments.scenario):
        parser.error("--table wants --all, and neither --client nor --scenario: the table is of all clients")
    if arguments.deadline is None:
        arguments.deadline = DEADLINE_OF_ALL_SECONDS if arguments.all else DEADLINE_SECONDS
    return arguments
