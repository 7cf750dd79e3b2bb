"""The six tutorials, the kombu way: entities are declared by those who use them."""

import uuid

from kombu import Consumer, Exchange, Producer, Queue

from .. import expect, payload
from .client import KOMBU, connected, serve, wait

END = "end"


@KOMBU.scenario("hello")
def hello(run):
    name = run.queue("hello")
    # A simple queue has an exchange of the same name.
    run.record("exchange", name)
    with connected(run) as connection:
        with connection.SimpleQueue(name) as queue:
            queue.put("Hello World!")
            message = queue.get(timeout=expect.WAIT_SECONDS)
            expect.equal(message.payload, "Hello World!", "body")
            message.ack()
            expect.equal(len(queue), 0, "messages at the end")
            expect.raises(queue.Empty, lambda: queue.get_nowait(), "an empty queue")


@KOMBU.scenario("work-queue")
def work_queue(run):
    queue = Queue(run.queue("task_queue"), durable=True)
    with connected(run) as connection, connected(run) as holding:
        held, done = [], []

        def work(body, message):
            done.append(body)
            message.ack()

        holder = Consumer(holding.channel(), [queue], callbacks=[lambda body, _: held.append(body)], prefetch_count=1)
        worker = Consumer(connection.channel(), [queue], callbacks=[work], prefetch_count=1)
        producer = connection.Producer()
        with holder:
            producer.publish({"task": 0}, routing_key=queue.name, declare=[queue])
            wait(holding, lambda: held, "the first task at the busy worker")
            with worker:
                for number in range(1, 20):
                    producer.publish({"task": number}, routing_key=queue.name)
                wait(connection, lambda: len(done) >= 19, "the other tasks at the free worker")
                expect.equal(done, [{"task": number} for number in range(1, 20)], "tasks of the free worker")
                expect.equal(held, [{"task": 0}], "tasks of the busy worker")
                holding.release()
                wait(connection, lambda: len(done) == 20, "the task of the worker that left")


def routed(run, kind, bindings, keys):
    """Publishes one message a key and returns what each queue got, by the queue's label."""
    exchange = Exchange(run.exchange(kind), kind, durable=False)
    with connected(run) as connection:
        channel = connection.channel()
        producer, direct = Producer(channel, exchange), Producer(channel)
        got = {label: [] for label in bindings}
        queues = {}
        for label, patterns in bindings.items():
            queues[label] = Queue(run.queue(label), exchange, patterns[0], exclusive=True)(channel)
            queues[label].declare()
            for pattern in patterns[1:]:
                queues[label].bind_to(exchange, pattern)
        for key in keys:
            producer.publish(key, key)
        for label, queue in queues.items():
            direct.publish(END, queue.name)
            with Consumer(channel, [queue], no_ack=True, callbacks=[lambda body, _, label=label: got[label].append(body)]):
                wait(connection, lambda label=label: END in got[label], f"the end of {label}")
        return {label: bodies[:-1] for label, bodies in got.items()}


@KOMBU.scenario("publish-subscribe")
def publish_subscribe(run):
    logs = [f"line {number}" for number in range(10)]
    got = routed(run, "fanout", {"one": ("",), "two": ("",)}, logs)
    expect.equal(got, {"one": logs, "two": logs}, "lines")


@KOMBU.scenario("routing")
def routing(run):
    got = routed(run, "direct", payload.ROUTING_KEYS, payload.SEVERITIES)
    for label, keys in payload.ROUTING_KEYS.items():
        expect.equal(got[label], payload.severities_for(keys), f"severities of {label}")


@KOMBU.scenario("topics")
def topics(run):
    got = routed(run, "topic", payload.TOPIC_PATTERNS, payload.TOPIC_KEYS)
    for label in payload.TOPIC_PATTERNS:
        expect.equal(got[label], payload.topics_for(label), f"topics of {label}")


@KOMBU.scenario("rpc")
def rpc(run):
    requests = Queue(run.queue("rpc_queue"), durable=False)
    callback = Queue(run.queue("callback"), exclusive=True, durable=False)
    with connected(run) as server, connected(run) as client:
        answering, asking = server.Producer(), client.Producer()
        replies = {}

        def answer(body, message):
            properties = message.properties
            answering.publish(
                {"result": payload.fibonacci(body["n"])}, routing_key=properties["reply_to"],
                correlation_id=properties["correlation_id"],
            )
            message.ack()

        def take(body, message):
            replies[message.properties["correlation_id"]] = body

        asked = {str(uuid.uuid4()): number for number in range(30, 35)}
        with server.Consumer([requests], callbacks=[answer]), client.Consumer([callback], no_ack=True, callbacks=[take]):
            for correlation_id, number in asked.items():
                asking.publish(
                    {"n": number}, routing_key=requests.name, reply_to=callback.name, correlation_id=correlation_id
                )

            def step():
                serve(server)
                serve(client)

            expect.until(lambda: len(replies) == len(asked), "a reply to every request", step)
        for correlation_id, number in asked.items():
            expect.equal(replies.get(correlation_id), {"result": payload.fibonacci(number)}, f"fibonacci({number})")
