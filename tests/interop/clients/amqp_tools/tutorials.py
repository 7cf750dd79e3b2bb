"""The tutorials as far as a shell can. The tools make no exchanges, so they use the predeclared ones."""

from .. import expect
from .client import TOOLS, consumer, declare, publish, tool


@TOOLS.scenario("hello")
def hello(run):
    queue = declare(run)
    publish(run, "Hello World!", queue)
    expect.equal(tool(run, "get", "-q", queue).stdout, b"Hello World!", "body")
    done = tool(run, "get", "-q", queue, status=2)
    expect.equal(done.stdout, b"", "body from an empty queue")


@TOOLS.scenario("work-queue")
def work_queue(run):
    queue = declare(run, "task_queue", "-d")
    tasks = [f"task {number}" for number in range(6)]
    # --line-buffered makes one message of every line.
    tool(run, "publish", "-r", queue, "-p", "-l", body="".join(f"{task}\n" for task in tasks).encode())
    with consumer(run, "-q", queue, "-p", "1", "-c", "4") as first:
        expect.equal(first.wait_for(4), tasks[:4], "tasks of the first worker")
        expect.equal(first.process.wait(expect.WAIT_SECONDS), 0, "status of the first worker")
    with consumer(run, "-q", queue, "-p", "1") as second:
        expect.equal(second.wait_for(2), tasks[4:], "tasks of the second worker")


@TOOLS.scenario("publish-subscribe")
def publish_subscribe(run):
    # amq.fanout is everybody's, so look only for this run's lines.
    tag = run.queue("tag")
    logs = [f"{tag} {number}" for number in range(3)]
    # A fanout exchange ignores the key, but without one amqp-consume crashes, and does not bind with an empty one.
    bound = ("-x", "-e", "amq.fanout", "-r", "ignored")
    with consumer(run, *bound) as one, consumer(run, *bound) as two:
        for each in (one, two):
            each.wait_until_bound(tag, "amq.fanout")
        for line in logs:
            publish(run, line, tag, "amq.fanout")
        for each in (one, two):
            expect.until(lambda each=each: logs[-1] in each.bodies(), "the last line")
            expect.equal([line for line in each.bodies() if line.startswith(tag)], logs, "lines")


def routed(run, exchange, binding, keys, last):
    """Publishes one message a key and returns what a queue with that binding gets. `last` must be routed."""
    with consumer(run, "-x", "-e", exchange, "-r", binding) as bound:
        bound.wait_until_bound(last, exchange)
        for key in [*keys, last]:
            publish(run, key, key, exchange)
        expect.until(lambda: last in bound.bodies(), "the last message")
        return bound.bodies()[:-1]


@TOOLS.scenario("routing")
def routing(run):
    key = run.queue("error")
    expect.equal(routed(run, "amq.direct", key, [f"{key}.more", "error"], key), [], "messages with another key")


@TOOLS.scenario("topics")
def topics(run):
    word = run.queue("topic").replace(".", "-")
    keys = [f"{word}.orange", f"{word}.orange.rabbit", f"{word}", f"other-{word}.orange"]
    got = routed(run, "amq.topic", f"{word}.*", keys, f"{word}.end")
    expect.equal(got, keys[:1], "topics of *")
    got = routed(run, "amq.topic", f"{word}.#", keys, f"{word}.end")
    expect.equal(got, keys[:3], "topics of #")
