"""A site without containers: the broker and the clients are processes of this machine."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from .apart import Bridge, Namespace, Proxy
from .elsewhere import ProcessClient
from .environment import HERE
from .memory_group import MemoryGroup
from .shell import Failed, Missing, Unavailable, done, output, until
from .site import PASSWORD, READY_SECONDS, USER, Broker, Client, End, Settings, Site

ROOT = Path(__file__).resolve().parents[3]
NAMES = (
    "rabbitmqctl", "rabbitmq-diagnostics", "rabbitmq-plugins", "rabbitmq-queues", "rabbitmq-upgrade", "rabbitmqadmin",
)
BUILD_SECONDS = 5400
STOP_SECONDS = 60
CHECK_SECONDS = 15
IMPATIENT_SECONDS = 5
KILLED = 128
# Makes every mounted file system but the data directory's read-only, for itself and what it starts.
READ_ONLY = """
mount --make-rprivate /
mount --bind "$0" "$0"
while read -r _ point type _; do
    case $type in proc|sysfs|cgroup|cgroup2|devtmpfs|devpts) continue ;; esac
    [ "$point" = "$0" ] || mount -o remount,bind,ro "$point" 2>/dev/null || true
done < /proc/mounts
exec "$@"
"""

ENTERING = {
    ("unshare", ): ("nsenter", ),
    ("unshare", "--user", "--map-root-user"): ("nsenter", "--user", "--preserve-credentials"),
}


def build() -> Path:
    """Builds the release binary and returns its path."""
    command = ["cargo", "build", "--release", "--bin", "leveret"]
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise Missing(f"`{' '.join(command)}` failed")
    return ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target") / "release" / "leveret"


class Processes(Site):
    def __init__(self, binary: Path, python: str, certificates: Path, name: str, scratch: Path,
                 remark: Callable[[str], None]):
        super().__init__(scratch, remark)
        self.binary = binary
        self.name = name
        self._python = python
        self._certificates = certificates
        self._events: list[str] = []
        self.programs = scratch / "programs"
        self.programs.mkdir()
        for program in NAMES:
            (self.programs / program).symlink_to(binary)

    @property
    def certificates(self) -> Path:
        return self._certificates

    def up(self, settings: Settings = Settings(), clients: int = 1, apart: bool = False) -> tuple[Broker, list[Client]]:
        bridge = self._bridge() if apart else None
        broker = self._make(settings, bridge)
        broker.start()
        self._events += ["broker started", "broker healthy"]
        made = [self._client(broker, bridge, apart) for _ in range(clients)]
        self._events.append("client started")
        return broker, made

    def _make(self, settings: Settings, bridge: Bridge | None = None) -> "ProcessBroker":
        broker = ProcessBroker(self, settings, bridge.address if bridge else None)
        self.broker = broker
        self.stack.callback(broker.clear)
        return broker

    def _bridge(self) -> Bridge | None:
        try:
            return Bridge(self.stack)
        except (PermissionError, FileNotFoundError) as refused:
            self.remark(f"the network is lost by a proxy that stops forwarding ({refused})")
            return None

    def _client(self, broker: "ProcessBroker", bridge: Bridge | None, apart: bool) -> Client:
        if bridge:
            return NamespaceClient(self, bridge.namespace())
        if apart:
            return ProxyClient(self, Proxy(broker.port, self.stack))
        return ProcessClient(self._python, self.stack)

    @property
    def python(self) -> str:
        return self._python

    def found(self, folder: Path) -> tuple[Broker, Client]:
        text = (folder / "docker-compose.yml").read_text()
        # No YAML in Python's own library: of the file's lines, these are what a process can be given.
        environment = dict(re.findall(r"^      (RABBITMQ_\w+): (.+)$", text, re.MULTILINE))
        if not environment:
            raise Failed(f"{folder.name} sets no variables of RabbitMQ")
        settings = Settings(configuration=(folder / "rabbitmq.conf").read_text(), environment=environment)
        broker, clients = self.up(settings)
        return broker, clients[0]

    def refused(self, settings: Settings) -> tuple[End, str]:
        broker = self._make(settings)
        broker.begin()
        return until(broker.end, "the broker has ended by itself", READY_SECONDS), broker.log()

    def by_itself(self) -> subprocess.CompletedProcess:
        broker, _ = self.up(clients=0)
        return done(self._python, str(HERE / "run"), "--url", broker.url())

    def check_compose_file(self, file: Path) -> None:
        if not shutil.which("docker-compose"):
            raise Unavailable("docker-compose is not installed")
        output("docker-compose", "--file", str(file), "config", "--quiet")

    def events(self) -> list[str]:
        return self._events


class NamespaceClient(ProcessClient):
    """A client in a network namespace."""

    def __init__(self, site: Processes, namespace: Namespace):
        super().__init__(site.python, site.stack)
        self._namespace = namespace

    def within(self) -> list[str]:
        return ["ip", "netns", "exec", self._namespace.name]

    def lose_network(self) -> None:
        self._namespace.leave()

    def regain_network(self) -> None:
        self._namespace.join()


class ProxyClient(ProcessClient):
    """A client that reaches the broker through a proxy of the test."""

    def __init__(self, site: Processes, proxy: Proxy):
        super().__init__(site.python, site.stack)
        self._proxy = proxy

    def url(self, broker) -> str:
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self._proxy.port}/%2F"

    def lose_network(self) -> None:
        self._proxy.leave()

    def regain_network(self) -> None:
        self._proxy.join()


class ProcessBroker(Broker):
    def __init__(self, site: Processes, settings: Settings, address: str | None):
        self._site = site
        self._settings = settings
        self._host = address or "127.0.0.1"
        self.port, self._management_port, self._tls_port = _kept_ports(3, self._host, site.stack)
        self._data = site.scratch / "data"
        self._data.mkdir(mode=0o700)
        self._log = site.scratch / "log"
        self._process: subprocess.Popen | None = None
        self._group: MemoryGroup | None = None
        self._kills = 0
        self._limit: list[str] = []
        if settings.memory_mb:
            self._limit_memory(settings.memory_mb)
        if settings.read_only:
            self._unshare = _unshare()
        self._environment = self._prepare_environment()

    def _limit_memory(self, megabytes: int) -> None:
        try:
            self._group = MemoryGroup(self._site.name, megabytes)
            self._site.stack.callback(self._group.remove)
        except OSError as refused:
            self._site.remark(f"no control group limits its memory ({refused}): it is told how much there is")
            self._limit = ["--total-memory-available-override-value", str(megabytes * 1024**2)]

    def _prepare_environment(self) -> dict[str, str]:
        settings, scratch = self._settings, self._site.scratch
        folders = {"etc": str(scratch / "etc"), "secrets": str(scratch / "secrets"), "tls": str(self._site.certificates)}

        def filled(text: str) -> str:
            return settings.filled(text, **folders)

        files = dict(settings.files)
        if settings.configuration:
            files["rabbitmq.conf"] = settings.configuration
        for folder, texts in (("etc", files), ("secrets", settings.secrets)):
            (scratch / folder).mkdir()
            for name, text in texts.items():
                (scratch / folder / name).write_text(filled(text))
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "LEVERET_"))
        }
        environment |= {name: filled(value) for name, value in settings.environment.items()}
        if settings.configuration:
            environment["RABBITMQ_CONFIG_FILE"] = str(scratch / "etc" / "rabbitmq.conf")
        return environment

    def _command(self, port: int, management_port: int) -> list[str]:
        tls = ["--listeners-tls", f"{self._host}:{self._tls_port}"] if self._settings.tls else []
        return [
            str(self._site.binary), "--data-dir", str(self._data), "--listen", f"{self._host}:{port}", *tls,
            "--management-listen", f"127.0.0.1:{management_port}", "--metrics-listen", "none", *self._limit,
        ]

    def url(self, user: str = USER, password: str = PASSWORD, vhost: str = "%2F") -> str:
        return f"amqp://{user}:{password}@{self._host}:{self.port}/{vhost}"

    def tls_url(self, user: str = USER, password: str = PASSWORD) -> str:
        return f"amqps://{user}:{password}@localhost:{self._tls_port}/%2F"

    def execute(self, *command: str) -> subprocess.CompletedProcess:
        return self._executed(CHECK_SECONDS * 4, *command)

    def _executed(self, seconds: float, *command: str) -> subprocess.CompletedProcess:
        environment = {
            **os.environ, "PATH": f"{self._site.programs}:{os.environ['PATH']}", "LEVERET_DATA_DIR": str(self._data),
        }
        within = []
        if self._settings.read_only:
            within = [*ENTERING[self._unshare], "--mount", "--target", str(self._process.pid)]
        if command[0] == "rabbitmqadmin":
            command = (command[0], "--port", str(self._management_port), *command[1:])
        return done(*within, *command, environment=environment, seconds=seconds)

    def healthy(self) -> bool:
        try:
            seconds = IMPATIENT_SECONDS if self._settings.impatient else CHECK_SECONDS
            return self._executed(seconds, "rabbitmq-diagnostics", "-q", "ping").returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def begin(self) -> None:
        within = self._group.within() if self._group else []
        if self._settings.read_only:
            within += [*self._unshare, "--mount", "sh", "-c", READ_ONLY, str(self._data)]
        with open(self._log, "ab") as log:
            # Out of reach of an interrupt at the terminal: the clients go first.
            self._process = subprocess.Popen(
                [*within, *self._command(self.port, self._management_port)], env=self._environment,
                cwd=self._site.scratch, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )

    def stop(self) -> End:
        return self._ended_by(signal.SIGTERM)

    def kill(self) -> End:
        return self._ended_by(signal.SIGKILL)

    def _ended_by(self, what: signal.Signals) -> End:
        started = time.monotonic()
        self._process.send_signal(what)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"the broker has not ended {STOP_SECONDS} seconds after {what.name}") from None
        end = self.end()
        return End(end.status, end.killed_for_memory, time.monotonic() - started)

    def restart(self) -> None:
        self.stop()
        self.start()

    def replace(self) -> None:
        self.restart()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> End | None:
        status = self._process.poll()
        if status is None:
            return None
        return End(status if status >= 0 else KILLED - status, bool(self._group and self._group.kills()))

    def second(self) -> subprocess.CompletedProcess:
        port, management_port = _kept_ports(2, self._host, self._site.stack)
        return done(*self._command(port, management_port), environment=self._environment, folder=self._site.scratch)

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def clear(self) -> None:
        """Ends it, whatever it does."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._data, ignore_errors=True)


def _unshare() -> tuple[str, ...]:
    """How a namespace for mounts is made here: as root, or as a user who is root in a namespace of its own."""
    for command in ENTERING:
        if done(*command, "--mount", "true").returncode == 0:
            return command
    raise Unavailable("no namespace for mounts can be made: neither CAP_SYS_ADMIN nor user namespaces are there")


def _kept_ports(count: int, host: str, stack: ExitStack) -> list[int]:
    """Ports that nobody else is given until the stack is closed, also while the broker is not there.

    They are bound and never listened at: the broker, which is told of them, may do that, and who connects before is refused.
    """
    keepers = [stack.enter_context(socket.socket()) for _ in range(count)]
    for keeper in keepers:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind((host, 0))
    return [keeper.getsockname()[1] for keeper in keepers]
