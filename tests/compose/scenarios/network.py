"""A client whose network is gone without a word."""

import time

from harness.scenario import scenario
from harness.shell import equal, expect
from harness.site import Site

HEARTBEAT_SECONDS = 8
# A broker gives a peer up that was silent for two intervals. Without heartbeats TCP would take a quarter of an hour.
REQUEUED_SECONDS_MAX = 90
MESSAGES = 20


@scenario("lost-network")
def lost_network(site: Site) -> None:
    """Its messages are requeued after the heartbeat, and it comes back when the network does."""
    broker, (near, far) = site.up(clients=2, apart=True)
    boss, worker = near.connected(broker), far.connected(broker, heartbeat=HEARTBEAT_SECONDS)
    boss.declare_queue(queue="work", durable=True)
    boss.confirm()
    for number in range(MESSAGES):
        boss.publish(key="work", body=str(number))
    worker.qos(prefetch=MESSAGES)
    worker.consume(queue="work")
    equal(worker.bodies(MESSAGES), [str(number) for number in range(MESSAGES)], "what the worker got")
    equal(boss.declare_queue(queue="work", durable=True)["messages"], 0, "ready messages while the worker holds all")

    # Before that: an engine takes its time to come back from it.
    lost_at = time.monotonic()
    far.lose_network()
    boss.consume(queue="work")
    for number in range(MESSAGES):
        again = boss.delivery(seconds=REQUEUED_SECONDS_MAX)
        equal((again["body"], again["redelivered"]), (str(number), True), "a message that was requeued")
        boss.ack(tag=again["tag"])
    seconds = time.monotonic() - lost_at
    site.remark(f"requeued after {seconds:.1f} s with a heartbeat of {HEARTBEAT_SECONDS} s")
    expect(seconds >= HEARTBEAT_SECONDS, f"requeued after {seconds:.1f} s: the connection was not lost but closed")
    expect("missed heartbeats from client" in broker.log(), "the log does not tell of the missed heartbeats")
    reason = worker.event("lost", seconds=REQUEUED_SECONDS_MAX)["reason"]
    site.remark(f"the worker: {reason}")

    far.regain_network()
    worker.connect(url=far.url(broker), seconds=120, heartbeat=HEARTBEAT_SECONDS, answer_seconds=150)
    equal(worker.declare_queue(queue="work", durable=True)["messages"], 0, "messages that are left")
    boss.disconnect()
    worker.consume(queue="work")
    worker.publish(key="work", body="after the loss")
    equal(worker.delivery()["body"], "after the loss", "what the worker gets when it is back")
