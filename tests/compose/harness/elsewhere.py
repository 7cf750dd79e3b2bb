"""A site where the broker runs already, somewhere; the clients are processes here."""

import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from .environment import HERE
from .shell import Failed
from .site import PASSWORD, USER, Client, End, Reachable, Settings, Site


class Elsewhere(Site):
    def __init__(self, url: str, python: str, scratch: Path, remark: Callable[[str], None]):
        super().__init__(scratch, remark)
        self._url = url
        self._python = python

    def up(self, settings: Settings = Settings(), clients: int = 1, apart: bool = False):
        return Known(self._url), [ProcessClient(self._python, self.stack) for _ in range(clients)]

    def found(self, folder: Path):
        raise Failed(NOT_OURS)

    def refused(self, settings: Settings) -> tuple[End, str]:
        raise Failed(NOT_OURS)

    def by_itself(self) -> subprocess.CompletedProcess:
        raise Failed(NOT_OURS)

    def check_compose_file(self, file: Path) -> None:
        raise Failed(NOT_OURS)

    def events(self) -> list[str]:
        raise Failed(NOT_OURS)

    @property
    def certificates(self) -> Path:
        raise Failed(NOT_OURS)


NOT_OURS = "the broker that runs already is not ours to start"


class Known(Reachable):
    """The broker at an address; whoever gave it said who logs in."""

    def __init__(self, url: str):
        self._url = url

    def url(self, user: str = USER, password: str = PASSWORD, vhost: str = "%2F") -> str:
        return self._url


class ProcessClient(Client):
    """Programs that run as processes of this machine."""

    def __init__(self, python: str, stack: ExitStack):
        super().__init__(stack)
        self._python = python

    def start(self, *command: str) -> subprocess.Popen:
        program, *arguments = command
        if program != "python3":
            raise Failed(f"{program} is no program of a client")
        return subprocess.Popen(
            [*self.within(), self._python, *arguments], cwd=HERE,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
        )

    def within(self) -> list[str]:
        """The words before a command that have it run in the client's place."""
        return []

    def lose_network(self) -> None:
        raise Failed("this client has no network of its own")

    def regain_network(self) -> None:
        raise Failed("this client has no network of its own")
