"""Builds Leveret, starts it on a free port of the loopback and stops it by its pid."""

import os
import re
import signal
import subprocess
import threading
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
LISTENER = re.compile(r"started TCP listener on 127\.0\.0\.1:(\d+)")
TLS_LISTENER = re.compile(r"started TLS \(SSL\) listener on 127\.0\.0\.1:(\d+)")
MANAGEMENT_LISTENER = re.compile(r"HTTP \(non-TLS\) listener started on (?:port |127\.0\.0\.1:)(\d+)")
READY = "Server startup complete"
START_SECONDS = 60
STOP_SECONDS = 60
PROBE_SECONDS = 60
HANDSHAKE_SECONDS = 60
LINES_KEPT = 2000


class BrokerFailed(Exception):
    """The broker could not be built, did not become ready, or did not stop; the text says which."""


def build() -> Path:
    """Builds the release binary and returns its path."""
    command = ["cargo", "build", "--release", "--bin", "leveret"]
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise BrokerFailed(f"`{' '.join(command)}` failed")
    target = Path(os.environ.get("CARGO_TARGET_DIR") or "target")
    return ROOT / target / "release" / "leveret"


class Broker:
    """A broker that can be started, ended and started again on the same port with the same data.

    With certificates it speaks TLS as well, and guest logs in by the common name of one; with `management` its HTTP API
    is on a free port. `configuration` is a file of settings, which `reload` has it read again.
    """

    def __init__(
        self, binary: Path, data_directory: Path, port: int = 0, certificates: Path | None = None,
        management: bool = False, configuration: Path | None = None,
    ):
        self._command = [
            str(binary), "--listen", f"127.0.0.1:{port}", "--metrics-listen", "none", "--data-dir", str(data_directory),
            # More than the default, so that a machine that stands still for a while loses no client.
            "--handshake-timeout", f"{HANDSHAKE_SECONDS}s",
            "--management-listen", "127.0.0.1:0" if management else "none",
        ]
        self._wanted = {"amqp": LISTENER}
        if management:
            self._wanted["management"] = MANAGEMENT_LISTENER
        if configuration:
            self._command += ["--config", str(configuration)]
        if certificates:
            self._command += _tls(certificates)
            self._wanted["tls"] = TLS_LISTENER
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._changed = threading.Condition()
        self._awaited: str | None = None

    def start(self) -> str:
        """Starts the broker, waits for its lines and returns its URL."""
        self._ports: dict[str, int] = {}
        self._ready = False
        self._ended = False
        # Out of reach of an interrupt at the terminal: the clients go first, then the broker, by its pid.
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._is_ready(), START_SECONDS)
            ready, ended = self._is_ready(), self._ended
        if ended or not ready:
            self.stop()
            what = "ended by itself" if ended else f"was not ready within {START_SECONDS} seconds"
            raise BrokerFailed(f"the broker {what}; it printed:\n{self.log()}")
        return f"amqp://guest:guest@127.0.0.1:{self._ports['amqp']}/%2F"

    def tls_url(self) -> str:
        """Where it speaks TLS, once `start` has returned."""
        return f"amqps://guest:guest@localhost:{self._ports['tls']}/%2F"

    def management_url(self) -> str:
        """Where its HTTP API is, once `start` has returned."""
        return f"http://guest:guest@127.0.0.1:{self._ports['management']}"

    def _is_ready(self) -> bool:
        return self._ready and self._ports.keys() == self._wanted.keys()

    def _read(self) -> None:
        for line in self._process.stdout:
            with self._changed:
                self._lines.append(line)
                if self._awaited and self._awaited in line:
                    self._awaited = None
                for name, pattern in self._wanted.items():
                    if found := pattern.search(line):
                        self._ports[name] = int(found.group(1))
                self._ready = self._ready or READY in line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def death(self) -> str | None:
        """How the broker ended, if it did."""
        status = self._process.poll()
        return None if status is None else f"the broker ended by itself with status {_status(status)}"

    def stop(self) -> str | None:
        """Stops the broker with SIGTERM; returns what was wrong with the way it went, if anything."""
        if problem := self.death():
            return problem
        self._process.terminate()
        try:
            status = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"the broker ignored SIGTERM for {STOP_SECONDS} seconds and was killed"
        self._reader.join(STOP_SECONDS)
        if status != 0:
            return f"the broker left with status {_status(status)} after SIGTERM"
        return None

    def kill(self) -> str | None:
        """Ends the broker without a warning; returns how it had ended before that, if it had."""
        if problem := self.death():
            return problem
        self._process.kill()
        self._process.wait()
        self._reader.join(STOP_SECONDS)
        return None

    def reload(self, done: str) -> None:
        """Has the broker read its configuration again, and waits for a line with `done`."""
        with self._changed:
            self._awaited = done
            self._process.send_signal(signal.SIGHUP)
            if not self._changed.wait_for(lambda: self._awaited is None, START_SECONDS):
                raise BrokerFailed(f"the broker did not print {done!r} within {START_SECONDS} seconds")

    def log(self, lines: int = 60) -> str:
        """The last lines that the broker printed."""
        with self._changed:
            return "".join(list(self._lines)[-lines:])


def _tls(certificates: Path) -> list[str]:
    return [
        "--listeners-tls", "127.0.0.1:0",
        "--tls-cacertfile", str(certificates / "ca.pem"),
        "--tls-certfile", str(certificates / "server.pem"),
        "--tls-keyfile", str(certificates / "server-key.pem"),
        "--tls-verify", "verify_peer",
        "--tls-cert-login-from", "common_name",
        "--tls-handshake-timeout", f"{HANDSHAKE_SECONDS}s",
    ]


def _status(status: int) -> str:
    return str(status) if status >= 0 else f"{status} ({signal.Signals(-status).name})"


def reachable(url: str, python: Path) -> None:
    """Raises BrokerFailed unless a connection to `url` can be opened."""
    probe = "import sys, pika; pika.BlockingConnection(pika.URLParameters(sys.argv[1])).close()"
    try:
        done = subprocess.run([str(python), "-c", probe, url], capture_output=True, text=True, timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        raise BrokerFailed(f"no connection to {url} could be opened within {PROBE_SECONDS} seconds") from None
    if done.returncode != 0:
        raise BrokerFailed(f"no connection to {url} could be opened:\n{done.stderr}")
