"""Server-named and exclusive queues, requeues, large bodies, errors, heartbeats, and properties as another client sees them."""

import time

import pika

from .. import expect, payload
from .client import TOOLS, consumer, declare, publish, script, tool

HEARTBEAT_SECONDS = 6


@TOOLS.scenario("get")
def get(run):
    queue = declare(run)
    tool(run, "get", "-q", queue, status=2)
    for body in ("first", "second"):
        publish(run, body, queue)
    expect.equal([tool(run, "get", "-q", queue).stdout for _ in range(2)], [b"first", b"second"], "bodies")
    publish(run, "third", queue)
    expect.contains(tool(run, "delete-queue", "-q", queue, "-e", status=1).stderr.decode(), ("406", "not empty"), "error")
    expect.equal(tool(run, "delete-queue", "-q", queue).stdout.decode().strip(), "1", "messages in the deleted queue")
    named = tool(run, "declare-queue", "-q", "").stdout.decode().strip()
    run.record("queue", named)
    expect.true(named.startswith("amq.gen-"), f"a server-named queue, got {named}")


@TOOLS.scenario("message-16mb", deadline_seconds=300)
def message_16mb(run):
    queue, body = declare(run), payload.large_body()
    tool(run, "publish", "-r", queue, body=body)
    # The publisher did not wait for a confirm: the message may still be on its way into the queue.
    ends = time.monotonic() + expect.WAIT_SECONDS
    got = b""
    while not got and time.monotonic() < ends:
        got = get_or_nothing(run, queue)
    expect.true(got == body, f"the large body came back changed, {len(got)} bytes")


def get_or_nothing(run, queue):
    """The body of the next message, empty when there is none."""
    try:
        return tool(run, "get", "-q", queue).stdout
    except AssertionError as error:
        if "status 2" in str(error):
            return b""
        raise


@TOOLS.scenario("nack-requeue")
def nack_requeue(run):
    queue = declare(run)
    seen = run.scratch() / "seen"
    # amqp-consume does not acknowledge a message whose command fails; it goes back when the tool ends.
    failing, succeeding = (script(run, f'cat >> "{seen}"; exit {status}') for status in (1, 0))
    for body in ("a", "b"):
        publish(run, body, queue)
    for command in (failing, failing, succeeding, failing, succeeding):
        tool(run, "consume", "-q", queue, "-p", "1", "-c", "1", str(command))
    expect.equal(seen.read_text(), "aaabb", "deliveries")
    tool(run, "get", "-q", queue, status=2)


@TOOLS.scenario("channel-error")
def channel_error(run):
    absent = run.queue("absent")
    done = tool(run, "get", "-q", absent, status=1)
    expect.contains(done.stderr.decode(), ("404", f"NOT_FOUND - no queue '{absent}' in vhost"), "error of a get")
    done = tool(run, "declare-queue", "-q", "amq.mine", status=1)
    expect.contains(done.stderr.decode(), ("403", "ACCESS_REFUSED", "reserved prefix"), "error of a declare")


@TOOLS.scenario("exclusive-queue")
def exclusive_queue(run):
    queue = run.queue()
    with consumer(run, "-x", "-q", queue):
        # Absent until the tool has declared it, then locked: only the second is the end of the wait.
        def locked():
            done = tool(run, "get", "-q", queue, status=1).stderr.decode()
            expect.true("404" in done or "405" in done, f"the queue is absent or locked, got {done}")
            return "RESOURCE_LOCKED" in done

        expect.until(locked, "the queue is locked")
    # Its owner was killed: the queue goes with the socket.
    expect.until(lambda: "404" in tool(run, "get", "-q", queue, status=1).stderr.decode(), "the queue is gone")


@TOOLS.scenario("heartbeat")
def heartbeat(run):
    queue = declare(run)
    with consumer(run, f"--heartbeat={HEARTBEAT_SECONDS}", "-q", queue) as idle:
        publish(run, "before", queue)
        idle.wait_for(1)
        # Being idle is what is tested: librabbitmq gives up a broker that misses two heartbeats, and the reverse.
        ends = time.monotonic() + 3 * HEARTBEAT_SECONDS
        expect.until(lambda: idle.process.poll() is not None or time.monotonic() > ends, "the idle time is over")
        expect.equal(idle.process.poll(), None, "status of the idle consumer")
        publish(run, "after", queue)
        expect.equal(idle.wait_for(2), ["before", "after"], "bodies")


@TOOLS.scenario("properties")
def properties(run):
    queue = declare(run)
    options = ["-p", "-C", "text/plain", "-E", "utf-8", "-t", "reply", "-H", "first: one", "-H", "second: grüße"]
    publish(run, "body", queue, "", *options)
    # The tools print bodies only, so another client reads what they have sent.
    connection = pika.BlockingConnection(pika.URLParameters(run.url))
    _, received, body = connection.channel().basic_get(queue, auto_ack=True)
    connection.close()
    sent = {
        "content_type": "text/plain", "content_encoding": "utf-8", "reply_to": "reply", "delivery_mode": 2,
        "headers": {"first": "one", "second": "grüße"},
    }
    expect.equal(body, b"body", "body")
    expect.equal({name: value for name, value in vars(received).items() if value is not None}, sent, "properties")
