"""The six tutorials, and the seventh way to answer: direct reply-to."""

import uuid

import pika

from .. import expect, payload
from .client import PIKA, connected, take, wait

PERSISTENT = pika.BasicProperties(delivery_mode=2)
END = b"end"


@PIKA.scenario("hello")
def hello(run):
    queue = run.queue("hello")
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue)
        channel.basic_publish("", queue, b"Hello World!")
        received = []
        channel.basic_consume(queue, lambda _c, method, _p, body: received.append((method, body)), auto_ack=True)
        wait(connection, lambda: received, "the message")
        method, body = received[0]
        expect.equal(body, b"Hello World!", "body")
        expect.equal((method.exchange, method.routing_key, method.redelivered), ("", queue, False), "delivery")


@PIKA.scenario("work-queue")
def work_queue(run):
    queue = run.queue("task_queue")
    tasks = [b"task %d" % number for number in range(20)]
    with connected(run) as busy, connected(run) as free, connected(run) as producer:
        publishing = producer.channel()
        publishing.queue_declare(queue, durable=True)
        held, done = [], []
        holder, worker = busy.channel(), free.channel()
        holder.basic_qos(prefetch_count=1)
        worker.basic_qos(prefetch_count=1)
        holder.basic_consume(queue, lambda channel, method, _p, body: held.append((method, body)))
        publishing.basic_publish("", queue, tasks[0], PERSISTENT)
        wait(busy, lambda: held, "the first task at the busy worker")

        def work(channel, method, _properties, body):
            done.append(body)
            channel.basic_ack(method.delivery_tag)

        worker.basic_consume(queue, work)
        for task in tasks[1:]:
            publishing.basic_publish("", queue, task, PERSISTENT)
        # The busy worker never acknowledges, so every other task must go to the free one, in order.
        wait(free, lambda: len(done) >= len(tasks) - 1, "the other tasks at the free worker")
        expect.equal(done, tasks[1:], "tasks of the free worker")
        busy.process_data_events(0)
        expect.equal([body for _, body in held], tasks[:1], "tasks of the busy worker")
        # A worker that goes without an acknowledgement gives its task back.
        busy.close()
        wait(free, lambda: len(done) == len(tasks), "the task of the worker that left")
        expect.equal(done[-1], tasks[0], "task that was given back")


@PIKA.scenario("publish-subscribe")
def publish_subscribe(run):
    exchange = run.exchange("logs")
    with connected(run) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange, "fanout")
        queues = []
        for _ in range(2):
            name = channel.queue_declare("", exclusive=True).method.queue
            expect.true(name.startswith("amq.gen-"), f"a server-named queue, got {name}")
            channel.queue_bind(name, exchange)
            queues.append(name)
        logs = [b"line %d" % number for number in range(10)]
        for line in logs:
            channel.basic_publish(exchange, "", line)
        for name in queues:
            expect.equal(take(connection, channel, name, len(logs)), logs, f"lines in {name}")


def routed(run, kind, bindings, keys):
    """Publishes one message a key and returns what each queue got, by the queue's label."""
    exchange = run.exchange(kind)
    with connected(run) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange, kind)
        queues = {label: channel.queue_declare("", exclusive=True).method.queue for label in bindings}
        for label, patterns in bindings.items():
            for pattern in patterns:
                channel.queue_bind(queues[label], exchange, pattern)
        for key in keys:
            channel.basic_publish(exchange, key, key.encode())
        got = {}
        for label, queue in queues.items():
            channel.basic_publish("", queue, END)
            bodies = []
            channel.basic_consume(queue, lambda _c, _m, _p, body, bodies=bodies: bodies.append(body), auto_ack=True)
            wait(connection, lambda bodies=bodies: END in bodies, f"the end of {label}")
            got[label] = [body.decode() for body in bodies[:-1]]
        return got


@PIKA.scenario("routing")
def routing(run):
    got = routed(run, "direct", payload.ROUTING_KEYS, payload.SEVERITIES)
    for label, keys in payload.ROUTING_KEYS.items():
        expect.equal(got[label], payload.severities_for(keys), f"severities of {label}")


@PIKA.scenario("topics")
def topics(run):
    got = routed(run, "topic", payload.TOPIC_PATTERNS, payload.TOPIC_KEYS)
    for label in payload.TOPIC_PATTERNS:
        expect.equal(got[label], payload.topics_for(label), f"topics of {label}")


@PIKA.scenario("rpc")
def rpc(run):
    queue = run.queue("rpc_queue")
    with connected(run) as server, connected(run) as client:
        serving, calling = server.channel(), client.channel()
        serving.queue_declare(queue)
        serving.basic_qos(prefetch_count=1)
        serving.basic_consume(queue, answer)
        reply_to = calling.queue_declare("", exclusive=True).method.queue
        call(run, server, client, calling, queue, reply_to)


@PIKA.scenario("rpc-reply-to")
def direct_reply_to(run):
    queue = run.queue("rpc_queue")
    with connected(run) as server, connected(run) as client:
        serving, calling = server.channel(), client.channel()
        serving.queue_declare(queue)
        serving.basic_consume(queue, answer)
        call(run, server, client, calling, queue, "amq.rabbitmq.reply-to")


def answer(channel, method, properties, body):
    """The tutorial's server."""
    reply = str(payload.fibonacci(int(body))).encode()
    channel.basic_publish(
        "", properties.reply_to, reply, pika.BasicProperties(correlation_id=properties.correlation_id)
    )
    channel.basic_ack(method.delivery_tag)


def call(run, server, client, channel, queue, reply_to):
    """The tutorial's client: several requests under way at once, told apart by their correlation ids."""
    replies = {}
    channel.basic_consume(
        reply_to, lambda _c, _m, properties, body: replies.update({properties.correlation_id: body}), auto_ack=True
    )
    requests = {str(uuid.uuid4()): number for number in range(30, 35)}
    for correlation_id, number in requests.items():
        properties = pika.BasicProperties(reply_to=reply_to, correlation_id=correlation_id)
        channel.basic_publish("", queue, str(number).encode(), properties)

    def step():
        server.process_data_events(0.02)
        client.process_data_events(0.02)

    expect.until(lambda: len(replies) == len(requests), "a reply to every request", step)
    for correlation_id, number in requests.items():
        expect.equal(replies.get(correlation_id), str(payload.fibonacci(number)).encode(), f"fibonacci({number})")
