"""What scenarios are written against: a broker somewhere, and clients elsewhere.

`containers.py` and `processes.py` are two such places, `elsewhere.py` is one where the broker runs already.
"""

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from .program import Hands, Program
from .shell import Failed, until

USER = "tester"
PASSWORD = "secret"
READY = "Server startup complete"
READY_SECONDS = 180


@dataclass(frozen=True)
class Settings:
    """How a broker is started, where it differs from the default.

    `{etc}` in the configuration and in variables stands for the folder where the broker finds `files`, `{secrets}` for
    that of `secrets`, `{tls}` for that of its certificate.
    """

    configuration: str = ""
    files: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=lambda: {
        "RABBITMQ_DEFAULT_USER": USER, "RABBITMQ_DEFAULT_PASS": PASSWORD,
    })
    memory_mb: int | None = None
    read_only: bool = False
    tls: bool = False
    # A health check that gives up after seconds, for a broker that is to be found ill.
    impatient: bool = False

    def filled(self, text: str, **folders: str) -> str:
        """A text with the names of folders in their places."""
        for name, folder in folders.items():
            text = text.replace(f"{{{name}}}", folder)
        return text


@dataclass(frozen=True)
class End:
    """How a broker ended."""

    status: int
    killed_for_memory: bool
    seconds: float = 0.0


class Client(ABC):
    """A machine of its own for programs that talk to the broker: a container, or a place on this one."""

    def __init__(self, stack: ExitStack):
        self._stack = stack

    @abstractmethod
    def start(self, *command: str) -> subprocess.Popen:
        """Starts a command with pipes."""

    @abstractmethod
    def lose_network(self) -> None:
        """From now on nothing that is sent arrives, either way, and nobody is told."""

    @abstractmethod
    def regain_network(self) -> None:
        """Undoes that."""

    def program(self, module: str, *arguments: str) -> Program:
        """Starts a program of `client/`."""
        program = Program(self.start, module, *arguments)
        self._stack.callback(program.close)
        return program

    def hands(self) -> Hands:
        """Hands that are not connected."""
        hands = Hands(self.start)
        self._stack.callback(hands.close)
        return hands

    def connected(self, broker: "Reachable", **how) -> Hands:
        """Hands that are connected to the broker."""
        hands = self.hands()
        hands.connect(url=self.url(broker), **how)
        return hands

    def url(self, broker: "Reachable") -> str:
        """Where this client finds the broker."""
        return broker.url()


class Reachable(ABC):
    """A broker of which no more is known than its address."""

    @abstractmethod
    def url(self, user: str = USER, password: str = PASSWORD, vhost: str = "%2F") -> str:
        """Where clients find it."""


class Broker(Reachable):
    """The broker of a scenario."""

    @abstractmethod
    def tls_url(self, user: str = USER, password: str = PASSWORD) -> str:
        """Where they find it with TLS, if that was asked for."""

    @abstractmethod
    def execute(self, *command: str) -> subprocess.CompletedProcess:
        """Runs a command where the broker is."""

    @abstractmethod
    def healthy(self) -> bool:
        """What the health check says."""

    @abstractmethod
    def stop(self) -> End:
        """SIGTERM, as `docker stop` does."""

    @abstractmethod
    def kill(self) -> End:
        """SIGKILL."""

    @abstractmethod
    def begin(self) -> None:
        """Starts it again after it ended, and waits for nothing."""

    def start(self) -> None:
        """Starts it again after it ended, and waits until it is healthy."""
        self.begin()
        self.await_healthy()

    @abstractmethod
    def freeze(self) -> None:
        """Has it stand still, as a process that hangs."""

    @abstractmethod
    def thaw(self) -> None:
        """Lets it go on."""

    @abstractmethod
    def restart(self) -> None:
        """Stops and starts it in one, as `docker restart` does, and waits until it is healthy."""

    @abstractmethod
    def replace(self) -> None:
        """Puts another one in its place, with the same volume, and waits until it is healthy."""

    @abstractmethod
    def end(self) -> End | None:
        """How it ended, unless it runs."""

    @abstractmethod
    def second(self) -> subprocess.CompletedProcess:
        """Runs another broker with the volume of this one until it ends."""

    @abstractmethod
    def log(self) -> str:
        """All that it has printed."""

    def await_healthy(self) -> None:
        """Waits until the health check says so; a broker that ends meanwhile is told with its log."""
        def healthy_or_ended():
            if ended := self.end():
                raise Failed(f"the broker ended by itself with status {ended.status}")
            return self.healthy()
        until(healthy_or_ended, "the broker is healthy", READY_SECONDS)


class Site(ABC):
    """Where a scenario happens. Everything that is made there is gone when it is closed."""

    def __init__(self, scratch: Path, remark: Callable[[str], None]):
        self.scratch = scratch
        self.remark = remark
        self.stack = ExitStack()
        self.broker: Broker | None = None

    @abstractmethod
    def up(self, settings: Settings = Settings(), clients: int = 1, apart: bool = False) -> tuple[Broker, list[Client]]:
        """Starts a broker, waits until it is healthy, and then makes its clients; `apart`: each can lose its network."""

    @abstractmethod
    def found(self, folder: Path) -> tuple[Broker, Client]:
        """The same by the compose file in a folder, of whose image names alone others are made."""

    @abstractmethod
    def refused(self, settings: Settings) -> tuple[End, str]:
        """Starts a broker that has to end by itself, and tells how it did and what it printed."""

    @abstractmethod
    def by_itself(self) -> subprocess.CompletedProcess:
        """What somebody runs who has docker/compose.test.yml only: the service `tests`, with the broker that it names."""

    @abstractmethod
    def check_compose_file(self, file: Path) -> None:
        """Has compose hold a file against its schema."""

    @abstractmethod
    def events(self) -> list[str]:
        """In which order there was what: `broker started`, `broker healthy`, `client started`."""

    @property
    @abstractmethod
    def certificates(self) -> Path:
        """The folder of `ca.pem`, `client.pem` and `client-key.pem` as clients see it."""

    def close(self) -> None:
        """Ends all that was started."""
        self.stack.close()
