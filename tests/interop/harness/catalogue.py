"""The clients, what each needs and how it is started; and the order of the table's rows."""

from dataclasses import dataclass
from pathlib import Path

from .environment import HERE, PYTHON, TARGET

# What every client does, or says why it cannot. README.md tells what each row means.
CORE_ROWS = (
    "declare", "bind", "confirmed-publish", "consume-ack-prefetch", "return", "get", "rpc-reply-to", "ttl-dead-letter",
    "reconnect",
)

# What some clients do besides. Scenarios that are not named here are listed below these.
ROWS = (
    *CORE_ROWS,
    "hello", "work-queue", "publish-subscribe", "routing", "topics", "rpc", "message-16mb", "channels-1000",
    "nack-requeue", "cancel-notify", "channel-error", "exclusive-queue", "heartbeat", "tx", "properties",
    "tls", "tls-external",
)


@dataclass(frozen=True)
class Client:
    """A program that speaks the line protocol of README.md."""

    name: str
    language: str
    # Where its version stands: pip:NAME, npm:NAME, deb:PACKAGE, cargo:FOLDER/NAME with clients/FOLDER/Cargo.lock.
    package: str
    command: tuple[str, ...]
    # Names of `environment.NEEDS`.
    needs: frozenset[str]
    # Runs without --all, and in CI.
    core: bool = False
    # The folder below clients/ with its sources, and the command that makes them into the folder of INTEROP_TARGET.
    folder: str = ""
    build: tuple[str, ...] = ()


def _python(name: str, package: str, *needs: str, module: str = "", core: bool = False) -> Client:
    command = (str(PYTHON), "-B", "-m", f"clients.{module or name.replace('-', '_')}")
    return Client(name, "Python", f"pip:{package}", command, frozenset({"python", *needs}), core)


def _node(name: str, folder: Path, package: str = "", core: bool = False) -> Client:
    return Client(name, "Node.js", f"npm:{package or name}", ("node", str(folder / "main.js")), frozenset({"node"}), core)


def _rust(name: str) -> Client:
    command = (str(TARGET / "rust" / "debug" / "leveret-interop"), name)
    return Client(name, "Rust", f"cargo:rust/{name}", command, frozenset({"rust"}), folder="rust", build=("clients/rust/build",))


# Quick to start, which counts more than being quick later.
JARS = tuple(f"/usr/share/java/{name}.jar" for name in ("amqp-client", "slf4j-api", "slf4j-simple"))
JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", ":".join((str(TARGET / "java_client" / "classes"), *JARS)))

# In the order of the table.
CLIENTS = (
    _python("pika", "pika", core=True),
    _python("aio-pika", "aio-pika", core=True),
    _python("py-amqp", "amqp", core=True),
    _python("kombu", "kombu", core=True),
    _python("celery", "celery", core=True),
    _python("dramatiq", "dramatiq"),
    _python("faststream", "faststream"),
    _node("amqplib", HERE / "clients" / "amqplib", core=True),
    _node("amqp-connection-manager", HERE / "clients" / "amqp_connection_manager"),
    _node("rascal", HERE / "clients" / "rascal"),
    _node("nest", HERE / "clients" / "nest", package="@nestjs/microservices"),
    Client(
        "amqp-tools", "C", "deb:amqp-tools", (str(PYTHON), "-B", "-m", "clients.amqp_tools"),
        frozenset({"python", "amqp-tools"}), core=True,
    ),
    Client(
        "amqp091-go", "Go", "deb:golang-github-rabbitmq-amqp091-go-dev", (str(TARGET / "amqp091_go" / "client"),),
        frozenset({"go"}), core=True, folder="amqp091_go", build=("clients/amqp091_go/build",),
    ),
    Client(
        "java-client", "Java", "deb:librabbitmq-client-java", ("java", *JVM, "Main"), frozenset({"java"}), core=True,
        folder="java_client", build=("clients/java_client/build",),
    ),
    Client("bunny", "Ruby", "deb:ruby-bunny", ("ruby", str(HERE / "clients" / "bunny" / "main.rb")), frozenset({"ruby"})),
    Client(
        "php-amqplib", "PHP", "deb:php-amqplib", ("php", str(HERE / "clients" / "php_amqplib" / "main.php")), frozenset({"php"}),
    ),
    *map(_rust, ("lapin", "amqprs", "deadpool-lapin")),
)

# They are started before the others, so that the run is not much longer than its longest client.
SLOWEST_FIRST = ("celery", "aio-pika", "amqp-tools")
