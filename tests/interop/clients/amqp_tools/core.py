"""The core rows, as far as the tools have them: each is one connection, so nothing of it comes back after a restart."""

from dataclasses import replace

from .. import expect
from .client import TOOLS, consumer, declare, publish, ready, script, tool
from .delivery import get_or_nothing

TOOLS.not_applicable("confirmed-publish", "amqp-publish does not wait for confirms")
TOOLS.not_applicable("return", "amqp-publish has no flag for mandatory")
TOOLS.not_applicable("rpc-reply-to", "no tool publishes on the channel on which it consumes")
TOOLS.not_applicable("ttl-dead-letter", "amqp-declare-queue has no flag for arguments")


@TOOLS.scenario("declare")
def declare_queue(run):
    queue = declare(run, "queue", "-d")
    expect.equal(tool(run, "declare-queue", "-q", queue, "-d").stdout.decode().strip(), queue, "the same queue")
    refused = tool(run, "declare-queue", "-q", queue, status=1).stderr.decode()
    expect.contains(refused, ("406", "inequivalent arg 'durable'"), "error of another declaration")
    tool(run, "delete-queue", "-q", queue)
    expect.contains(tool(run, "get", "-q", queue, status=1).stderr.decode(), ("404",), "error of a deleted queue")


@TOOLS.scenario("bind")
def bind(run):
    queue = run.queue()
    # The tool declares the queue, which goes with it, and binds it.
    with consumer(run, "-q", queue, "-x", "-e", "amq.topic", "-r", f"{queue}.*") as bound:
        bound.wait_until_bound(f"{queue}.probe", "amq.topic")
        for key in ("one", "two.three", "end"):
            publish(run, key, f"{queue}.{key}", "amq.topic")
        expect.equal(bound.wait_for(2), ["one", "end"], "what matches the pattern")
    # Its owner was killed: the queue goes with the socket.
    expect.until(lambda: "404" in tool(run, "get", "-q", queue, status=1).stderr.decode(), "the queue is gone")


@TOOLS.scenario("consume-ack-prefetch")
def consume_ack_prefetch(run):
    queue, folder = declare(run), run.scratch()
    for number in range(5):
        publish(run, str(number), queue)
    # Notes what it gets, and is done with it once there is a file of that name.
    waiting = script(run, f'body=$(cat); echo "$body" >> "{folder}/got"; until [ -e "{folder}/$body" ]; do sleep 0.05; done')

    def got():
        return (folder / "got").read_text().split() if (folder / "got").exists() else []

    with consumer(run, "-q", queue, "-p", "2", command=waiting):
        expect.until(lambda: got() == ["0"], "the first message")
        # The tool has taken two: the third is the first that others can have.
        expect.equal(tool(run, "get", "-q", queue).stdout, b"2", "a message beyond the prefetch")
        (folder / "0").touch()
        expect.until(lambda: got() == ["0", "1"], "the second message")
        # It does not wait until the broker has its acknowledgement, which gives it the fourth.
        expect.until(lambda: ready(run, queue) == 1, "the fourth message is the tool's")
        expect.equal(tool(run, "get", "-q", queue).stdout, b"4", "a message beyond the prefetch, after an acknowledgement")
    # It was killed with two messages that it had not acknowledged.
    (folder / "1").touch()
    expect.equal([_next(run, queue) for _ in range(2)], [b"1", b"3"], "given back")


def _next(run, queue):
    """The next message, once the broker has seen that their consumer is gone."""
    return expect.until(lambda: get_or_nothing(run, queue), "a message that comes back")


@TOOLS.scenario("reconnect", deadline_seconds=300)
def reconnect(run):
    own = replace(run, url=run.restart_url)
    queue = run.queue()
    for how in ("stop", "kill"):
        tool(own, "declare-queue", "-q", queue, "-d")
        for body in ("unacked", "ready"):
            publish(own, body, queue, "", "-p")
        # Nothing was confirmed; this answer comes after a sync, and what was published before has its place before it.
        tool(own, "declare-queue", "-q", run.queue("synced"), "-d")
        folder = run.scratch()
        failing = script(run, f'cat > "{folder}/got"; touch "{folder}/done"; exit 1')
        with consumer(own, "-q", queue, "-p", "1", command=failing) as lost:
            expect.until((folder / "done").exists, "the message that is not acknowledged")
            run.restart(how)
            expect.until(lambda: lost.process.poll() is not None, "amqp-consume ended with its connection")
        got = [tool(own, "get", "-q", queue).stdout for _ in range(2)]
        expect.equal(got, [b"unacked", b"ready"], f"messages after the broker's {how}")
