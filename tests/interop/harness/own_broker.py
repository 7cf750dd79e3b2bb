"""A client's own broker, which its scenarios restart, and the address at which they ask for that."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from .broker import Broker, BrokerFailed

# Scenarios whose name begins so find the broker running.
RESTARTING = "reconnect"
# No disk has so much; every disk has more than nothing.
BLOCKING, OPEN = 'disk_free_limit = "1000TB"\n', "disk_free_limit = 0\n"


class OwnBroker:
    """Started by the first scenario that restarts it; its port and its data stay the same until the client is done."""

    def __init__(self, binary: Path, folder: Path):
        # Bound and never listened at: so nobody else is given the port while the broker is down, and who connects then
        # is refused.
        self._port = socket.socket()
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", 0))
        port = self._port.getsockname()[1]
        self._configuration = folder / "own-broker.toml"
        self._configuration.write_text(OPEN)
        self._broker = Broker(binary, folder / "own-broker", port=port, configuration=self._configuration)
        self._running = False
        self._lock = threading.Lock()
        self.url = f"amqp://guest:guest@127.0.0.1:{port}/%2F"
        self._control = ThreadingHTTPServer(("127.0.0.1", 0), type("Control", (_Control,), {"own": self}))
        self._control.daemon_threads = True
        threading.Thread(target=self._control.serve_forever, daemon=True).start()

    def environment(self) -> dict[str, str]:
        """What the client is told of it."""
        return {
            "INTEROP_RESTART_URL": self.url,
            "INTEROP_CONTROL": f"http://127.0.0.1:{self._control.server_address[1]}",
        }

    def start(self) -> None:
        """Starts the broker unless it runs."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        if not self._running:
            self._broker.start()
            self._running = True

    def restart(self, how: str) -> None:
        """Ends the broker by SIGTERM ("stop") or SIGKILL ("kill") and returns when the next one is ready."""
        with self._lock:
            if self._running:
                problem = self._broker.kill() if how == "kill" else self._broker.stop()
                self._running = False
                if problem:
                    raise BrokerFailed(f"{problem}\n{self._broker.log()}")
            self._start()

    def alarm(self, is_set: bool) -> None:
        """Sets or clears the broker's alarm about its disk: publishers are blocked as long as it is set."""
        with self._lock:
            self._configuration.write_text(BLOCKING if is_set else OPEN)
            self._broker.reload(f"resource limit alarm {'set' if is_set else 'cleared'}")

    def log(self) -> str:
        """What the broker printed last."""
        with self._lock:
            return self._broker.log() if self._running else ""

    def end(self) -> str | None:
        """Stops the broker and the listening; returns what was wrong with the broker's end, if anything."""
        self._control.shutdown()
        self._control.server_close()
        with self._lock:
            problem = self._broker.stop() if self._running else None
            self._running = False
        self._port.close()
        return problem and f"{problem}\n{self._broker.log()}"


class _Control(BaseHTTPRequestHandler):
    own: OwnBroker

    def do_POST(self) -> None:
        asked = urlsplit(self.path)
        given = {name: values[-1] for name, values in parse_qs(asked.query).items()}
        try:
            match asked.path, given:
                case "/restart", {"how": "stop" | "kill" as how}:
                    self.own.restart(how)
                case "/restart", {}:
                    self.own.restart("stop")
                case "/alarm", {"is": "set" | "clear" as state}:
                    self.own.alarm(state == "set")
                case _:
                    return self._answer(404, "there are POST /restart?how=stop|kill and POST /alarm?is=set|clear")
        except BrokerFailed as failed:
            return self._answer(500, str(failed))
        self._answer(204, "")

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        if body:
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The harness prints results only."""
