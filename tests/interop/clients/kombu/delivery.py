"""How messages reach consumers and come back, and what goes wrong for a channel alone."""

import socket
import time

from amqp.exceptions import NotFound, PreconditionFailed, ResourceLocked
from kombu import Consumer, Queue
from kombu.mixins import ConsumerMixin

from .. import expect
from .client import KOMBU, connected, serve, wait

HEARTBEAT_SECONDS = 6


@KOMBU.scenario("get")
def get(run):
    with connected(run) as connection:
        queue = Queue(run.queue())(connection.default_channel)
        queue.declare()
        expect.equal(queue.get(), None, "get from an empty queue")
        producer = connection.Producer()
        for number in range(3):
            producer.publish(number, routing_key=queue.name)
        first = queue.get()
        expect.equal((first.payload, first.delivery_info["message_count"]), (0, 2), "first get")
        first.ack()
        expect.equal(queue.purge(), 2, "purged messages")


@KOMBU.scenario("nack-requeue")
def nack_requeue(run):
    with connected(run) as connection:
        queue = Queue(run.queue())
        received = []

        def handle(body, message):
            received.append((body, message.delivery_info["redelivered"]))
            if body == "reject":
                message.reject()
            elif message.delivery_info["redelivered"]:
                message.ack()
            else:
                message.requeue()

        with Consumer(connection.channel(), [queue], callbacks=[handle], prefetch_count=1):
            producer = connection.Producer()
            for body in ("again", "reject", "again too"):
                producer.publish(body, routing_key=queue.name)
            wait(connection, lambda: len(received) >= 5, "five deliveries")
        expected = [("again", False), ("again", True), ("reject", False), ("again too", False), ("again too", True)]
        expect.equal(received, expected, "deliveries")


@KOMBU.scenario("cancel-notify")
def cancel_notify(run):
    queue = Queue(run.queue())

    class Worker(ConsumerMixin):
        """Kombu's own loop, which sets its consumers up again when the broker has cancelled them."""

        setups = 0

        def get_consumers(self, consumer_class, channel):
            return [consumer_class([queue], callbacks=[self.handle])]

        def handle(self, body, message):
            message.ack()
            bodies.append(body)
            self.should_stop = body == "last"

        def on_consume_ready(self, connection, channel, consumers, **_):
            self.setups += 1
            if self.setups == 1:
                queue(other.default_channel).delete()
            else:
                other.Producer().publish("last", routing_key=queue.name)

    bodies = []
    with connected(run) as connection, connected(run) as other:
        worker = Worker()
        worker.connection = connection
        worker.run()
        expect.equal((bodies, worker.setups), (["last"], 2), "messages and times that the consumer was set up")


@KOMBU.scenario("channel-error")
def channel_error(run):
    absent = run.queue("absent")
    with connected(run) as connection:
        queue = Queue(run.queue(), durable=True)(connection.default_channel)
        queue.declare()
        attempts = [
            (NotFound, lambda channel: Queue(absent)(channel).queue_declare(passive=True)),
            (PreconditionFailed, lambda channel: Queue(queue.name, durable=False)(channel).declare()),
            (PreconditionFailed, lambda channel: Queue(queue.name, max_priority=5)(channel).declare()),
        ]
        for kind, attempt in attempts:
            channel = connection.channel()
            expect.raises(kind, lambda: attempt(channel), f"an attempt that deserves {kind.__name__}")
            expect.true(connection.connected, "the connection is still open")
            connection.Producer().publish("going on", routing_key=queue.name)
            expect.equal(queue.get(no_ack=True).payload, "going on", "message on another channel")


@KOMBU.scenario("exclusive-queue")
def exclusive_queue(run):
    queue = Queue(run.queue(), exclusive=True, durable=False)
    with connected(run) as other:
        with connected(run) as owner:
            queue(owner.default_channel).declare()
            expect.raises(ResourceLocked, lambda: queue(other.channel()).declare(), "a locked queue")
        queue(other.channel()).declare()


@KOMBU.scenario("heartbeat")
def heartbeat(run):
    with connected(run, heartbeat=HEARTBEAT_SECONDS) as connection:
        expect.equal(int(connection.get_heartbeat_interval()), HEARTBEAT_SECONDS, "negotiated heartbeat")
        # Being idle is what is tested: heartbeat_check raises when the broker has missed two.
        ends = time.monotonic() + 3 * HEARTBEAT_SECONDS
        while time.monotonic() < ends:
            connection.heartbeat_check()
            serve(connection)
        expect.raises(socket.timeout, lambda: connection.drain_events(timeout=0.01), "nothing but heartbeats")
        connection.channel().close()
