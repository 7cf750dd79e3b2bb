"""What goes wrong for one channel or one connection, and stays there."""

from pika.exceptions import ChannelClosedByBroker

from .. import expect
from .client import PIKA, connected


@PIKA.scenario("channel-error")
def channel_error(run):
    queue, absent = run.queue(), run.queue("absent")
    with connected(run) as connection:
        bystander = connection.channel()
        bystander.queue_declare(queue, durable=True)
        attempts = [
            (404, ("no queue", absent), lambda channel: channel.queue_declare(absent, passive=True)),
            (404, ("no exchange", absent), lambda channel: (channel.basic_publish(absent, "", b""), channel.basic_get(queue))),
            (406, ("inequivalent arg 'durable'", queue), lambda channel: channel.queue_declare(queue, durable=False)),
            (406, ("unknown delivery tag 99",), lambda channel: (channel.basic_ack(99), channel.basic_get(queue))),
            (403, ("amq.",), lambda channel: channel.queue_declare("amq.mine")),
        ]
        for code, texts, attempt in attempts:
            channel = connection.channel()
            error = expect.raises(ChannelClosedByBroker, lambda: attempt(channel), f"an attempt that deserves {code}")
            expect.equal(error.reply_code, code, f"reply code with {error.reply_text}")
            expect.contains(error.reply_text, texts, "reply text")
            expect.true(channel.is_closed and connection.is_open, "only the channel is closed")
            bystander.basic_publish("", queue, b"going on")
            expect.equal(bystander.basic_get(queue, auto_ack=True)[2], b"going on", "message on another channel")


@PIKA.scenario("exclusive-queue")
def exclusive_queue(run):
    queue = run.queue()
    with connected(run) as other:
        with connected(run) as owner:
            owner.channel().queue_declare(queue, exclusive=True)
            attempts = [
                lambda channel: channel.queue_declare(queue, passive=True),
                lambda channel: channel.queue_declare(queue, exclusive=True),
                lambda channel: channel.basic_consume(queue, lambda *_: None),
                lambda channel: channel.basic_get(queue),
                lambda channel: channel.queue_delete(queue),
            ]
            for attempt in attempts:
                channel = other.channel()
                error = expect.raises(ChannelClosedByBroker, lambda: attempt(channel), "a locked queue")
                expect.equal(error.reply_code, 405, "reply code")
                expect.contains(error.reply_text, ("RESOURCE_LOCKED", "exclusive access to locked queue", queue), "reply text")
        # Gone with its owner, before close-ok: it can be declared at once.
        other.channel().queue_declare(queue)
