"""The version of each client's library, read where it is pinned or installed."""

import json
import re
import subprocess

from .catalogue import Client
from .environment import HERE


def version_of(client: Client) -> str:
    """The version, or a question mark where it is not found."""
    kind, _, name = client.package.partition(":")
    return {"pip": _pip, "npm": _npm, "deb": _deb, "cargo": _cargo}[kind](name) or "?"


def _pip(name: str) -> str:
    found = re.search(rf"^{re.escape(name)}(?:\[.*\])?==(\S+)$", (HERE / "requirements.txt").read_text(), re.MULTILINE)
    return found.group(1) if found else ""


def _npm(name: str) -> str:
    locked = json.loads((HERE / "package-lock.json").read_text())["packages"]
    return locked.get(f"node_modules/{name}", {}).get("version", "")


def _deb(name: str) -> str:
    """The upstream's version: without Debian's epoch and revision."""
    query = ["dpkg-query", "--show", "--showformat=${source:Upstream-Version}", name]
    try:
        return subprocess.run(query, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""


def _cargo(name: str) -> str:
    folder, _, crate = name.partition("/")
    lock = (HERE / "clients" / folder / "Cargo.lock").read_text()
    found = re.search(rf'^name = "{re.escape(crate)}"\nversion = "(.+)"$', lock, re.MULTILINE)
    return found.group(1) if found else ""
