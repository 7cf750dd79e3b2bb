"""What outlives the container of a broker, and how it ends."""

from harness.program import Hands, Program
from harness.scenario import scenario
from harness.shell import equal, expect
from harness.site import Broker, Client, Site

# What it says of its end to those who are connected: 320, CONNECTION_FORCED.
FORCED = "320"
# Much more than it takes: a slow machine and its engine have their share in what is measured.
STOP_SECONDS_MAX = 30
CONFIRMED_FIRST = 1000


@scenario("restart")
def restart(site: Site) -> None:
    """`docker restart`: persistent messages of durable queues are there in order, as never delivered; others are gone."""
    broker, (client, ) = site.up()
    hands = client.connected(broker)
    _publish_of_both_kinds(hands)
    broker.restart()
    hands = client.connected(broker)
    _check_persistent_ones(hands, redelivered=False)


@scenario("kill")
def kill(site: Site) -> None:
    """`docker kill` under load, and `docker start`: all that was confirmed is there, in order, whole and once."""
    broker, (publisher, reader) = site.up(clients=2)
    load = _load(publisher, broker)
    equal(broker.kill().status, 137, "the status of a broker that was killed")
    end = load.event("end")
    broker.start()
    _check_confirmed(reader, broker, end, site)


@scenario("graceful-stop")
def graceful_stop(site: Site) -> None:
    """`docker stop` under load: clients are told why, the broker leaves with 0 in seconds, nothing confirmed is lost."""
    broker, (publisher, reader) = site.up(clients=2)
    load = _load(publisher, broker)
    stopped = broker.stop()
    equal(stopped.status, 0, "the status of a broker that was stopped")
    site.remark(f"stopped in {stopped.seconds:.1f} s")
    expect(stopped.seconds < STOP_SECONDS_MAX, f"the stop took {stopped.seconds:.1f} s")
    end = load.event("end")
    expect(FORCED in end["reason"], f"the publisher was not told of the stop, but: {end['reason']}")
    broker.start()
    _check_confirmed(reader, broker, end, site)


@scenario("another-container")
def another_container(site: Site) -> None:
    """A container that is made anew, as for a new version of the image, goes on with the volume of the old one."""
    broker, (client, ) = site.up()
    _publish_of_both_kinds(client.connected(broker))
    broker.replace()
    _check_persistent_ones(client.connected(broker), redelivered=False)


@scenario("volume-in-use")
def volume_in_use(site: Site) -> None:
    """A second container with the volume of one that runs says what is wrong and leaves; the first does not notice."""
    broker, (client, ) = site.up()
    hands = client.connected(broker)
    _publish_of_both_kinds(hands)
    second = broker.second()
    equal(second.returncode, 73, f"the status of a second broker, which said:\n{second.stdout}")
    expect("in use" in second.stdout, f"the second broker did not say that the directory is in use, but:\n{second.stdout}")
    _check_persistent_ones(hands, redelivered=False, transient=10)


def _publish_of_both_kinds(hands: Hands) -> None:
    hands.declare_queue(queue="kept", durable=True)
    hands.confirm()
    for number in range(200):
        hands.publish(key="kept", body=str(number))
    for number in range(10):
        hands.publish(key="kept", body="transient", persistent=False)


def _check_persistent_ones(hands: Hands, redelivered: bool, transient: int = 0) -> None:
    equal(hands.declare_queue(queue="kept", durable=True)["messages"], 200 + transient, "messages")
    for number in range(200):
        message = hands.get(queue="kept")
        equal((message["body"], message["redelivered"]), (str(number), redelivered), "a message and its flag")


def _load(client: Client, broker: Broker) -> Program:
    """A publisher that has had its first confirms and goes on."""
    client.connected(broker).declare_queue(queue="load", durable=True)
    load = client.program("load", broker.url(), "load", "--size", "1024")
    load.line(lambda line: line.get("confirmed") == CONFIRMED_FIRST, f"{CONFIRMED_FIRST} confirms", 180)
    return load


def _check_confirmed(client: Client, broker: Broker, end: dict, site: Site) -> None:
    """All that was confirmed is in the queue, in order, whole and once."""
    found = client.program("drain", broker.url(), "load").event("end", seconds=300)
    site.remark(f"sent {end['sent']}, confirmed {_count(end['confirmed'])}, found {found['count']}")
    equal(found["reason"], "done", "how the reader ended")
    equal(found["damaged"], 0, "messages with another body than was sent")
    ranges = found["numbers"]
    expect(ranges == sorted(ranges) and _distinct(ranges), f"out of order or twice: {ranges}")
    for first, last in end["confirmed"]:
        covered = any(low <= first and last <= high for low, high in ranges)
        expect(covered, f"confirmed {first} to {last}, found {ranges}")
    expect(found["count"] <= end["sent"], f"{found['count']} came of {end['sent']} that were sent")


def _count(ranges: list[list[int]]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def _distinct(ranges: list[list[int]]) -> bool:
    return all(before[1] < after[0] for before, after in zip(ranges, ranges[1:]))
