"""TLS: the same messages, and a login by certificate."""

import os
import ssl
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pika
from pika.credentials import ExternalCredentials
from pika.exceptions import AMQPConnectionError

from .. import expect
from .client import PIKA, SOCKET_SECONDS

LARGE_BYTES = 4 * 1024 * 1024


@contextmanager
def _secured(certificates: Path, with_certificate: bool, **parameters):
    url = urlsplit(os.environ["INTEROP_TLS_URL"])
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    if with_certificate:
        context.load_cert_chain(certificates / "client.pem", certificates / "client-key.pem")
    wanted = pika.ConnectionParameters(
        url.hostname, url.port, "/", ssl_options=pika.SSLOptions(context, "localhost"), socket_timeout=SOCKET_SECONDS,
        **parameters,
    )
    connection = pika.BlockingConnection(wanted)
    try:
        yield connection
    finally:
        if connection.is_open:
            connection.close()


def _round_trip(run, connection) -> None:
    queue = run.queue()
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(queue)
    bodies = [b"small", os.urandom(LARGE_BYTES), b""]
    for body in bodies:
        channel.basic_publish("", queue, body)
    got = [channel.basic_get(queue, auto_ack=True)[2] for _ in bodies]
    expect.equal([len(body) for body in got], [len(body) for body in bodies], "sizes")
    expect.equal(got == bodies, True, "bodies as they were sent")


def register(certificates: Path) -> None:
    """Adds the scenarios that need a port of TLS."""

    @PIKA.scenario("tls")
    def tls(run):
        with _secured(certificates, with_certificate=False) as connection:
            _round_trip(run, connection)

    @PIKA.scenario("tls-external")
    def tls_external(run):
        with _secured(certificates, with_certificate=True, credentials=ExternalCredentials()) as connection:
            _round_trip(run, connection)

        def without_certificate():
            with _secured(certificates, with_certificate=False, credentials=ExternalCredentials()):
                pass

        expect.raises(AMQPConnectionError, without_certificate, "EXTERNAL without a certificate")
