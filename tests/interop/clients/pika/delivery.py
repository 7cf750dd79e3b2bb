"""How messages reach consumers and come back: get, nack, the end of a queue, heartbeats."""

import time

from .. import expect
from .client import PIKA, connected, wait

HEARTBEAT_SECONDS = 6
# pika looks once in its heartbeat and five seconds, and gives a broker up from which nothing came between two looks.
IDLE_SECONDS = 2 * (HEARTBEAT_SECONDS + 5) + 1


@PIKA.scenario("get")
def get(run):
    queue = run.queue()
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue)
        expect.equal(channel.basic_get(queue), (None, None, None), "get from an empty queue")
        for body in (b"first", b"second", b"third"):
            channel.basic_publish("", queue, body)
        first, _, body = channel.basic_get(queue)
        expect.equal((body, first.message_count, first.redelivered), (b"first", 2, False), "first get")
        second, _, body = channel.basic_get(queue, auto_ack=True)
        expect.equal((body, second.message_count), (b"second", 1), "second get")
        channel.basic_ack(first.delivery_tag)
        expect.equal(channel.queue_purge(queue).method.message_count, 1, "purged messages")
        expect.equal(channel.queue_declare(queue, passive=True).method.message_count, 0, "messages at the end")


@PIKA.scenario("nack-requeue")
def nack_requeue(run):
    queue = run.queue()
    with connected(run) as connection:
        channel = connection.channel()
        channel.queue_declare(queue)
        for number in range(4):
            channel.basic_publish("", queue, b"%d" % number)
        taken = [channel.basic_get(queue) for _ in range(3)]
        expect.equal([(m.redelivered, body) for m, _, body in taken], [(False, b"0"), (False, b"1"), (False, b"2")], "taken")
        channel.basic_nack(taken[1][0].delivery_tag, requeue=True)
        channel.basic_reject(taken[0][0].delivery_tag, requeue=False)
        channel.basic_ack(taken[2][0].delivery_tag)
        # The requeued message is back in front of the one that was never delivered.
        again = [channel.basic_get(queue) for _ in range(2)]
        expect.equal([(m.redelivered, body) for m, _, body in again], [(True, b"1"), (False, b"3")], "after the nack")
        channel.basic_nack(again[1][0].delivery_tag, multiple=True, requeue=True)
        last = [channel.basic_get(queue, auto_ack=True) for _ in range(2)]
        expect.equal([(m.redelivered, body) for m, _, body in last], [(True, b"1"), (True, b"3")], "after nack multiple")
        expect.equal(channel.basic_get(queue), (None, None, None), "get at the end")


@PIKA.scenario("cancel-notify")
def cancel_notify(run):
    queue = run.queue()
    with connected(run) as connection, connected(run) as other:
        channel = connection.channel()
        channel.queue_declare(queue)
        cancelled = []
        channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
        tag = channel.basic_consume(queue, lambda *_: None)
        expect.equal(other.channel().queue_delete(queue).method.message_count, 0, "messages in the deleted queue")
        wait(connection, lambda: cancelled, "the cancellation")
        expect.equal(cancelled, [tag], "cancelled consumers")
        # The channel goes on.
        channel.queue_declare(queue)


@PIKA.scenario("heartbeat")
def heartbeat(run):
    queue = run.queue()
    with connected(run, heartbeat=HEARTBEAT_SECONDS) as connection:
        channel = connection.channel()
        channel.queue_declare(queue)
        # Being idle is what is tested: pika itself gives up a connection from which no heartbeat comes.
        idle_until = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < idle_until:
            connection.process_data_events(0.1)
        channel.basic_publish("", queue, b"still here")
        expect.equal(channel.basic_get(queue, auto_ack=True)[2], b"still here", "message after idling")
