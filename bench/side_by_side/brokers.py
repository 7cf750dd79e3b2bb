"""The brokers that are measured, and `leveret bench`, which measures them."""

import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

KB = 1024
LOAD_MAX_SECONDS = 900
START_MAX_SECONDS = 300
STOP_MAX_SECONDS = 60


class Broken(Exception):
    """A broker or a run that did not do what it should."""


@dataclasses.dataclass(frozen=True)
class Journal:
    """What a Leveret that stopped says about its journal."""

    group_commits: int
    written_bytes: int

    def mean_batch_bytes(self) -> int:
        return max(1, self.written_bytes // max(1, self.group_commits))


class Leveret:
    """A Leveret of our own, on a free port of the loopback, in a directory of its own that goes with it."""

    name = "leveret"

    def __init__(self, program: pathlib.Path) -> None:
        self.program = program
        self.home = tempfile.mkdtemp(prefix="leveret-bench-")
        self.process: subprocess.Popen | None = None
        self.start_ms = 0.0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Starts it on the data directory as it is; `start_ms` is how long it took to be ready."""
        log = pathlib.Path(self.home, "log")
        logged = log.stat().st_size if log.exists() else 0
        listen = ["--listen", f"127.0.0.1:{self.port}", "--data-dir", os.path.join(self.home, "data")]
        started = time.monotonic()
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [self.program, "serve", *listen], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

        def is_ready(accepts: bool) -> bool:
            """Ready means that the line is in the log and that the port accepts."""
            if self.process.poll() is not None:
                raise Broken(f"leveret did not start:\n{self.log()[logged:]}")
            return accepts and "startup complete" in self.log()[logged:]

        await_port(self.port, started, is_ready)
        self.start_ms = (time.monotonic() - started) * 1000

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        return pathlib.Path(self.home, "log").read_text(errors="replace")

    def journal(self) -> Journal | None:
        """The journal's totals, which are in the log once the broker has stopped."""
        found = re.search(r"journal: (\d+) group commits, (\d+) bytes", self.log())
        return Journal(int(found.group(1)), int(found.group(2))) if found else None

    def kill_and_restart(self) -> float:
        """Kills it without a word and starts it again; returns the milliseconds from the start until it is ready."""
        self.process.kill()
        self.process.wait()
        self.start()
        return self.start_ms

    def stop(self) -> None:
        """Stops it and leaves its directory."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_MAX_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> "Leveret":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Other:
    """The broker that Leveret is compared with; somebody else started it and will stop it."""

    name = "other"

    def __init__(self, url: str, pid: int | None, restart: str | None) -> None:
        self.url = url
        self.pid = pid
        self.restart = restart

    def kill_and_restart(self) -> float:
        """As Leveret's."""
        port = int(re.search(r":(\d+)(/|$)", self.url).group(1))
        done = subprocess.run(shlex.split(self.restart), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Broken(f"cannot be restarted: {done.stderr.strip()}")
        started = time.monotonic()
        self.pid = int(done.stdout)
        await_port(port, started, lambda accepts: accepts)
        return (time.monotonic() - started) * 1000


def await_port(port: int, started: float, is_ready) -> None:
    """Waits until the port accepts and `is_ready` says yes to that."""
    accepts = False
    while True:
        if not accepts:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                accepts = True
            except OSError:
                pass
        if is_ready(accepts):
            return
        if time.monotonic() > started + START_MAX_SECONDS:
            raise Broken(f"not ready after {START_MAX_SECONDS} seconds")
        time.sleep(0.0005)


def rss_bytes(pid: int) -> int:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * KB


def bench(program: pathlib.Path, options: list[str]) -> dict[str, object]:
    command = [str(program), "bench", "--json", *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LOAD_MAX_SECONDS)
    if done.returncode != 0:
        told = done.stderr.strip().splitlines()
        raise Broken(told[-1] if told else f"status {done.returncode}")
    return json.loads(done.stdout)
