"""What FastStream's users rely on: chains of handlers, answers to errors, exchanges of all kinds."""

from faststream import AckPolicy
from faststream.rabbit import ExchangeType, RabbitExchange, RabbitMessage, RabbitQueue

from .. import expect, payload
from .client import FASTSTREAM, broker_of, started, wait


@FASTSTREAM.scenario("work-queue")
async def work_queue(run):
    broker, done = broker_of(run.url), []
    first, second = RabbitQueue(run.queue("first"), durable=True), run.queue("second")

    # What a handler returns goes on to the next queue.
    @broker.subscriber(first)
    @broker.publisher(second)
    async def square(number: int) -> int:
        return number * number

    @broker.subscriber(second)
    async def take(number: int):
        done.append(number)

    async with started(broker):
        for number in range(50):
            await broker.publish(number, queue=first, persist=True)
        await wait(lambda: len(done) >= 50, "fifty numbers")
    expect.equal(sorted(done), [number * number for number in range(50)], "numbers")


@FASTSTREAM.scenario("nack-requeue")
async def nack_requeue(run):
    broker, seen, dead = broker_of(run.url), [], []
    graves = run.queue("dead")
    queue = RabbitQueue(run.queue(), arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graves})
    rejecting = RabbitQueue(run.queue("rejecting"), arguments=queue.arguments)

    @broker.subscriber(queue, ack_policy=AckPolicy.NACK_ON_ERROR)
    async def fail_once(body: str, message: RabbitMessage):
        seen.append((body, message.raw_message.redelivered))
        if not message.raw_message.redelivered:
            raise ValueError("once more")

    @broker.subscriber(rejecting, ack_policy=AckPolicy.REJECT_ON_ERROR)
    async def fail(_: str):
        raise ValueError("never")

    @broker.subscriber(graves)
    async def bury(body: str, message: RabbitMessage):
        dead.append((body, message.headers["x-death"][0]["reason"]))

    async with started(broker):
        await broker.publish("again", queue=queue)
        await broker.publish("bad", queue=rejecting)
        await wait(lambda: len(seen) == 2 and dead, "the second delivery and the dead letter")
    expect.equal(seen, [("again", False), ("again", True)], "deliveries")
    expect.equal(dead, [("bad", "rejected")], "dead letters")


@FASTSTREAM.scenario("headers")
async def headers(run):
    broker, got = broker_of(run.url), {"all": [], "any": []}
    exchange = RabbitExchange(run.exchange("headers"), type=ExchangeType.HEADERS)

    def subscribe(match):
        queue = RabbitQueue(run.queue(match), bind_arguments={"x-match": match, "format": "pdf", "pages": 3})

        @broker.subscriber(queue, exchange)
        async def take(body: str):
            got[match].append(body)

    for match in got:
        subscribe(match)
    async with started(broker):
        for body, sent in (("both", {"format": "pdf", "pages": 3}), ("one", {"format": "pdf"}), ("none", {"format": "txt"})):
            await broker.publish(body, exchange=exchange, headers=sent, mandatory=False)
        await broker.publish("end", exchange=exchange, headers={"format": "pdf", "pages": 3})
        await wait(lambda: all("end" in bodies for bodies in got.values()), "the last message")
    expect.equal(got, {"all": ["both", "end"], "any": ["both", "one", "end"]}, "messages")


@FASTSTREAM.scenario("topics")
async def topics(run):
    broker = broker_of(run.url)
    exchange = RabbitExchange(run.exchange("topic"), type=ExchangeType.TOPIC)
    got = {"orange": [], "lazy": []}
    patterns = {"orange": "*.orange.*", "lazy": "lazy.#"}

    def subscribe(label):
        @broker.subscriber(RabbitQueue(run.queue(label), routing_key=patterns[label]), exchange)
        async def take(body: str):
            got[label].append(body)

    for label in patterns:
        subscribe(label)
    async with started(broker):
        for key in [*payload.TOPIC_KEYS, "lazy.orange.end"]:
            await broker.publish(key, exchange=exchange, routing_key=key, mandatory=False)
        await wait(lambda: all("lazy.orange.end" in keys for keys in got.values()), "the last message")
    orange = [key for key in payload.TOPIC_KEYS if key.count(".") == 2 and key.split(".")[1] == "orange"]
    lazy = [key for key in payload.TOPIC_KEYS if key.split(".")[0] == "lazy"]
    expect.equal({"orange": got["orange"][:-1], "lazy": got["lazy"][:-1]}, {"orange": orange, "lazy": lazy}, "topics")
