"""What a publisher is promised: confirms, returns, its properties and bodies unchanged, and the pools of producers."""

from urllib.parse import unquote, urlsplit

from kombu import Producer, Queue
from kombu.pools import Connections, ProducerPool

from .. import expect, payload
from .client import KOMBU, connected, wait

CONFIRM = {"confirm_publish": True}


@KOMBU.scenario("confirmed-publish")
def confirms(run):
    queue = Queue(run.queue())
    with connected(run, transport_options=CONFIRM) as connection:
        producer = connection.Producer()
        for number in range(100):
            producer.publish(number, routing_key=queue.name, declare=[queue], confirm_timeout=expect.WAIT_SECONDS)
        expect.equal(queue(connection.default_channel).queue_declare(passive=True).message_count, 100, "confirmed messages")


@KOMBU.scenario("return")
def returns(run):
    nowhere = run.queue("nowhere")
    with connected(run) as connection:
        returned = []
        producer = Producer(connection.channel(), on_return=lambda *what: returned.append(what))
        producer.publish("returned", routing_key=nowhere, mandatory=True)
        wait(connection, lambda: returned, "the returned message")
        error, exchange, routing_key, message = returned[0]
        expect.equal((error.reply_code, exchange, routing_key), (312, "", nowhere), "reason and address")
        expect.equal(message.body, "returned", "body")


@KOMBU.scenario("properties")
def properties(run):
    queue = Queue(run.queue())
    headers = {
        "text": "grüße", "true": True, "number": 5, "large": 2**40, "double": 1.5, "nothing": None,
        "list": ["a", 1, [True, None], {"deep": {"deeper": ["bottom"]}}],
        "table": {"inner": {"innermost": {"number": 1}}, "empty": {}},
    }
    sent = {
        "priority": 9, "correlation_id": "correlation", "reply_to": "reply", "message_id": "message",
        "timestamp": 1700000000, "type": "type", "user_id": unquote(urlsplit(run.url).username),
        "app_id": "application", "cluster_id": "cluster",
    }
    with connected(run) as connection:
        producer = connection.Producer()
        body = {"nested": ["json", {"null": None}]}
        producer.publish(
            body, routing_key=queue.name, declare=[queue], headers=headers, compression="gzip", expiration=600, **sent
        )
        message = queue(connection.default_channel).get(no_ack=True)
        expect.equal(message.payload, body, "body")
        expect.equal(message.headers, {**headers, "compression": "application/x-gzip"}, "headers")
        got = {**message.properties}
        expect.equal(got.pop("expiration"), "600000", "expiration")
        expect.equal(got.pop("delivery_mode"), 2, "delivery_mode")
        expect.equal(got.pop("content_type", "application/json"), "application/json", "content_type")
        expect.equal(got.pop("content_encoding", "utf-8"), "utf-8", "content_encoding")
        got.pop("application_headers", None)
        expect.equal(got, sent, "properties")


@KOMBU.scenario("message-16mb", deadline_seconds=300)
def message_16mb(run):
    queue, body = Queue(run.queue()), payload.large_body()
    with connected(run, transport_options=CONFIRM) as connection:
        connection.Producer().publish(
            body, routing_key=queue.name, declare=[queue], content_type="application/data", content_encoding="binary"
        )
        message = queue(connection.default_channel).get(no_ack=True)
        expect.true(message.body == body, f"the large body came back changed, {len(message.body)} bytes")


@KOMBU.scenario("pools")
def pools(run):
    queue = Queue(run.queue())
    with connected(run) as connection:
        producers = ProducerPool(Connections(limit=4)[connection], limit=4)
        taken = [producers.acquire(block=True) for _ in range(4)]
        for number, producer in enumerate(taken):
            producer.publish(number, routing_key=queue.name, declare=[queue], retry=True)
            producer.release()
        declared = queue(connection.default_channel)
        got = expect.until(
            lambda: declared.queue_declare(passive=True).message_count == 4 and [declared.get(no_ack=True).payload for _ in range(4)],
            "four messages from four connections",
        )
        expect.equal(sorted(got), [0, 1, 2, 3], "messages")
        producers.force_close_all()
