"""Networks that can be lost, without containers: a namespace behind a bridge, or a proxy that stops forwarding."""

import os
import socket
import threading
from contextlib import ExitStack

from .shell import done

# In a range that is for tests of networks (RFC 2544), another one for each run.
PREFIX = f"198.18.{190 + os.getpid() % 60}"


class Bridge:
    """A bridge of this machine, at which the broker listens. Raises PermissionError where it cannot be had."""

    address = f"{PREFIX}.1"

    def __init__(self, stack: ExitStack):
        self._stack = stack
        self._name = f"levb{os.getpid()}"
        self._count = 1
        stack.callback(done, "ip", "link", "delete", self._name)
        for command in (
            ("link", "add", self._name, "type", "bridge"), ("address", "add", f"{self.address}/24", "dev", self._name),
            ("link", "set", self._name, "up"),
        ):
            _ip(*command)

    def namespace(self) -> "Namespace":
        self._count += 1
        return Namespace(self._name, self._count, self._stack)


class Namespace:
    """A network namespace with one link to the bridge."""

    def __init__(self, bridge: str, number: int, stack: ExitStack):
        self._bridge = bridge
        self.name = f"lev-{os.getpid()}-{number}"
        self._link = f"lev{number}-{os.getpid()}"
        _ip("netns", "add", self.name)
        stack.callback(done, "ip", "netns", "delete", self.name)
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        stack.callback(done, "ip", "link", "delete", self._link)
        _ip("-n", self.name, "address", "add", f"{PREFIX}.{number}/24", "dev", "eth0")
        _ip("-n", self.name, "link", "set", "eth0", "up")
        _ip("-n", self.name, "link", "set", "lo", "up")
        _ip("link", "set", self._link, "up")
        self.join()

    def leave(self) -> None:
        """Takes the link out of the bridge: it stays up, and nothing that is sent arrives."""
        _ip("link", "set", self._link, "nomaster")

    def join(self) -> None:
        _ip("link", "set", self._link, "master", self._bridge)


def _ip(*arguments: str) -> None:
    ran = done("ip", *arguments)
    if ran.returncode != 0:
        raise PermissionError(f"`ip {' '.join(arguments)}` was refused: {ran.stdout.strip()}")


class Proxy:
    """Forwards connections from a port of its own to the broker's, until it is told to stop: then nothing arrives."""

    def __init__(self, port: int, stack: ExitStack):
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._passes = threading.Event()
        self._passes.set()
        self._sockets: list[socket.socket] = []
        self._closed = False
        stack.callback(self._close)
        threading.Thread(target=self._accept, daemon=True).start()

    def leave(self) -> None:
        self._passes.clear()

    def join(self) -> None:
        self._passes.set()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                continue
            self._sockets += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(one, other), daemon=True).start()

    def _forward(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while content := one.recv(65536):
                # What was sent while the network was gone is lost with it: the connection does not go on.
                if not self._passes.is_set():
                    self._stand_still(one)
                    return
                other.sendall(content)
            if self._passes.is_set():
                other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _stand_still(self, one: socket.socket) -> None:
        while one.recv(65536):
            pass

    def _close(self) -> None:
        self._closed = True
        for one in (self._listener, *self._sockets):
            try:
                one.close()
            except OSError:
                pass
