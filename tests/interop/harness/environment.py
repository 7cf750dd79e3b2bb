"""Makes what the clients need: virtual environment, node_modules, Debian packages, programs. Knows no scenario."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
NODE_MODULES = HERE / "node_modules"
TARGET = HERE / "target"
CI = HERE.parent.parent / ".ci"
# Before a command that downloads.
AGAIN = (str(CI / "again"),)
PREPARE_SECONDS = 1800
BUILD_SECONDS = 3600


class Missing(Exception):
    """Something that a client needs is not there and could not be made; the text says what to do."""


@dataclass(frozen=True)
class Need:
    """What has to be installed on the machine: programs, each with its Debian package, and packages without a program."""

    programs: dict[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """The Debian packages that would have to be installed."""
        packages = [package for program, package in self.programs.items() if not shutil.which(program)]
        return list(dict.fromkeys(packages)) + [package for package in self.packages if not _is_installed(package)]


C_TOOLS = ("amqp-publish", "amqp-get", "amqp-consume", "amqp-declare-queue", "amqp-delete-queue")
NEEDS = {
    "python": Need(),
    "node": Need({"node": "nodejs", "npm": "npm"}),
    "amqp-tools": Need({tool: "amqp-tools" for tool in C_TOOLS}),
    "c": Need({"cc": "gcc"}, ("libc6-dev", "librabbitmq-dev")),
    "go": Need({"go": "golang-go"}, ("golang-github-rabbitmq-amqp091-go-dev",)),
    "java": Need({"javac": "default-jdk-headless"}, ("librabbitmq-client-java", "libslf4j-java")),
    "ruby": Need({"ruby": "ruby"}, ("ruby-bunny",)),
    "php": Need({"php": "php-cli"}, ("php-amqplib",)),
    # Not Debian's: it is older than what builds Leveret.
    "rust": Need({"cargo": "the Rust toolchain"}),
}


def prepare(clients) -> None:
    """Installs and makes what these clients need. Raises Missing."""
    needs = {"python"}.union(*(client.needs for client in clients))
    with _one_at_a_time():
        _install([package for name in sorted(needs) for package in NEEDS[name].missing()])
        _make_virtual_environment()
        if "node" in needs:
            _make_node_modules()
        for folder, build in dict.fromkeys((client.folder, client.build) for client in clients if client.build):
            _build(folder, build)


@contextmanager
def _one_at_a_time():
    # Two runs on one checkout would otherwise write the same .venv.
    with open(HERE / "requirements.txt", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_installed(package: str) -> bool:
    if not shutil.which("dpkg-query"):
        return False
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True).stdout == "installed"


def _install(packages: list[str]) -> None:
    if not packages:
        return
    if NEEDS["rust"].programs["cargo"] in packages:
        raise Missing("cargo is not installed: clients in Rust need a Rust toolchain, as building Leveret does")
    names = " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"not installed: {names} (Debian's names); run `apt-get install --no-install-recommends {names}` as root")
    print(f"installing {names}", flush=True)
    _call([str(CI / "install"), *packages], quiet=True)


def _make_virtual_environment() -> None:
    requirements = HERE / "requirements.txt"
    stamp = VENV / "made-for"
    wanted = _digest(requirements.read_bytes(), sys.version.encode(), str(VENV).encode())
    if _says(stamp, wanted):
        return
    print("making .venv", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    if _fails([sys.executable, "-m", "venv", str(VENV)]):
        shutil.rmtree(VENV, ignore_errors=True)
        if not shutil.which("virtualenv"):
            raise Missing("no virtual environment can be made: install python3-venv or virtualenv")
        _call(["virtualenv", "--quiet", "--python", sys.executable, str(VENV)])
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--retries", "10", "--disable-pip-version-check"]
    _call([*AGAIN, *pip, "--no-deps", "--requirement", str(requirements)])
    _call([str(PYTHON), "-m", "pip", "--disable-pip-version-check", "check"], quiet=True)
    stamp.write_text(wanted)


def _make_node_modules() -> None:
    stamp = NODE_MODULES / "made-for"
    wanted = _digest((HERE / "package-lock.json").read_bytes(), str(NODE_MODULES).encode())
    if _says(stamp, wanted):
        return
    print("making node_modules", flush=True)
    _call([*AGAIN, "npm", "ci", "--loglevel=error", "--no-audit", "--no-fund", "--fetch-retries=10"])
    stamp.write_text(wanted)


def _build(folder: str, command: tuple[str, ...]) -> None:
    target = TARGET / folder
    stamp = target / "made-for"
    sources = sorted(path for path in (HERE / "clients" / folder).rglob("*") if path.is_file())
    parts = [part for path in sources for part in (str(path).encode(), path.read_bytes())]
    wanted = _digest(*parts, " ".join(command).encode())
    if _says(stamp, wanted):
        return
    print(f"building clients/{folder}", flush=True)
    target.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    _call(list(command), {**os.environ, "INTEROP_TARGET": str(target)}, quiet=True, seconds=BUILD_SECONDS)
    stamp.write_text(wanted)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _says(stamp: Path, wanted: str) -> bool:
    return stamp.is_file() and stamp.read_text() == wanted


def _fails(command: list[str]) -> bool:
    done = subprocess.run(command, cwd=HERE, capture_output=True, timeout=PREPARE_SECONDS)
    return done.returncode != 0


def _call(
    command: list[str], environment: dict[str, str] | None = None, quiet: bool = False, seconds: float = PREPARE_SECONDS
) -> None:
    done = subprocess.run(
        command, cwd=HERE, env=environment, timeout=seconds, text=True,
        stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None,
    )
    if done.returncode != 0:
        raise Missing(f"`{' '.join(command)}` failed with status {done.returncode}\n{done.stdout or ''}")
