"""A site of containers: `docker/compose.test.yml` with what a scenario changes of it."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from .engine import Engine
from .shell import Failed, done, output, until
from .site import PASSWORD, USER, Broker, Client, End, Settings, Site

ROOT = Path(__file__).resolve().parents[3]
COMPOSE_FILE = ROOT / "docker" / "compose.test.yml"
ETC = "/etc/rabbitmq"
SECRETS = "/run/secrets"
DATA = "/var/lib/rabbitmq"
TLS_FOLDER = "/tls"
# Volumes without a name do not go over to the new container: only the one that the file names is kept.
ANEW = ("--renew-anon-volumes", )
UP_SECONDS = 600
STOP_GRACE_SECONDS = 60
SECOND_SECONDS = 180
REFUSAL_SECONDS = 180


class Containers(Site):
    """One compose project."""

    def __init__(self, engine: Engine, images: tuple[str, str], certificates: Path, name: str, scratch: Path,
                 remark: Callable[[str], None]):
        super().__init__(scratch, remark)
        self.engine = engine
        self.project = name
        self.image, self._client_image = images
        self._certificates = certificates
        self._files: list[Path] = []
        self._clients: list[ContainerClient] = []

    @property
    def certificates(self) -> Path:
        return Path(TLS_FOLDER)

    def up(self, settings: Settings = Settings(), clients: int = 1, apart: bool = False) -> tuple[Broker, list[Client]]:
        broker = self._prepare(settings)
        # Compose waits for the health of the broker before it starts the clients.
        services = ["--scale", f"client={clients}", "broker", "client"] if clients else ["broker"]
        self.compose("up", "--detach", "--no-build", *services)
        broker.await_healthy()
        self._clients = [ContainerClient(self, one) for one in self._ids("client")]
        return broker, list(self._clients)

    def found(self, folder: Path) -> tuple[Broker, Client]:
        copy = self.scratch / "found"
        shutil.copytree(folder, copy)
        # The broker is somebody else in its container, and reads what is mounted whatever the umask of the checkout was.
        for path in copy.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        file = copy / "docker-compose.yml"
        text = file.read_text()
        for name, ours in (("rabbitmq:management", self.image), ("app:latest", self._client_image)):
            if f"image: {name}" not in text:
                raise Failed(f"{folder.name} does not name {name}")
            text = text.replace(f"image: {name}", f"image: {ours}")
        file.write_text(text)
        self._files = [file]
        self.stack.callback(self._down)
        self.broker = ContainerBroker(self, "rabbitmq")
        self.compose("up", "--detach", "--no-build")
        self.broker.await_healthy()
        self._clients = [ContainerClient(self, one) for one in self._ids("app")]
        return self.broker, self._clients[0]

    def refused(self, settings: Settings) -> tuple[End, str]:
        broker = self._prepare(settings)
        self.compose("up", "--detach", "--no-build", "broker")
        return until(broker.end, "the broker has ended by itself", REFUSAL_SECONDS), broker.log()

    def by_itself(self) -> subprocess.CompletedProcess:
        self._files = [COMPOSE_FILE]
        self.stack.callback(self._down)
        return self._composed("up", "--no-build", "--exit-code-from", "tests")

    def check_compose_file(self, file: Path) -> None:
        output(*self.engine.compose, "--file", str(file), "config", "--quiet", environment=self.engine.environment)

    def events(self) -> list[str]:
        state = self.broker.inspect()["State"]
        healthy = next(probe["End"] for probe in state["Health"]["Log"] if probe["ExitCode"] == 0)
        times = {"broker started": state["StartedAt"], "broker healthy": healthy}
        times |= {"client started": min(client.inspect()["State"]["StartedAt"] for client in self._clients)}
        return sorted(times, key=lambda event: _time(times[event]))

    def compose(self, *arguments: str, **variables: str) -> str:
        """Runs compose on this project; what it prints to either stream is the answer."""
        ran = self._composed(*arguments, **variables)
        if ran.returncode != 0:
            raise Failed(f"`{' '.join(ran.args)}` ended with {ran.returncode}:\n{ran.stdout}")
        return ran.stdout

    def _composed(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        files = [word for file in self._files for word in ("--file", str(file))]
        environment = {
            **self.engine.environment, "LEVERET_IMAGE": self.image, "LEVERET_TEST_CLIENT_IMAGE": self._client_image,
            # Any that is free: nobody on this machine connects to them.
            "AMQP_PORT": "0", "MANAGEMENT_PORT": "0",
            **variables,
        }
        return done(
            *self.engine.compose, "--project-name", self.project, *files, *arguments, seconds=UP_SECONDS,
            environment=environment, folder=self.scratch,
        )

    def _ids(self, service: str) -> list[str]:
        return self._listed(service, "ps", "--all", "--quiet", "--no-trunc")

    def _listed(self, service: str, *command: str) -> list[str]:
        labels = (f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        return self.docker(*command, *filters).split()

    def only(self, service: str) -> str:
        """The container of a service that has one: another one after it was made anew."""
        ids = self._ids(service)
        if len(ids) != 1:
            raise Failed(f"there are {len(ids)} containers of {service}")
        return ids[0]

    def docker(self, *arguments: str, **how) -> str:
        return output("docker", *arguments, environment=self.engine.environment, **how)

    def _down(self) -> None:
        # Version 2 leaves the containers of services whose profile is not asked for.
        self.compose("down", "--volumes", "--timeout", "1", COMPOSE_PROFILES="clients")

    def _prepare(self, settings: Settings) -> "ContainerBroker":
        override = self.scratch / "override.json"
        override.write_text(json.dumps(self._changes(settings), indent=2))
        self._files = [COMPOSE_FILE, override]
        self.stack.callback(self._down)
        self.broker = ContainerBroker(self, "broker")
        return self.broker

    def _changes(self, settings: Settings) -> dict:
        """What the scenario has otherwise than docker/compose.test.yml."""
        def filled(text: str) -> str:
            return settings.filled(text, etc=ETC, secrets=SECRETS, tls=TLS_FOLDER)

        files = dict(settings.files)
        if settings.configuration:
            files["rabbitmq.conf"] = settings.configuration
        mounts = [f"{self._written('etc', name, filled(text))}:{ETC}/{name}:ro" for name, text in files.items()]
        if settings.tls:
            mounts.append(f"{self._certificates}:{TLS_FOLDER}:ro")
        service: dict = {
            "environment": {name: filled(value) for name, value in settings.environment.items()},
            "secrets": list(settings.secrets),
            "volumes": mounts,
        }
        if settings.memory_mb:
            limit = f"{settings.memory_mb}m"
            service |= {"mem_limit": limit, "memswap_limit": limit}
        if settings.read_only:
            service["read_only"] = True
        if settings.impatient:
            # The first check comes after the interval: who does not wait for it starts long before.
            # The engine keeps the last five checks, among which `events` finds the first that succeeded.
            service["healthcheck"] = {"interval": "8s", "timeout": "5s", "retries": 2}
        clients = {"volumes": [f"{self._certificates}:{TLS_FOLDER}:ro"]} if settings.tls else {}
        secrets = {
            name: {"file": str(self._written("secrets", name, text))} for name, text in settings.secrets.items()
        }
        return {"services": {"broker": service, "client": clients}, "secrets": secrets}

    def _written(self, folder: str, name: str, text: str) -> Path:
        path = self.scratch / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        # The broker is somebody else in its container.
        path.chmod(0o644)
        return path


def _time(text: str) -> datetime:
    """A time as the engine writes it, with nanoseconds, which Python does not read."""
    seconds, _, rest = text.partition(".")
    digits = re.match(r"\d+", rest).group()
    zone = rest[len(digits):]
    return datetime.fromisoformat(f"{seconds}.{digits[:6]:0<6}{zone}")


class ContainerBroker(Broker):
    def __init__(self, site: Containers, service: str):
        self._site = site
        self._service = service

    @property
    def _id(self) -> str:
        return self._site.only(self._service)

    def inspect(self) -> dict:
        """What the engine tells of the container."""
        return json.loads(self._site.docker("inspect", self._id))[0]

    def url(self, user: str = USER, password: str = PASSWORD, vhost: str = "%2F") -> str:
        return f"amqp://{user}:{password}@{self._service}:5672/{vhost}"

    def tls_url(self, user: str = USER, password: str = PASSWORD) -> str:
        return f"amqps://{user}:{password}@{self._service}:5671/%2F"

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
        end = until(self.end, "the broker's container has ended", REFUSAL_SECONDS)
        return End(end.status, end.killed_for_memory, time.monotonic() - started)

    def begin(self) -> None:
        self._site.docker("start", self._id)

    def freeze(self) -> None:
        self._site.docker("kill", "--signal", "STOP", self._id)

    def thaw(self) -> None:
        self._site.docker("kill", "--signal", "CONT", self._id)

    def restart(self) -> None:
        self._site.docker("restart", "--time", str(STOP_GRACE_SECONDS), self._id)
        self.await_healthy()

    def replace(self) -> None:
        self._site.compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", *ANEW, self._service)
        self.await_healthy()

    def end(self) -> End | None:
        state = self.inspect()["State"]
        if state["Status"] != "exited":
            return None
        return End(state["ExitCode"], state["OOMKilled"])

    def second(self) -> subprocess.CompletedProcess:
        name, environment = f"{self._site.project}-second", self._site.engine.environment
        self._site.stack.callback(done, "docker", "rm", "--force", name, environment=environment)
        volume = f"{self._site.project}_data:{DATA}"
        return done(
            "docker", "run", "--name", name, "--network", "none", "--volume", volume, self._site.image,
            environment=environment, seconds=SECOND_SECONDS,
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

    def inspect(self) -> dict:
        """What the engine tells of the container."""
        return json.loads(self._site.docker("inspect", self._container))[0]

    def lose_network(self) -> None:
        self._site.docker("network", "disconnect", f"{self._site.project}_default", self._container)

    def regain_network(self) -> None:
        self._site.docker("network", "connect", f"{self._site.project}_default", self._container)
