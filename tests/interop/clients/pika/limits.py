"""Many channels on one connection."""

from .. import expect
from .client import PIKA, connected

CHANNELS = 1000


@PIKA.scenario("channels-1000", deadline_seconds=300)
def channels_1000(run):
    queue = run.queue()
    with connected(run) as connection:
        channels = [connection.channel() for _ in range(CHANNELS)]
        expect.equal(len({channel.channel_number for channel in channels}), CHANNELS, "channels")
        channels[0].queue_declare(queue)
        for channel in channels:
            channel.basic_publish("", queue, b"%d" % channel.channel_number)
        # Publishing is not answered: ask on every channel once, so that all messages are in.
        for channel in channels:
            channel.basic_qos(prefetch_count=1)
        expect.equal(channels[0].queue_declare(queue, passive=True).method.message_count, CHANNELS, "messages")
        bodies = {channel.basic_get(queue, auto_ack=True)[2] for channel in channels}
        expect.equal(bodies, {b"%d" % channel.channel_number for channel in channels}, "bodies")
        for channel in channels:
            channel.close()
        expect.true(connection.is_open, "the connection is still open")
