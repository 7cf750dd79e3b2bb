"""What a publisher is promised: confirms, returns, transactions, and its properties and bodies unchanged."""

import datetime
import decimal

import pika
from pika.compat import long
from pika.exceptions import UnroutableError

from .. import expect, payload
from .client import PIKA, connected, wait


@PIKA.scenario("confirmed-publish")
def confirms(run):
    queue = run.queue()
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, durable=True)
        channel.confirm_delivery()
        # In confirm mode basic_publish returns once the broker has confirmed; a nack raises.
        for number in range(100):
            channel.basic_publish("", queue, b"%d" % number, pika.BasicProperties(delivery_mode=2 - number % 2))
        expect.equal(channel.queue_declare(queue, passive=True).method.message_count, 100, "confirmed messages")


@PIKA.scenario("return")
def returns(run):
    queue, nowhere = run.queue(), run.queue("nowhere")
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue)
        returned = []
        channel.add_on_return_callback(lambda _c, method, properties, body: returned.append((method, properties, body)))
        channel.basic_publish("", queue, b"routable", mandatory=True)
        channel.basic_publish("", nowhere, b"dropped", mandatory=False)
        channel.basic_publish("", nowhere, b"returned", pika.BasicProperties(message_id="7"), mandatory=True)
        wait(connection, lambda: returned, "the returned message")
        expect.equal(len(returned), 1, "returned messages")
        method, properties, body = returned[0]
        expect.equal((method.reply_code, method.reply_text), (312, "NO_ROUTE"), "reason")
        expect.equal((method.exchange, method.routing_key), ("", nowhere), "address")
        expect.equal((properties.message_id, body), ("7", b"returned"), "content")

        confirmed = connection.channel()
        confirmed.confirm_delivery()
        confirmed.basic_publish("", queue, b"routable", mandatory=True)
        # pika raises this when the return came before the acknowledgement.
        error = expect.raises(
            UnroutableError, lambda: confirmed.basic_publish("", nowhere, b"x", mandatory=True), "an unroutable message"
        )
        expect.equal([message.body for message in error.messages], [b"x"], "messages of the error")


@PIKA.scenario("tx")
def tx(run):
    queue = run.queue()
    with connected(run) as connection:
        channel, other = connection.channel(), connection.channel()
        channel.queue_declare(queue)
        channel.tx_select()

        channel.basic_publish("", queue, b"rolled back")
        channel.tx_rollback()
        channel.basic_publish("", queue, b"committed")
        # Two round trips on the publishing channel: whatever had leaked would be in the queue by now.
        expect.equal(channel.queue_declare(queue, passive=True).method.message_count, 0, "messages before the commit")
        channel.tx_commit()
        expect.equal(channel.queue_declare(queue, passive=True).method.message_count, 1, "messages after the commit")

        method, _, body = channel.basic_get(queue)
        expect.equal(body, b"committed", "body")
        channel.basic_ack(method.delivery_tag)
        channel.tx_rollback()
        # The rolled back acknowledgement can be given again.
        channel.basic_ack(method.delivery_tag)
        channel.tx_commit()
        channel.close()
        expect.equal(other.basic_get(queue), (None, None, None), "message after the committed acknowledgement")


@PIKA.scenario("properties")
def properties(run):
    queue = run.queue()
    headers = {
        "text": "grüße", "empty": "", "true": True, "false": False, "byte-sized": 5, "negative": -70000,
        "large": long(2**40), "decimal": decimal.Decimal("12.34"), "nothing": None,
        "moment": datetime.datetime(2024, 2, 29, 12, 30, 15, tzinfo=datetime.timezone.utc),
        "list": ["a", 1, [True, None], {"deep": {"deeper": ["bottom"]}}], "empty list": [],
        "table": {"inner": {"innermost": {"number": 1}}, "empty": {}},
    }
    sent = pika.BasicProperties(
        content_type="application/json", content_encoding="utf-8", headers=headers, delivery_mode=2, priority=9,
        correlation_id="correlation", reply_to="reply", expiration="600000", message_id="message",
        timestamp=1700000000, type="type", user_id=pika.URLParameters(run.url).credentials.username,
        app_id="application", cluster_id="cluster",
    )
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue)
        channel.basic_publish("", queue, b"{}", sent)
        channel.basic_publish("", queue, b"", pika.BasicProperties())
        _, received, body = channel.basic_get(queue, auto_ack=True)
        expect.equal(body, b"{}", "body")
        got, wanted = vars(received), vars(sent)
        got_headers, wanted_headers = got.pop("headers"), wanted.pop("headers")
        for name, value in wanted_headers.items():
            expect.equal(got_headers.get(name, "missing"), value, f"header {name}")
        expect.equal(list(got_headers), list(wanted_headers), "names of the headers")
        for name, value in wanted.items():
            expect.equal(got[name], value, name)
        _, received, body = channel.basic_get(queue, auto_ack=True)
        expect.equal((body, vars(received)), (b"", vars(pika.BasicProperties())), "message without anything")


@PIKA.scenario("message-16mb", deadline_seconds=300)
def message_16mb(run):
    queue, body = run.queue(), payload.large_body()
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue)
        channel.confirm_delivery()
        channel.basic_publish("", queue, body)
        received = []
        channel.basic_consume(queue, lambda _c, _m, _p, got: received.append(got), auto_ack=True)
        wait(connection, lambda: received, "the large message")
        expect.true(received[0] == body, f"the large body came back changed, {len(received[0])} bytes")
