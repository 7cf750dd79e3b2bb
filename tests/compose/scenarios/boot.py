"""How a broker starts, and what it is told by its surroundings."""

import base64
import hashlib
import json
from pathlib import Path

from harness.program import Refused
from harness.scenario import SCENARIOS, scenario
from harness.shell import equal, expect, until
from harness.site import PASSWORD, READY, USER, Settings, Site

DOCKER = Path(__file__).resolve().parents[3] / "docker"
FOUND = Path(__file__).resolve().parents[1] / "fixtures" / "found"
ILL_SECONDS = 180
READY_SECONDS = 120


@scenario("health")
def health(site: Site) -> None:
    """Clients that depend on a healthy broker start after it is; one that hangs is found ill, and well afterwards."""
    broker, (client, ) = site.up(Settings(impatient=True))
    equal(site.events(), ["broker started", "broker healthy", "client started"], "the order of the start")
    client.connected(broker)
    broker.freeze()
    try:
        until(lambda: not broker.healthy(), "a broker that hangs is found ill", ILL_SECONDS)
    finally:
        broker.thaw()
    until(broker.healthy, "it is found well when it goes on", ILL_SECONDS)


@scenario("ready-line")
def ready_line(site: Site) -> None:
    """The line that testcontainers wait for comes, and whoever connects upon it is let in."""
    broker, (client, ) = site.up()
    broker.stop()
    hands = client.hands()
    seen = broker.log().count(READY)
    broker.begin()
    until(lambda: broker.log().count(READY) > seen, f"a line with {READY!r}", READY_SECONDS)
    hands.connect(url=broker.url())
    hands.declare_queue(queue="ready")


DEFINITIONS = {
    "rabbit_version": "4.1.0",
    "users": [{"name": "keeper", "password_hash": "", "tags": "administrator"}],
    "vhosts": [{"name": "shop"}],
    "permissions": [{"user": USER, "vhost": "shop", "configure": "", "write": ".*", "read": ".*"}],
    "exchanges": [{
        "name": "orders", "vhost": "shop", "type": "topic", "durable": True, "auto_delete": False, "internal": False,
        "arguments": {},
    }],
    "queues": [{
        "name": "paid", "vhost": "shop", "durable": True, "auto_delete": False, "arguments": {"x-queue-type": "classic"},
    }],
    "bindings": [{
        "source": "orders", "vhost": "shop", "destination": "paid", "destination_type": "queue",
        "routing_key": "order.*.paid", "arguments": {},
    }],
    "policies": [{
        "name": "short", "vhost": "shop", "pattern": "^paid$", "apply-to": "queues", "priority": 1,
        "definition": {"max-length": 3},
    }],
}


@scenario("definitions")
def definitions(site: Site) -> None:
    """A mounted rabbitmq.conf names mounted definitions: all of them hold from the first connection on."""
    document = {**DEFINITIONS, "users": [*DEFINITIONS["users"], _user_of(USER)]}
    settings = Settings(
        configuration="load_definitions = {etc}/definitions.json\nheartbeat = 17\nmax_message_size = 4096\n",
        files={"definitions.json": json.dumps(document)}, environment={},
    )
    broker, (client, ) = site.up(settings)
    hands = client.hands()
    hands.connect(url=broker.url(vhost="shop"))
    hands.confirm()
    for number in range(5):
        published = hands.publish(exchange="orders", key=f"order.{number}.paid", body=str(number), mandatory=True)
        equal(published, "confirmed", "what became of a message to a defined binding")
    bodies = [message["body"] if message else None for message in (hands.get(queue="paid") for _ in range(4))]
    equal(bodies, ["2", "3", "4", None], "what the defined queue kept with the defined policy")
    _refused(lambda: hands.declare_queue(queue="new"), "403", "a declare without the permission")
    hands.connect(url=broker.url(vhost="shop"))
    hands.confirm()
    too_large = lambda: hands.publish(key="paid", body="x" * 5000)  # noqa: E731
    _refused(too_large, "larger than", "a message that rabbitmq.conf has too large")
    shown = broker.execute("rabbitmqctl", "environment").stdout
    expect("17" in shown, f"the heartbeat of rabbitmq.conf is not in the environment:\n{shown}")
    _refused(lambda: client.hands().connect(url=broker.url("guest", "guest")), "403", "guest, whom nobody defined")


def _user_of(name: str) -> dict:
    # RabbitMQ's format: a salt of four bytes, and SHA-256 of it and the password behind it.
    salt = b"salt"
    digest = hashlib.sha256(salt + PASSWORD.encode()).digest()
    return {
        "name": name, "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": "",
    }


@scenario("secrets")
def secrets(site: Site) -> None:
    """User and password from files, as Docker gives secrets; RabbitMQ's image refuses these variables."""
    settings = Settings(
        secrets={"user": "carol\n", "password": "s3cret of a file\n"},
        environment={
            "RABBITMQ_DEFAULT_USER_FILE": "{secrets}/user", "RABBITMQ_DEFAULT_PASS_FILE": "{secrets}/password",
            "RABBITMQ_DEFAULT_VHOST": "shop",
        },
    )
    broker, (client, ) = site.up(settings)
    hands = client.hands()
    hands.connect(url=broker.url("carol", "s3cret%20of%20a%20file", "shop"))
    hands.declare_queue(queue="hers")
    _refused(lambda: client.hands().connect(url=broker.url("carol", "another", "shop")), "403", "a wrong password")
    expect("s3cret" not in broker.log(), "the password is in the log")


@scenario("read-only")
def read_only(site: Site) -> None:
    """A read-only root file system: the broker writes nowhere but to its volume."""
    broker, (client, ) = site.up(Settings(read_only=True))
    expect(broker.execute("touch", "/tmp/written").returncode != 0, "the root file system is not read-only")
    hands = client.connected(broker)
    hands.declare_queue(queue="kept", durable=True)
    hands.confirm()
    equal(hands.publish(key="kept", body="kept"), "confirmed", "what became of a message")
    broker.restart()
    equal(client.connected(broker).get(queue="kept")["body"], "kept", "what came back")


@scenario("mistaken-configuration")
def mistaken_configuration(site: Site) -> None:
    """A rabbitmq.conf that cannot be served: the container ends at once, with 78, and names file and line."""
    settings = Settings(configuration="heartbeat = 60\nlisteners.tcp.default = none of that\n")
    end, log = site.refused(settings)
    equal(end.status, 78, "the status")
    expect("rabbitmq.conf:2" in log, f"the log does not name the line:\n{log}")


@scenario("found-compose-file")
def found_compose_file(site: Site) -> None:
    """A compose file made for RabbitMQ works when other images stand in it, and keeps its data where it says."""
    broker, client = site.found(FOUND)
    url = broker.url("app", "changeme", "app")
    hands = client.hands()
    hands.connect(url=url)
    hands.declare_queue(queue="kept", durable=True)
    hands.confirm()
    equal(hands.publish(key="kept", body="kept"), "confirmed", "what became of a message")
    listed = broker.execute("rabbitmqctl", "-q", "list_queues", "-p", "app", "name", "messages", "--formatter", "json")
    equal(json.loads(listed.stdout), [{"name": "kept", "messages": 1}], "what rabbitmqctl lists")
    broker.replace()
    hands.connect(url=url)
    equal(hands.get(queue="kept")["body"], "kept", "what is there in a container that was made anew")


@scenario("test-compose-file")
def test_compose_file(site: Site) -> None:
    """docker/compose.test.yml does without this runner what it says of itself."""
    ran = site.by_itself()
    equal(ran.returncode, 0, f"the status of the service `tests`, which said:\n{ran.stdout}")
    count = len([one for one in SCENARIOS if one.anywhere])
    expect(f"{count} passed, 0 failed" in ran.stdout, f"not all of its {count} scenarios passed:\n{ran.stdout}")


@scenario("compose-files")
def compose_files(site: Site) -> None:
    """Every compose file of docker/ is one, whether it is run here or not."""
    files = sorted(DOCKER.glob("compose*.yml"))
    expect(files, f"there are no compose files in {DOCKER}")
    for file in files:
        site.check_compose_file(file)
    site.remark(" ".join(file.name for file in files))


def _refused(attempt, code: str, what: str) -> None:
    """The attempt fails, and this is in what pika says of it."""
    try:
        attempt()
    except Refused as refused:
        expect(code in str(refused), f"{what} was refused otherwise: {refused}")
        return
    expect(False, f"{what} was not refused")
