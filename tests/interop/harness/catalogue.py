"""The clients, what each needs and how it is started; and the order of the table's rows."""

from dataclasses import dataclass

from .environment import HERE, PYTHON


@dataclass(frozen=True)
class Client:
    """A program that speaks the line protocol of README.md."""

    name: str
    command: tuple[str, ...]
    needs: frozenset[str]


def _python(name: str, module: str, *needs: str) -> Client:
    return Client(name, (str(PYTHON), "-B", "-m", f"clients.{module}"), frozenset({"python", *needs}))


# The slowest first, so that the run is as long as its longest client.
CLIENTS = (
    _python("celery", "celery"),
    _python("amqp-tools", "amqp_tools", "amqp-tools"),
    _python("aio-pika", "aio_pika"),
    _python("pika", "pika"),
    _python("py-amqp", "py_amqp"),
    _python("kombu", "kombu"),
    Client("amqplib", ("node", str(HERE / "clients" / "amqplib" / "main.js")), frozenset({"node"})),
)

COLUMNS = ("pika", "aio-pika", "py-amqp", "kombu", "celery", "amqplib", "amqp-tools")

# Scenarios that a client adds and that are not named here are listed below these.
ROWS = (
    "hello", "work-queue", "publish-subscribe", "routing", "topics", "rpc", "direct-reply-to",
    "confirms", "returns", "get", "message-16mb", "channels-1000", "nack-requeue", "cancel-notify",
    "channel-error", "exclusive-queue", "heartbeat", "tx", "properties",
    "tls", "tls-external",
)
