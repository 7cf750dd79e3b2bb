"""How a client connects: one place, for all programs of this folder."""

import ssl
import time

import pika

RETRY_SECONDS = 0.2
# A connection attempt to a host that the network does not reach ends by this, where it is made again; else by the other.
ATTEMPT_SECONDS = 4
ONLY_ATTEMPT_SECONDS = 60


def parameters(url: str, heartbeat: int | None = None, ca: str | None = None, certificate: str | None = None,
               key: str | None = None, name: str = "") -> pika.URLParameters:
    """The parameters of a connection to `url`; over TLS with `ca` as the only authority."""
    made = pika.URLParameters(url)
    if heartbeat is not None:
        made.heartbeat = heartbeat
    made.socket_timeout = made.stack_timeout = ONLY_ATTEMPT_SECONDS
    made.client_properties = {"connection_name": name}
    if ca:
        context = ssl.create_default_context(cafile=ca)
        if certificate:
            context.load_cert_chain(certificate, key)
        made.ssl_options = pika.SSLOptions(context, made.host)
    return made


def connected(made: pika.URLParameters, seconds: float) -> pika.BlockingConnection:
    """An open connection; for as long as `seconds` it is tried again, and 0 tries once."""
    ends = time.monotonic() + seconds
    if seconds > 0:
        made.socket_timeout, made.stack_timeout = ATTEMPT_SECONDS, 2 * ATTEMPT_SECONDS
    while True:
        try:
            return pika.BlockingConnection(made)
        except (pika.exceptions.AMQPConnectionError, OSError):
            if time.monotonic() >= ends:
                raise
        time.sleep(RETRY_SECONDS)
