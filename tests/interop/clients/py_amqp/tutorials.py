"""The six tutorials, and direct reply-to."""

import uuid

from amqp import Message

from .. import expect, payload
from .client import PY_AMQP, bodies_of, connected, serve, wait

END = "end"


@PY_AMQP.scenario("hello")
def hello(run):
    queue = run.queue("hello")
    with connected(run) as connection:
        channel = connection.channel()
        expect.equal(tuple(channel.queue_declare(queue, auto_delete=False)), (queue, 0, 0), "declare-ok")
        channel.basic_publish(Message("Hello World!"), routing_key=queue)
        received = []
        channel.basic_consume(queue, no_ack=True, callback=received.append)
        wait(connection, lambda: received, "the message")
        expect.equal(received[0].body, "Hello World!", "body")
        info = received[0].delivery_info
        expect.equal((info["exchange"], info["routing_key"], info["redelivered"]), ("", queue, False), "delivery")


@PY_AMQP.scenario("work-queue")
def work_queue(run):
    queue = run.queue("task_queue")
    tasks = [f"task {number}" for number in range(20)]
    with connected(run) as connection, connected(run) as holding:
        channel, holder = connection.channel(), holding.channel()
        channel.queue_declare(queue, durable=True, auto_delete=False)
        held, done = [], []
        holder.basic_qos(0, 1, False)
        holder.basic_consume(queue, callback=held.append)
        channel.basic_publish(Message(tasks[0], delivery_mode=2), routing_key=queue)
        wait(holding, lambda: held, "the first task at the busy worker")

        def work(message):
            done.append(message.body)
            channel.basic_ack(message.delivery_tag)

        channel.basic_qos(0, 1, False)
        channel.basic_consume(queue, callback=work)
        for task in tasks[1:]:
            channel.basic_publish(Message(task, delivery_mode=2), routing_key=queue)
        wait(connection, lambda: len(done) >= len(tasks) - 1, "the other tasks at the free worker")
        expect.equal(done, tasks[1:], "tasks of the free worker")
        expect.equal(bodies_of(held), tasks[:1], "tasks of the busy worker")
        holder.basic_ack(held[0].delivery_tag)
        holder.close()
        expect.equal(channel.queue_declare(queue, passive=True).message_count, 0, "messages at the end")


@PY_AMQP.scenario("publish-subscribe")
def publish_subscribe(run):
    exchange = run.exchange("logs")
    with connected(run) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange, "fanout", auto_delete=False)
        received = {}
        for _ in range(2):
            queue = channel.queue_declare("", exclusive=True).queue
            channel.queue_bind(queue, exchange)
            received[queue] = []
            channel.basic_consume(queue, no_ack=True, callback=received[queue].append)
        logs = [f"line {number}" for number in range(10)]
        for line in logs:
            channel.basic_publish(Message(line), exchange)
        wait(connection, lambda: all(len(got) >= len(logs) for got in received.values()), "all lines at both")
        for queue, got in received.items():
            expect.equal(bodies_of(got), logs, f"lines in {queue}")


def routed(run, kind, bindings, keys):
    """Publishes one message a key and returns what each queue got, by the queue's label."""
    exchange = run.exchange(kind)
    with connected(run) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange, kind, auto_delete=False)
        queues = {label: channel.queue_declare("", exclusive=True).queue for label in bindings}
        for label, patterns in bindings.items():
            for pattern in patterns:
                channel.queue_bind(queues[label], exchange, pattern)
        for key in keys:
            channel.basic_publish(Message(key), exchange, key)
        got = {label: [] for label in bindings}
        for label, queue in queues.items():
            channel.basic_publish(Message(END), routing_key=queue)
            channel.basic_consume(queue, no_ack=True, callback=got[label].append)
            wait(connection, lambda label=label: END in bodies_of(got[label]), f"the end of {label}")
        return {label: bodies_of(messages)[:-1] for label, messages in got.items()}


@PY_AMQP.scenario("routing")
def routing(run):
    got = routed(run, "direct", payload.ROUTING_KEYS, payload.SEVERITIES)
    for label, keys in payload.ROUTING_KEYS.items():
        expect.equal(got[label], payload.severities_for(keys), f"severities of {label}")


@PY_AMQP.scenario("topics")
def topics(run):
    got = routed(run, "topic", payload.TOPIC_PATTERNS, payload.TOPIC_KEYS)
    for label in payload.TOPIC_PATTERNS:
        expect.equal(got[label], payload.topics_for(label), f"topics of {label}")


@PY_AMQP.scenario("rpc")
def rpc(run):
    call(run, None)


@PY_AMQP.scenario("rpc-reply-to")
def direct_reply_to(run):
    call(run, "amq.rabbitmq.reply-to")


def call(run, reply_to):
    """Server and client of the sixth tutorial, each with its connection."""
    queue = run.queue("rpc_queue")
    with connected(run) as server, connected(run) as client:
        serving, calling = server.channel(), client.channel()
        serving.queue_declare(queue, auto_delete=False)

        def answer(message):
            reply = Message(str(payload.fibonacci(int(message.body))), correlation_id=message.correlation_id)
            serving.basic_publish(reply, routing_key=message.reply_to)
            serving.basic_ack(message.delivery_tag)

        serving.basic_consume(queue, callback=answer)
        reply_to = reply_to or calling.queue_declare("", exclusive=True).queue
        replies = {}
        calling.basic_consume(
            reply_to, no_ack=True, callback=lambda message: replies.update({message.correlation_id: message.body})
        )
        requests = {str(uuid.uuid4()): number for number in range(30, 35)}
        for correlation_id, number in requests.items():
            request = Message(str(number), reply_to=reply_to, correlation_id=correlation_id)
            calling.basic_publish(request, routing_key=queue)

        def step():
            serve(server)
            serve(client)

        expect.until(lambda: len(replies) == len(requests), "a reply to every request", step)
        for correlation_id, number in requests.items():
            expect.equal(replies.get(correlation_id), str(payload.fibonacci(number)), f"fibonacci({number})")
