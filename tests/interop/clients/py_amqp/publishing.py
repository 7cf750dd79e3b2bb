"""What a publisher is promised: confirms, returns, transactions, and its properties and bodies unchanged."""

import datetime
from decimal import Decimal
from urllib.parse import unquote, urlsplit

from amqp import Message

from .. import expect, payload
from .client import PY_AMQP, connected, wait


@PY_AMQP.scenario("confirmed-publish")
def confirms(run):
    queue = run.queue()
    with connected(run, confirm_publish=True) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, auto_delete=False)
        # With confirm_publish basic_publish returns once the broker has confirmed; a nack raises.
        for number in range(100):
            channel.basic_publish(Message(str(number), delivery_mode=2 - number % 2), routing_key=queue, timeout=expect.WAIT_SECONDS)
        expect.equal(channel.queue_declare(queue, passive=True).message_count, 100, "confirmed messages")


@PY_AMQP.scenario("return")
def returns(run):
    queue, nowhere = run.queue(), run.queue("nowhere")
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, auto_delete=False)
        returned = []
        channel.events["basic_return"].add(lambda *what: returned.append(what))
        channel.basic_publish(Message("routable"), routing_key=queue, mandatory=True)
        channel.basic_publish(Message("dropped"), routing_key=nowhere)
        channel.basic_publish(Message("returned", message_id="7"), routing_key=nowhere, mandatory=True)
        wait(connection, lambda: returned, "the returned message")
        expect.equal(len(returned), 1, "returned messages")
        error, exchange, routing_key, message = returned[0]
        expect.equal((error.reply_code, exchange, routing_key), (312, "", nowhere), "reason and address")
        expect.equal((message.body, message.message_id), ("returned", "7"), "content")


@PY_AMQP.scenario("tx")
def tx(run):
    queue = run.queue()
    with connected(run) as connection:
        channel, other = connection.channel(), connection.channel()
        channel.queue_declare(queue, auto_delete=False)
        channel.tx_select()
        channel.basic_publish(Message("rolled back"), routing_key=queue)
        channel.tx_rollback()
        channel.basic_publish(Message("committed"), routing_key=queue)
        expect.equal(channel.queue_declare(queue, passive=True).message_count, 0, "messages before the commit")
        channel.tx_commit()
        message = channel.basic_get(queue)
        expect.equal(message.body, "committed", "body")
        channel.basic_ack(message.delivery_tag)
        # An acknowledgement that is not committed is void once the channel is closed.
        channel.close()
        message = other.basic_get(queue, no_ack=True)
        expect.equal((message.body, message.delivery_info["redelivered"]), ("committed", True), "requeued message")


@PY_AMQP.scenario("properties")
def properties(run):
    queue = run.queue()
    headers = {
        "text": "grüße", "empty": "", "true": True, "false": False, "small": 5, "negative": -70000, "large": 2**40,
        "double": 1.5, "decimal": Decimal("12.34"), "nothing": None, "bytes": b"\x00\xff",
        "moment": datetime.datetime(2024, 2, 29, 12, 30, 15),
        "list": ["a", 1, [True, None], {"deep": {"deeper": ["bottom"]}}],
        "table": {"inner": {"innermost": {"number": 1}}, "empty": {}},
    }
    sent = {
        "content_type": "application/json", "content_encoding": "utf-8", "delivery_mode": 2, "priority": 9,
        "correlation_id": "correlation", "reply_to": "reply", "expiration": "600000", "message_id": "message",
        "timestamp": 1700000000, "type": "type", "user_id": unquote(urlsplit(run.url).username),
        "app_id": "application", "cluster_id": "cluster",
    }
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, auto_delete=False)
        channel.basic_publish(Message("{}", application_headers=headers, **sent), routing_key=queue)
        channel.basic_publish(Message(b""), routing_key=queue)
        received = channel.basic_get(queue, no_ack=True)
        got_headers = received.properties.pop("application_headers")
        for name, value in headers.items():
            got = got_headers.get(name, "missing")
            # py-amqp sends bytes and text alike; what is not UTF-8 comes back as bytes.
            expect.equal(got, value, f"header {name}")
        expect.equal(received.properties, sent, "properties")
        expect.equal(received.body, "{}", "body")
        received = channel.basic_get(queue, no_ack=True)
        expect.equal((len(received.body), received.properties), (0, {}), "message without anything")


@PY_AMQP.scenario("message-16mb", deadline_seconds=300)
def message_16mb(run):
    queue, body = run.queue(), payload.large_body()
    with connected(run, confirm_publish=True) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, auto_delete=False)
        channel.basic_publish(Message(body), routing_key=queue, timeout=expect.WAIT_SECONDS)
        received = channel.basic_get(queue, no_ack=True)
        expect.true(received.body == body, f"the large body came back changed, {len(received.body)} bytes")


@PY_AMQP.scenario("channels-1000", deadline_seconds=300)
def channels_1000(run):
    queue = run.queue()
    with connected(run) as connection:
        channels = [connection.channel() for _ in range(1000)]
        channels[0].queue_declare(queue, auto_delete=False)
        received = []
        for channel in channels:
            channel.basic_qos(0, 1, False)
            channel.basic_consume(queue, callback=received.append)
        for channel in channels:
            channel.basic_publish(Message(str(channel.channel_id)), routing_key=queue)
        # With a prefetch of 1 and nothing acknowledged, each of the thousand consumers gets exactly one.
        wait(connection, lambda: len(received) >= len(channels), "a message on every channel")
        expect.equal(len({message.channel.channel_id for message in received}), len(channels), "channels that got one")
        expect.equal(len({message.body for message in received}), len(channels), "bodies")
        for message in received:
            message.channel.basic_ack(message.delivery_tag)
        for channel in channels:
            channel.close()
        expect.true(connection.connected, "the connection is still open")
