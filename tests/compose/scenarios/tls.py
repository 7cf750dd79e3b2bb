"""TLS between containers."""

from harness.program import Refused
from harness.scenario import scenario
from harness.shell import equal, expect
from harness.site import Settings, Site

CONFIGURATION = """
listeners.ssl.default = 5671
ssl_options.cacertfile = {tls}/ca.pem
ssl_options.certfile = {tls}/server.pem
ssl_options.keyfile = {tls}/server-key.pem
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
handshake_timeout = 60000
ssl_handshake_timeout = 60000
"""


@scenario("tls")
def tls(site: Site) -> None:
    """Both sides show certificates; who has none, or trusts another authority, does not get in."""
    broker, clients = site.up(Settings(configuration=CONFIGURATION, tls=True), clients=2)
    folder = site.certificates
    mine = {"certificate": str(folder / "client.pem"), "key": str(folder / "client-key.pem")}
    sender, receiver = (client.hands() for client in clients)
    for hands in (sender, receiver):
        hands.connect(url=broker.tls_url(), ca=str(folder / "ca.pem"), **mine)
    receiver.declare_queue(queue="sealed")
    receiver.consume(queue="sealed", auto_ack=True)
    sender.publish(key="sealed", body="over TLS")
    equal(receiver.delivery()["body"], "over TLS", "what came")
    for what, how in (
        ("a client that trusts another authority", {"ca": str(folder / "other.pem"), **mine}),
        ("a client without a certificate", {"ca": str(folder / "ca.pem")}),
    ):
        try:
            clients[0].hands().connect(url=broker.tls_url(), **how)
        except Refused:
            continue
        expect(False, f"{what} got in")
