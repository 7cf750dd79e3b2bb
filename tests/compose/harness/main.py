"""The command: an engine, images, every scenario on a site of its own, and the sum."""

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import scenarios

from . import certificates, elsewhere, environment, processes
from .containers import Containers
from .engine import Refused, engine
from .images import HERE, ROOT, Images
from .scenario import SCENARIOS, Scenario
from .shell import Failed, Missing, Unavailable, check_interrupted, interrupt
from .site import Site

LOG_LINES = 40
# What takes a release so long changes nothing that is looked at here.
CHEAP = {"LTO": "off", "CODEGEN_UNITS": "16"}
ENDINGS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
WITHOUT = "ran without containers"


@dataclass(frozen=True)
class Outcome:
    """What became of a scenario; it neither passed nor failed where it could not be run."""

    scenario: str
    passed: bool | None
    seconds: float
    detail: str


def main() -> int:
    arguments = _arguments()
    chosen = [one for one in SCENARIOS if not arguments.scenario or one.name in arguments.scenario]
    # So that all that was started is ended, whichever way the run ends.
    for ending in ENDINGS:
        signal.signal(ending, _interrupt)
    os.umask(0o022)
    scratch = Path(tempfile.mkdtemp(prefix="leveret-compose-"))
    containers = not arguments.url
    try:
        scratch.chmod(0o755)
        say("scenarios: " + " ".join(one.name for one in chosen))
        if arguments.url:
            return _report(_elsewhere(arguments, chosen, scratch))
        if not arguments.without_containers:
            try:
                return _report(_in_containers(arguments, chosen, scratch))
            except Refused as refused:
                say(f"this machine refuses a container engine: {refused}")
        containers = False
        return _report(_as_processes(arguments, chosen, scratch))
    except (Missing, Failed, subprocess.TimeoutExpired, KeyboardInterrupt) as problem:
        print(str(problem) or "interrupted")
        print("0 passed, 1 failed")
        return 1
    finally:
        _uninterrupted()
        shutil.rmtree(scratch, ignore_errors=True)
        if not containers and not arguments.url:
            print(WITHOUT)


def _interrupt(_signal, _frame) -> None:
    # Once: what is ended now must not be interrupted itself.
    _uninterrupted()
    interrupt()
    raise KeyboardInterrupt


def _uninterrupted() -> None:
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)


def say(text: str) -> None:
    """One line of the run's own."""
    with _printing:
        print(text, flush=True)


_printing = threading.Lock()


def _in_containers(arguments: argparse.Namespace, chosen: list[Scenario], scratch: Path) -> list[Outcome]:
    with ExitStack() as stack:
        host = stack.enter_context(engine(scratch, arguments.own_engine, say))
        images = Images(host, stack, say, arguments.keep)
        broker, client = arguments.image, arguments.client_image
        if not broker or not client:
            bases = images.bases(arguments.local_bases)
            host.try_container(bases["RUNTIME"])
            client = client or images.build(
                f"leveret-test-client:{os.getpid()}", HERE, HERE / "Dockerfile", {"CLIENT_IMAGE": bases["CLIENT"]},
            )
            broker = broker or images.build(
                f"leveret-test:{os.getpid()}", ROOT, ROOT / "docker" / "Dockerfile",
                {"RUNTIME_IMAGE": bases["RUNTIME"], "BUILD_IMAGE": bases["BUILD"], **CHEAP},
            )
        tls = scratch / "certificates"
        certificates.make(tls)

        def site(one: Scenario) -> Site:
            name = f"leveret-test-{os.getpid()}-{one.name}"
            return Containers(host, (broker, client), tls, name, _folder(scratch, one), _remark(one))

        return _run(arguments, chosen, site)


def _as_processes(arguments: argparse.Namespace, chosen: list[Scenario], scratch: Path) -> list[Outcome]:
    binary = Path(arguments.binary).resolve() if arguments.binary else processes.build()
    python = environment.python()
    tls = scratch / "certificates"
    certificates.make(tls)

    def site(one: Scenario) -> Site:
        name = f"leveret-test-{os.getpid()}-{one.name}"
        return processes.Processes(binary, python, tls, name, _folder(scratch, one), _remark(one))

    return _run(arguments, chosen, site)


def _elsewhere(arguments: argparse.Namespace, chosen: list[Scenario], scratch: Path) -> list[Outcome]:
    """Those that need no more than an address, against a broker that runs."""
    python = environment.python()

    def site(one: Scenario) -> Site:
        return elsewhere.Elsewhere(arguments.url, python, _folder(scratch, one), _remark(one))

    return _run(arguments, [one for one in chosen if one.anywhere], site)


def _folder(scratch: Path, one: Scenario) -> Path:
    folder = scratch / one.name
    folder.mkdir()
    return folder


def _remark(one: Scenario) -> Callable[[str], None]:
    return lambda text: say(f"      {one.name}: {text}")


def _run(arguments: argparse.Namespace, chosen: list[Scenario], site) -> list[Outcome]:
    outcomes = []
    for alone, jobs in ((False, arguments.jobs), (True, 1)):
        # In threads, those that run alone too: an interrupt reaches the main thread only, and they end what they started.
        with ThreadPoolExecutor(jobs) as pool:
            runs = [pool.submit(_one, one, site) for one in chosen if one.alone == alone]
            try:
                outcomes += [run.result() for run in runs]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return outcomes


def _one(one: Scenario, make) -> Outcome:
    check_interrupted()
    started = time.monotonic()
    site, problem, unavailable = None, "", ""
    try:
        site = make(one)
        one.run(site)
    except Unavailable as missing:
        unavailable = str(missing)
    except Failed as failed:
        problem = f"{failed}\n{_place()}"
    except Exception:
        problem = traceback.format_exc()
    if problem and site and site.broker:
        try:
            log = site.broker.log().splitlines()[-LOG_LINES:]
            problem += "\n--- the broker's last lines ---\n" + "\n".join(log)
        except Exception as unknown:
            problem += f"\nthe broker's log cannot be had: {unknown}"
    try:
        if site:
            site.close()
    except Exception:
        problem += "\nwhat was started could not be ended:\n" + traceback.format_exc()
    seconds = time.monotonic() - started
    if unavailable and not problem:
        say(f"----  {one.name:<24} {seconds:6.1f} s: {unavailable}")
        return Outcome(one.name, None, seconds, unavailable)
    say(f"{'FAIL' if problem else 'pass'}  {one.name:<24} {seconds:6.1f} s")
    return Outcome(one.name, not problem, seconds, problem)


def _place() -> str:
    """Where in a scenario it failed."""
    lines = [line for line in traceback.format_exc().splitlines() if "scenarios/" in line]
    return lines[-1].strip() if lines else ""


def _report(outcomes: list[Outcome]) -> int:
    failed = [outcome for outcome in outcomes if outcome.passed is False]
    passed = [outcome for outcome in outcomes if outcome.passed]
    for outcome in failed:
        print(f"\nFAIL {outcome.scenario}\n" + "\n".join("    " + line for line in outcome.detail.splitlines()))
    not_run = len(outcomes) - len(failed) - len(passed)
    rest = f", {not_run} not run" if not_run else ""
    print(f"\n{len(passed)} passed, {len(failed)} failed{rest}", flush=True)
    # A run of nothing proves nothing.
    return 0 if passed and not failed else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/compose/run", description="Runs the broker and its clients in containers.")
    names = [one.name for one in SCENARIOS]
    parser.add_argument("--scenario", action="append", default=[], choices=names, metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--jobs", type=int, default=3, help="scenarios at the same time (default 3)")
    parser.add_argument("--image", help="the broker's image; without it, it is built by docker/Dockerfile")
    parser.add_argument("--client-image", help="the clients' image; without it, it is built")
    parser.add_argument("--local-bases", action="store_true", help="makes the base images by debootstrap, without trying to pull")
    parser.add_argument("--own-engine", action="store_true", help="starts an engine of its own though another one runs")
    parser.add_argument("--without-containers", action="store_true", help="runs the scenarios as processes of this machine")
    parser.add_argument("--binary", help="with --without-containers: the broker's binary; without it, it is built")
    parser.add_argument("--url", help="a broker that runs already: runs what needs no more than its address")
    parser.add_argument("--keep", action="store_true", help="keeps the images that were made")
    return parser.parse_args()


assert scenarios.LOADED
