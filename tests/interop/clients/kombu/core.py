"""The core rows that no tutorial has. A ConsumerMixin connects again by itself, as Celery's workers do."""

import threading
import time

import kombu
from amqp.exceptions import NotFound, PreconditionFailed
from kombu import Consumer, Exchange, Producer, Queue
from kombu.mixins import ConsumerMixin

from .. import expect, payload
from .client import KOMBU, connected, connected_to, serve, wait

RECONNECT_SECONDS = 60
REPLY_TO = "amq.rabbitmq.reply-to"


@KOMBU.scenario("declare")
def declare(run):
    arguments = {"x-max-length": 10, "x-overflow": "reject-publish"}
    with connected(run) as connection:
        channel = connection.channel()
        for kind in payload.EXCHANGE_TYPES:
            exchange = Exchange(run.exchange(kind), kind)(channel)
            for _ in range(2):
                exchange.declare()
            exchange.declare(passive=True)
        queue = Queue(run.queue(), queue_arguments=arguments)(channel)
        for _ in range(2):
            expect.equal(tuple(queue.queue_declare()), (queue.name, 0, 0), "declared")
        other = Queue(queue.name, queue_arguments={**arguments, "x-max-length": 11})(connection.channel())
        expect.raises(PreconditionFailed, other.queue_declare, "another limit")
        queue.delete()
        expect.raises(NotFound, lambda: queue.queue_declare(passive=True), "a deleted queue")
        expect.true(connection.connected, "the connection is still open")


@KOMBU.scenario("bind")
def bind(run):
    with connected(run, transport_options={"confirm_publish": True}) as connection:
        channel = connection.channel()
        source = Exchange(run.exchange("topic"), "topic")(channel)
        target = Exchange(run.exchange("fanout"), "fanout")(channel)
        source.declare()
        target.declare()
        target.bind_to(source, "b.#")
        queue = Queue(run.queue())(channel)
        queue.declare()
        queue.bind_to(source, "a.*")
        queue.bind_to(target)

        def got():
            producer = Producer(channel, source)
            for key in ("a.one", "b.one.two", "c"):
                producer.publish(key, key)
            bodies = []
            while message := queue.get(no_ack=True):
                bodies.append(message.payload)
            return bodies

        expect.equal(got(), ["a.one", "b.one.two"], "bound")
        queue.unbind_from(source, "a.*")
        expect.equal(got(), ["b.one.two"], "with one binding less")
        target.unbind_from(source, "b.#")
        expect.equal(got(), [], "without a way from the source")


@KOMBU.scenario("consume-ack-prefetch")
def consume_ack_prefetch(run):
    queue = Queue(run.queue())
    with connected(run) as connection:
        producer = connection.Producer()
        for number in range(5):
            producer.publish(number, routing_key=queue.name, declare=[queue])
        channel, held = connection.channel(), []
        with Consumer(channel, [queue], callbacks=[lambda _, message: held.append(message)], prefetch_count=2):
            wait(connection, lambda: len(held) == 2, "as many as the prefetch")
            # A round trip on the same channel: a third delivery would have come before its answer.
            expect.equal(queue(channel).queue_declare(passive=True).message_count, 3, "messages that wait")
            expect.equal([message.payload for message in held], [0, 1], "deliveries")
            held[0].ack()
            wait(connection, lambda: len(held) == 3, "one more for the acknowledged one")
            held[2].ack(multiple=True)
            wait(connection, lambda: len(held) == 5, "the last two")
            channel.close()
        # Neither was acknowledged: both are back at their places, and marked.
        other = queue(connection.channel())
        again = [other.get(no_ack=True) for _ in range(2)]
        got = [(message.payload, message.delivery_info["redelivered"]) for message in again]
        expect.equal(got, [(3, True), (4, True)], "given back")


@KOMBU.scenario("rpc-reply-to")
def rpc_reply_to(run):
    requests = Queue(run.queue("rpc_queue"), durable=False)
    with connected(run) as server, connected(run) as client:
        answering, replies = server.Producer(), {}

        def answer(body, message):
            answering.publish(
                payload.fibonacci(body), routing_key=message.properties["reply_to"],
                correlation_id=message.properties["correlation_id"],
            )
            message.ack()

        def take(body, message):
            replies[message.properties["correlation_id"]] = body

        channel = client.channel()
        asked = {str(number): number for number in range(30, 35)}
        # The replies' queue cannot be declared; it is consumed on the channel that publishes the requests.
        taking = Consumer(channel, [Queue(REPLY_TO, no_declare=True)], no_ack=True, callbacks=[take])
        with server.Consumer([requests], callbacks=[answer]), taking:
            producer = Producer(channel)
            for correlation_id, number in asked.items():
                producer.publish(number, routing_key=requests.name, reply_to=REPLY_TO, correlation_id=correlation_id)

            def step():
                serve(server)
                serve(client)

            expect.until(lambda: len(replies) == len(asked), "a reply to every request", step)
        expect.equal(replies, {name: payload.fibonacci(number) for name, number in asked.items()}, "replies")


@KOMBU.scenario("ttl-dead-letter")
def ttl_dead_letter(run):
    exchange = Exchange(run.exchange("dead-letters"), "direct")
    dead = Queue(run.queue("dead"), exchange, "expired")
    queue = Queue(run.queue("short-lived"), message_ttl=payload.TTL_MILLISECONDS / 1000, queue_arguments={
        "x-dead-letter-exchange": exchange.name, "x-dead-letter-routing-key": "expired",
    })
    with connected(run) as connection:
        received = []
        with connection.Consumer([dead], no_ack=True, callbacks=[lambda *what: received.append(what)]):
            started = time.monotonic()
            connection.Producer().publish("late", routing_key=queue.name, declare=[queue], message_id="7")
            wait(connection, lambda: received, "the dead letter")
        expect.true(time.monotonic() - started > payload.TTL_SECONDS_MIN, "the message died too early")
        body, message = received[0]
        address = (message.delivery_info["exchange"], message.delivery_info["routing_key"])
        expect.equal(address, (exchange.name, "expired"), "address")
        expect.equal((message.properties["message_id"], body), ("7", "late"), "content")
        death = message.headers["x-death"][0]
        got = {name: death[name] for name in ("queue", "reason", "exchange", "routing-keys", "count")}
        wanted = {"queue": queue.name, "reason": "expired", "exchange": "", "routing-keys": [queue.name], "count": 1}
        expect.equal(got, wanted, "x-death")


class _Holder(ConsumerMixin):
    """Keeps what it gets, and says when it consumes again."""

    connect_max_retries = None

    def __init__(self, connection, queue):
        self.connection = connection
        self.queue = queue
        self.held = []

    def get_consumers(self, consumer, channel):
        return [consumer([self.queue], callbacks=[lambda _, message: self.held.append(message)], prefetch_count=1)]


@KOMBU.scenario("reconnect", deadline_seconds=300)
def reconnect(run):
    queue = Queue(run.queue())
    holder = _Holder(kombu.Connection(run.restart_url, connect_timeout=60), queue)
    serving = threading.Thread(target=holder.run, daemon=True)
    with connected_to(run.restart_url, transport_options={"confirm_publish": True}) as connection:
        # With `retry` a producer connects again as well.
        producer = connection.Producer()
        serving.start()
        for how in ("stop", "kill"):
            holder.held.clear()
            for body in ("unacked", "ready"):
                producer.publish(
                    body, routing_key=queue.name, declare=[queue], retry=True,
                    retry_policy={"max_retries": 20, "interval_start": 0.1, "interval_step": 0.1},
                )
            expect.until(lambda: holder.held, "the message that is not acknowledged")
            run.restart(how)
            for number, body in enumerate(("unacked", "ready"), start=1):
                expect.until(
                    lambda number=number: len(holder.held) > number, f"{body} after the broker's {how}",
                    seconds=RECONNECT_SECONDS,
                )
                expect.equal(holder.held[number].payload, body, "delivery")
                holder.held[number].ack()
    holder.should_stop = True
    serving.join(expect.WAIT_SECONDS)
    expect.true(not serving.is_alive(), "the consumer ended")
    with connected_to(run.restart_url) as connection:
        expect.equal(queue(connection.default_channel).queue_declare(passive=True).message_count, 0, "messages at the end")
