"""Makes what the clients need: a virtual environment, node_modules and the C tools. Knows no scenario."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
NODE_MODULES = HERE / "node_modules"
C_TOOLS = ("amqp-publish", "amqp-get", "amqp-consume", "amqp-declare-queue", "amqp-delete-queue")
PREPARE_SECONDS = 600


class Missing(Exception):
    """Something that a client needs is not there and could not be made; the text says what to do."""


def prepare(needs: set[str]) -> None:
    """Makes the parts named in `needs` ("python", "node", "amqp-tools"). Raises Missing."""
    with _one_at_a_time():
        if "python" in needs:
            _make_virtual_environment()
        if "node" in needs:
            _make_node_modules()
        if "amqp-tools" in needs:
            _find_c_tools()


@contextmanager
def _one_at_a_time():
    # Two runs on one checkout would otherwise write the same .venv.
    with open(HERE / "requirements.txt", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _call([*pip, "--no-deps", "--requirement", str(requirements)])
    _call([str(PYTHON), "-m", "pip", "--disable-pip-version-check", "check"], quiet=True)
    stamp.write_text(wanted)


def _make_node_modules() -> None:
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise Missing(f"{program} is not installed: amqplib needs Node 18 or later with npm")
    stamp = NODE_MODULES / "made-for"
    wanted = _digest((HERE / "package-lock.json").read_bytes(), str(NODE_MODULES).encode())
    if _says(stamp, wanted):
        return
    print("making node_modules", flush=True)
    _call(["npm", "ci", "--silent"])
    stamp.write_text(wanted)


def _find_c_tools() -> None:
    if all(shutil.which(tool) for tool in C_TOOLS):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing("amqp-tools is not installed: run `apt-get install amqp-tools` as root")
    print("installing amqp-tools", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "amqp-tools"]
    if _fails(install, quiet):
        _call(["apt-get", "update", "--quiet"], quiet=True)
        _call(install, environment=quiet, quiet=True)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _says(stamp: Path, wanted: str) -> bool:
    return stamp.is_file() and stamp.read_text() == wanted


def _fails(command: list[str], environment: dict[str, str] | None = None) -> bool:
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, timeout=PREPARE_SECONDS)
    return done.returncode != 0


def _call(command: list[str], environment: dict[str, str] | None = None, quiet: bool = False) -> None:
    done = subprocess.run(
        command, cwd=HERE, env=environment, timeout=PREPARE_SECONDS, text=True,
        stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None,
    )
    if done.returncode != 0:
        raise Missing(f"`{' '.join(command)}` failed with status {done.returncode}\n{done.stdout or ''}")
