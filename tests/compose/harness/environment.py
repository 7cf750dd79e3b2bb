"""What clients need that run on this machine: Python with pika, in `.venv`."""

import hashlib
import importlib.util
import shutil
import sys
from pathlib import Path

from .engine import CI
from .shell import Missing, done

HERE = Path(__file__).resolve().parent.parent
VENV = HERE / ".venv"
INSTALL_SECONDS = 1200


def python() -> str:
    """A Python that has pika: this one, or that of `.venv`, which is made."""
    if importlib.util.find_spec("pika"):
        return sys.executable
    requirements = HERE / "requirements.txt"
    stamp = VENV / "made-for"
    wanted = hashlib.sha256(b"\0".join((requirements.read_bytes(), sys.version.encode()))).hexdigest()
    program = str(VENV / "bin" / "python")
    if stamp.is_file() and stamp.read_text() == wanted:
        return program
    shutil.rmtree(VENV, ignore_errors=True)
    _call(sys.executable, "-m", "venv", str(VENV))
    _call(str(CI / "again"), program, "-m", "pip", "install", "--quiet", "--retries", "10", "--no-deps", "--requirement", str(requirements))
    stamp.write_text(wanted)
    return program


def _call(*command: str) -> None:
    ran = done(*command, seconds=INSTALL_SECONDS)
    if ran.returncode != 0:
        raise Missing(f"`{' '.join(command)}` failed (python3-venv and a way to fetch pika are needed):\n{ran.stdout}")
