"""What goes wrong for one channel or one connection, and stays there."""

from amqp import Message
from amqp.exceptions import AccessRefused, NotFound, PreconditionFailed, ResourceLocked

from .. import expect
from .client import PY_AMQP, connected


@PY_AMQP.scenario("channel-error")
def channel_error(run):
    queue, absent = run.queue(), run.queue("absent")
    with connected(run) as connection:
        bystander = connection.channel()
        bystander.queue_declare(queue, durable=True, auto_delete=False)
        attempts = [
            (NotFound, ("no queue", absent), lambda channel: channel.queue_declare(absent, passive=True)),
            (NotFound, ("no exchange", absent), lambda channel: channel.queue_bind(queue, absent)),
            (PreconditionFailed, ("inequivalent arg 'durable'",), lambda channel: channel.queue_declare(queue, auto_delete=False)),
            (PreconditionFailed, ("inequivalent arg 'type'",), lambda channel: channel.exchange_declare("amq.topic", "direct", durable=True, auto_delete=False)),
            (AccessRefused, ("amq.",), lambda channel: channel.exchange_declare("amq.mine", "direct")),
        ]
        for kind, texts, attempt in attempts:
            channel = connection.channel()
            error = expect.raises(kind, lambda: attempt(channel), f"an attempt that deserves {kind.__name__}")
            expect.contains(error.reply_text, texts, "reply text")
            expect.true(connection.connected, "the connection is still open")
            bystander.basic_publish(Message("going on"), routing_key=queue)
            expect.equal(bystander.basic_get(queue, no_ack=True).body, "going on", "message on another channel")


@PY_AMQP.scenario("exclusive-queue")
def exclusive_queue(run):
    queue = run.queue()
    with connected(run) as other:
        with connected(run) as owner:
            owner.channel().queue_declare(queue, exclusive=True)
            for attempt in (
                lambda channel: channel.queue_declare(queue, passive=True),
                lambda channel: channel.basic_get(queue),
                lambda channel: channel.queue_purge(queue),
            ):
                channel = other.channel()
                error = expect.raises(ResourceLocked, lambda: attempt(channel), "a locked queue")
                expect.contains(error.reply_text, ("exclusive access to locked queue", queue), "reply text")
        other.channel().queue_declare(queue, auto_delete=False)
