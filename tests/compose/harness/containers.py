"""A site of containers: `docker/compose.test.yml` with what a scenario changes of it."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from .engine import Engine
from .shell import Failed, done, output, until
from .site import PASSWORD, USER, Broker, Client, End, Settings, Site

ROOT = Path(__file__).resolve().parents[3]
COMPOSE_FILE = ROOT / "docker" / "compose.test.yml"
ETC = "/etc/rabbitmq"
DATA = "/var/lib/leveret"
TLS_FOLDER = "/tls"
UP_SECONDS = 120
STOP_GRACE_SECONDS = 30
SECOND_SECONDS = 60


class Containers(Site):
    """One compose project."""

    def __init__(self, engine: Engine, images: tuple[str, str], certificates: Path, name: str, scratch: Path,
                 remark: Callable[[str], None]):
        super().__init__(scratch, remark)
        self.engine = engine
        self.project = name
        self._certificates = certificates
        self._override = scratch / "override.json"
        self._environment = {
            **engine.environment, "LEVERET_IMAGE": images[0], "LEVERET_TEST_CLIENT_IMAGE": images[1],
        }
        self.image = images[0]

    @property
    def certificates(self) -> Path:
        return Path(TLS_FOLDER)

    def up(self, settings: Settings = Settings(), clients: int = 1) -> tuple[Broker, list[Client]]:
        self._write_override(settings)
        self.stack.callback(self._down)
        services = ["--scale", f"client={clients}", "broker", "client"] if clients else ["broker"]
        broker = ContainerBroker(self)
        self.broker = broker
        self.compose("up", "--detach", "--no-build", *services)
        broker.await_healthy()
        ids = self.compose("ps", "--quiet", "client").split() if clients else []
        return broker, [ContainerClient(self, one) for one in ids]

    def compose(self, *arguments: str, seconds: float = UP_SECONDS) -> str:
        """Runs compose on this project; what it prints to either stream is the answer."""
        files = ["--file", str(COMPOSE_FILE), "--file", str(self._override)]
        return output(
            *self.engine.compose, "--project-name", self.project, *files, *arguments, seconds=seconds,
            environment=self._environment, folder=self.scratch,
        )

    def docker(self, *arguments: str, **how) -> str:
        return output("docker", *arguments, environment=self.engine.environment, **how)

    def _down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "1")

    def _write_override(self, settings: Settings) -> None:
        folder = self.scratch / "etc"
        folder.mkdir()
        files = dict(settings.files)
        if settings.configuration:
            files["rabbitmq.conf"] = settings.configuration
        mounts = []
        for name, text in files.items():
            path = folder / name
            path.write_text(text.replace("{etc}", ETC))
            path.chmod(0o644)
            mounts.append(f"{path}:{ETC}/{name}:ro")
        service: dict = {
            "environment": {name: value.replace("{etc}", ETC) for name, value in settings.environment.items()},
        }
        if settings.tls:
            mounts.append(f"{self._certificates}:{TLS_FOLDER}:ro")
        if settings.memory_mb:
            limit = f"{settings.memory_mb}m"
            service |= {"mem_limit": limit, "memswap_limit": limit}
        if settings.read_only:
            service["read_only"] = True
        clients = {"volumes": [f"{self._certificates}:{TLS_FOLDER}:ro"]} if settings.tls else {}
        service["volumes"] = mounts
        self._override.write_text(json.dumps({"services": {"broker": service, "client": clients}}, indent=2))


class ContainerBroker(Broker):
    def __init__(self, site: Containers):
        self._site = site

    @property
    def _id(self) -> str:
        # Asked for each time: it is another one after `replace`.
        label = [f"com.docker.compose.project={self._site.project}", "com.docker.compose.service=broker"]
        filters = [word for one in label for word in ("--filter", f"label={one}")]
        ids = self._site.docker("ps", "--all", "--quiet", "--no-trunc", *filters).split()
        if len(ids) != 1:
            raise Failed(f"there are {len(ids)} containers of the broker")
        return ids[0]

    def inspect(self) -> dict:
        """What the engine tells of the container."""
        return json.loads(self._site.docker("inspect", self._id))[0]

    def url(self, user: str = USER, password: str = PASSWORD, vhost: str = "%2F") -> str:
        return f"amqp://{user}:{password}@broker:5672/{vhost}"

    def tls_url(self, user: str = USER, password: str = PASSWORD) -> str:
        return f"amqps://{user}:{password}@broker:5671/%2F"

    def execute(self, *command: str) -> subprocess.CompletedProcess:
        return done("docker", "exec", self._id, *command, environment=self._site.engine.environment)

    def healthy(self) -> bool:
        return self.inspect()["State"]["Health"]["Status"] == "healthy"

    def stop(self) -> End:
        return self._ended_by("stop", "--time", str(STOP_GRACE_SECONDS))

    def kill(self) -> End:
        return self._ended_by("kill")

    def _ended_by(self, *command: str) -> End:
        started = time.monotonic()
        self._site.docker(*command, self._id)
        end = until(self.end, "the broker's container has ended", STOP_GRACE_SECONDS)
        return End(end.status, end.killed_for_memory, time.monotonic() - started)

    def start(self) -> None:
        self._site.docker("start", self._id)
        self.await_healthy()

    def restart(self) -> None:
        self._site.docker("restart", "--time", str(STOP_GRACE_SECONDS), self._id)
        self.await_healthy()

    def replace(self) -> None:
        self._site.compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "broker")
        self.await_healthy()

    def end(self) -> End | None:
        state = self.inspect()["State"]
        if state["Status"] != "exited":
            return None
        return End(state["ExitCode"], state["OOMKilled"])

    def second(self) -> subprocess.CompletedProcess:
        volume = f"{self._site.project}_data:{DATA}"
        return done(
            "docker", "run", "--rm", "--network", "none", "--volume", volume, self._site.image,
            environment=self._site.engine.environment, seconds=SECOND_SECONDS,
        )

    def log(self) -> str:
        return done("docker", "logs", self._id, environment=self._site.engine.environment).stdout


class ContainerClient(Client):
    def __init__(self, site: Containers, container: str):
        super().__init__(site.stack)
        self._site = site
        self._container = container

    def start(self, *command: str) -> subprocess.Popen:
        return subprocess.Popen(
            ["docker", "exec", "--interactive", self._container, *command], env=self._site.engine.environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        )

    def lose_network(self) -> None:
        self._site.docker("network", "disconnect", f"{self._site.project}_default", self._container)

    def regain_network(self) -> None:
        self._site.docker("network", "connect", f"{self._site.project}_default", self._container)
