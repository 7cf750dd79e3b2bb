"""The container engine: the one that runs, or one of our own, installed from Debian and ended afterwards."""

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .shell import Failed, Missing, done, unmount_below, until

PACKAGES = {"dockerd": "docker.io", "docker-compose": "docker-compose", "iptables": "iptables", "ip": "iproute2"}
CI = Path(__file__).resolve().parents[3] / ".ci"
INSTALL_SECONDS = 1800
START_SECONDS = 180
END_SECONDS = 90
LOG_TAIL = 12
CAP_NET_ADMIN = 12
CAP_SYS_ADMIN = 21
# The link between the network namespace of our engine and this machine, another one for each run, and the engine's own
# networks behind it. They lie in a range that is for tests of networks (RFC 2544), so that they are nobody's here.
LINK = f"198.18.{128 + os.getpid() % 60}"
BRIDGE = "198.18.0.1/24"
# Whether this machine forwards between networks, what it was before any run, and the lock that tells that a run wants it.
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
FORWARDING_BEFORE = Path("/run/leveret-test-forwarding-before")
FORWARDING_LOCK = Path("/run/leveret-test-forwarding")
POOL = "base=198.18.64.0/18,size=26"


class Refused(Exception):
    """This machine does not let us have an engine; the text says what is missing."""


class Engine:
    """An engine that answers, and the compose program beside it."""

    def __init__(self, environment: dict[str, str], compose: list[str], own: bool):
        self.environment = environment
        self.compose = compose
        self.own = own

    def try_container(self, image: str) -> None:
        """Raises Refused where an engine of our own answers and cannot run anything."""
        ran = done("docker", "run", "--rm", image, "true", environment=self.environment)
        if ran.returncode != 0 and self.own:
            raise Refused(f"the engine cannot run a container: {ran.stdout.strip()}")


@contextmanager
def engine(scratch: Path, own: bool, say: Callable[[str], None]):
    """The engine that runs, unless `own` forbids it; else one that is started here and ended at the end."""
    environment = dict(os.environ)
    if not own and _answers(environment):
        yield Engine(environment, _compose(environment, say), own=False)
        return
    _look_for_privileges()
    try:
        _install(("dockerd", "iptables", "ip"), say)
    except Missing as missing:
        raise Refused(str(missing)) from None
    with ExitStack() as stack:
        environment = _started(scratch, stack, say)
        yield Engine(environment, _compose(environment, say), own=True)


def _answers(environment: dict[str, str]) -> bool:
    try:
        return bool(shutil.which("docker")) and done("docker", "info", environment=environment).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _compose(environment: dict[str, str], say: Callable[[str], None]) -> list[str]:
    if done("docker", "compose", "version", environment=environment).returncode == 0:
        return ["docker", "compose"]
    _install(("docker-compose",), say)
    return ["docker-compose"]


def _look_for_privileges() -> None:
    lacks = []
    if os.geteuid() != 0:
        lacks.append("this user is not root")
    else:
        status = Path("/proc/self/status").read_text()
        capabilities = int(next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1], 16)
        lacks += [
            f"the process does not have {name}"
            for name, number in (("CAP_SYS_ADMIN", CAP_SYS_ADMIN), ("CAP_NET_ADMIN", CAP_NET_ADMIN))
            if not capabilities >> number & 1
        ]
    filesystems = Path("/proc/mounts").read_text()
    if " cgroup" not in filesystems:
        lacks.append("no control groups are mounted at /sys/fs/cgroup")
    if lacks:
        raise Refused("; ".join(lacks))


def _install(programs: tuple[str, ...], say: Callable[[str], None]) -> None:
    missing = [PACKAGES[program] for program in programs if not shutil.which(program)]
    if missing:
        install(missing, say)


def install(packages: list[str], say: Callable[[str], None]) -> None:
    """Installs packages of Debian."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Refused(f"not installed: {', '.join(packages)}, and this is no Debian with a user who may install them")
    say(f"installing {' '.join(packages)}")
    # No service is started by installing it: a policy of 101 forbids it for the length of this.
    with _no_services():
        ran = done(str(CI / "install"), *packages, seconds=INSTALL_SECONDS)
        if ran.returncode != 0:
            raise Missing(f"{' '.join(packages)} could not be installed:\n{ran.stdout}")


@contextmanager
def _no_services():
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def _started(scratch: Path, stack: ExitStack, say: Callable[[str], None]) -> dict[str, str]:
    """Starts dockerd with all that it writes in `scratch`, and returns the environment of those who talk to it."""
    say("starting an engine of our own")
    namespace = _network(stack)
    folder = scratch / "engine"
    folder.mkdir()
    socket = f"unix://{folder}/docker.sock"
    log_path = folder / "log"
    command = [
        # Not `ip netns exec`, which hides the control groups.
        "nsenter", f"--net=/run/netns/{namespace}", "dockerd",
        "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid",
        "--host", socket, "--bip", BRIDGE, "--default-address-pool", POOL,
    ]
    with open(log_path, "wb") as log:
        # Out of reach of an interrupt at the terminal: what runs in it goes first.
        daemon = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )
    stack.callback(_stop, daemon, folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    environment["DOCKER_HOST"] = socket
    try:
        until(lambda: daemon.poll() is not None or _answers(environment), "dockerd answers", START_SECONDS)
    except Failed as late:
        raise Refused(f"{late}; its log ends with:\n{_tail(log_path)}") from None
    if daemon.poll() is not None:
        raise Refused(f"dockerd ended with status {daemon.returncode}; its log ends with:\n{_tail(log_path)}")
    return environment


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL:])


def _stop(daemon: subprocess.Popen, folder: Path) -> None:
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
    # Its containerd goes with it; if it was killed, it does not.
    left = folder / "exec" / "containerd" / "containerd.pid"
    if left.exists():
        try:
            os.kill(int(left.read_text()), signal.SIGKILL)
        except (ProcessLookupError, ValueError):
            pass
    unmount_below(folder)


def _forward(stack: ExitStack) -> None:
    """Has this machine forward until the last run is done that wants it: each holds a lock that others may hold as well."""
    try:
        lock = stack.enter_context(open(FORWARDING_LOCK, "w"))
    except OSError as error:
        raise Refused(f"{FORWARDING_LOCK} cannot be written, by which two runs know of each other: {error}") from None
    fcntl.flock(lock, fcntl.LOCK_SH)
    stack.callback(_forward_no_more, lock)
    before = FORWARDING.read_text()
    if before.strip() != "1":
        try:
            FORWARDING.write_text("1")
        except OSError as error:
            raise Refused(f"{FORWARDING} cannot be written, so that containers would reach nothing: {error}") from None
        FORWARDING_BEFORE.write_text(before)


def _forward_no_more(lock) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    if FORWARDING_BEFORE.exists():
        FORWARDING.write_text(FORWARDING_BEFORE.read_text())
        FORWARDING_BEFORE.unlink()


def _network(stack: ExitStack) -> str:
    """A network namespace with a way out, so that the engine's bridges and rules are none of this machine's."""
    namespace = f"lev-{os.getpid()}"
    link, peer = f"lev{os.getpid()}", f"levp{os.getpid()}"

    def ip(*arguments: str) -> None:
        ran = done("ip", *arguments)
        if ran.returncode != 0:
            raise Refused(f"`ip {' '.join(arguments)}` was refused: {ran.stdout.strip()}")

    ip("netns", "add", namespace)
    stack.callback(done, "ip", "netns", "delete", namespace)
    ip("link", "add", link, "type", "veth", "peer", "name", peer, "netns", namespace)
    stack.callback(done, "ip", "link", "delete", link)
    ip("address", "add", f"{LINK}.1/30", "dev", link)
    ip("link", "set", link, "up")
    ip("-n", namespace, "address", "add", f"{LINK}.2/30", "dev", peer)
    ip("-n", namespace, "link", "set", peer, "up")
    ip("-n", namespace, "link", "set", "lo", "up")
    ip("-n", namespace, "route", "add", "default", "via", f"{LINK}.1")
    _forward(stack)
    for rule in (
        ("nat", "POSTROUTING", "--source", f"{LINK}.0/30", "--jump", "MASQUERADE"),
        ("filter", "FORWARD", "--in-interface", link, "--jump", "ACCEPT"),
        ("filter", "FORWARD", "--out-interface", link, "--jump", "ACCEPT"),
    ):
        table, chain, *rest = rule
        ran = done("iptables", "--table", table, "--insert", chain, *rest)
        if ran.returncode != 0:
            raise Refused(f"iptables refused a rule of the table {table}: {ran.stdout.strip()}")
        stack.callback(done, "iptables", "--table", table, "--delete", chain, *rest)
    return namespace
