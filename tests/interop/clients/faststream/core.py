"""The core rows, as an application of FastStream has them."""

import asyncio

from aio_pika.exceptions import ChannelPreconditionFailed, PublishError
from faststream import AckPolicy
from faststream.rabbit import Channel, ExchangeType, RabbitExchange, RabbitMessage, RabbitQueue

from .. import expect, payload
from .client import FASTSTREAM, broker_of, ready, started, wait

RECONNECT_SECONDS = 60


@FASTSTREAM.scenario("declare")
async def declare(run):
    name, arguments = run.queue(), {"x-max-length": 10, "x-overflow": "reject-publish"}
    exchanges = {kind: run.exchange(kind) for kind in payload.EXCHANGE_TYPES}
    # Each broker remembers what it has declared, so the second declares again.
    for _ in range(2):
        async with started(broker_of(run.url)) as broker:
            for kind, exchange in exchanges.items():
                await broker.declare_exchange(RabbitExchange(exchange, type=ExchangeType(kind), durable=True))
            queue = await broker.declare_queue(RabbitQueue(name, durable=True, arguments=arguments))
            declared = queue.declaration_result
            expect.equal((declared.queue, declared.message_count, declared.consumer_count), (name, 0, 0), "declared")
    async with started(broker_of(run.url)) as broker:
        other = RabbitQueue(name, durable=True, arguments={**arguments, "x-max-length": 11})
        try:
            await broker.declare_queue(other)
        except ChannelPreconditionFailed as error:
            expect.contains(error, ("x-max-length",), "error")
        else:
            raise AssertionError("another limit: no error")


@FASTSTREAM.scenario("bind")
async def bind(run):
    broker = broker_of(run.url)
    source = RabbitExchange(run.exchange("topic"), type=ExchangeType.TOPIC)
    target = RabbitExchange(run.exchange("fanout"), type=ExchangeType.FANOUT, bind_to=source, routing_key="b.#")
    queues = {"pattern": RabbitQueue(run.queue("pattern"), routing_key="a.*"), "fanout": RabbitQueue(run.queue("fanout"))}
    got = {"pattern": [], "fanout": []}

    @broker.subscriber(queues["pattern"], source)
    async def by_pattern(body: str):
        got["pattern"].append(body)

    @broker.subscriber(queues["fanout"], target)
    async def by_exchange(body: str):
        got["fanout"].append(body)

    async with started(broker):
        for key in ("a.one", "b.one.two", "c", "a.end", "b.end"):
            await broker.publish(key, exchange=source, routing_key=key, mandatory=False)
        await wait(lambda: "a.end" in got["pattern"] and "b.end" in got["fanout"], "the last messages")
    expect.equal(got, {"pattern": ["a.one", "a.end"], "fanout": ["b.one.two", "b.end"]}, "messages")


@FASTSTREAM.scenario("confirmed-publish")
async def confirmed_publish(run):
    async with started(broker_of(run.url)) as broker:
        queue = RabbitQueue(run.queue(), durable=True)
        await broker.declare_queue(queue)
        async with asyncio.timeout(expect.WAIT_SECONDS):
            confirmed = await asyncio.gather(*(broker.publish(number, queue=queue, persist=True) for number in range(200)))
        expect.equal({type(frame).__name__ for frame in confirmed}, {"Ack"}, "confirms")
        expect.equal(await ready(broker, queue.name), 200, "confirmed messages")


@FASTSTREAM.scenario("consume-ack-prefetch")
async def consume_ack_prefetch(run):
    queue, held = RabbitQueue(run.queue()), []
    consuming = broker_of(run.url, default_channel=Channel(prefetch_count=2))

    @consuming.subscriber(queue, ack_policy=AckPolicy.MANUAL)
    async def hold(body: int, message: RabbitMessage):
        held.append((body, message))

    async with started(broker_of(run.url)) as broker:
        await broker.declare_queue(queue)
        for number in range(5):
            await broker.publish(number, queue=queue)
        async with started(consuming):
            await wait(lambda: len(held) == 2, "as many as the prefetch")
            expect.equal(await ready(broker, queue.name), 3, "messages that wait")
            # Each delivery is a task of its own, and either may be first.
            expect.equal(sorted(body for body, _ in held), [0, 1], "deliveries")
            await held[0][1].ack()
            await wait(lambda: len(held) == 3, "one more for the acknowledged one")
            await held[1][1].ack()
            await held[2][1].ack()
            await wait(lambda: len(held) == 5, "the last two")
        # Neither was acknowledged: both are back at their places, and marked.
        again = broker.subscriber(queue)
        await again.start()
        got = [await again.get_one() for _ in range(2)]
        expect.equal([(await each.decode(), each.raw_message.redelivered) for each in got], [(3, True), (4, True)], "given back")


@FASTSTREAM.scenario("return")
async def returned(run):
    async with started(broker_of(run.url, default_channel=Channel(on_return_raises=True))) as broker:
        nowhere = run.queue("nowhere")
        try:
            await broker.publish("returned", queue=nowhere, mandatory=True, message_id="7")
        except PublishError as error:
            delivery = error.message.delivery
            expect.equal((delivery.reply_code, delivery.reply_text, delivery.routing_key), (312, "NO_ROUTE", nowhere), "reason")
            content = (error.message.body, error.message.header.properties.message_id)
            expect.equal(content, (b"returned", "7"), "content")
        else:
            raise AssertionError("an unroutable message: no error")
        await broker.publish("dropped", queue=nowhere, mandatory=False)


@FASTSTREAM.scenario("get")
async def get(run):
    queue = RabbitQueue(run.queue())
    async with started(broker_of(run.url)) as broker:
        looking = broker.subscriber(queue)
        await looking.start()
        expect.equal(await looking.get_one(timeout=0.2), None, "get from an empty queue")
        for number in range(2):
            await broker.publish(number, queue=queue)
        first = await looking.get_one()
        expect.equal((await first.decode(), first.raw_message.message_count), (0, 1), "first get")
        expect.equal(await (await looking.get_one()).decode(), 1, "second get")


@FASTSTREAM.scenario("rpc-reply-to")
async def rpc_reply_to(run):
    queue, server, asked = run.queue("rpc_queue"), broker_of(run.url), range(30, 35)
    addresses = []

    @server.subscriber(queue)
    async def answer(number: int, message: RabbitMessage) -> int:
        addresses.append(message.reply_to)
        return payload.fibonacci(number)

    async with started(server), started(broker_of(run.url)) as client:
        requests = (client.request(number, queue=queue, timeout=expect.WAIT_SECONDS) for number in asked)
        replies = [await reply.decode() for reply in await asyncio.gather(*requests)]
    expect.equal(replies, [payload.fibonacci(number) for number in asked], "replies")
    expect.true(all(each.startswith("amq.rabbitmq.reply-to.") for each in addresses), f"direct addresses, got {addresses}")


@FASTSTREAM.scenario("ttl-dead-letter")
async def ttl_dead_letter(run):
    broker, received = broker_of(run.url), []
    exchange = RabbitExchange(run.exchange("dead-letters"))
    queue = RabbitQueue(run.queue("short-lived"), arguments={
        "x-message-ttl": payload.TTL_MILLISECONDS, "x-dead-letter-exchange": exchange.name,
        "x-dead-letter-routing-key": "expired",
    })

    @broker.subscriber(RabbitQueue(run.queue("dead"), routing_key="expired"), exchange)
    async def bury(body: str, message: RabbitMessage):
        received.append((body, message))

    async with started(broker):
        await broker.declare_queue(queue)
        sent = asyncio.get_running_loop().time()
        await broker.publish("late", queue=queue, message_id="7")
        await wait(lambda: received, "the dead letter")
        lived = asyncio.get_running_loop().time() - sent
    expect.true(lived > payload.TTL_SECONDS_MIN, "the message died too early")
    body, message = received[0]
    expect.equal((body, message.message_id, message.raw_message.routing_key), ("late", "7", "expired"), "content and address")
    death = message.headers["x-death"][0]
    got = {name: death[name] for name in ("queue", "reason", "exchange", "routing-keys", "count")}
    wanted = {"queue": queue.name, "reason": "expired", "exchange": "", "routing-keys": [queue.name], "count": 1}
    expect.equal(got, wanted, "x-death")


@FASTSTREAM.scenario("reconnect", deadline_seconds=300)
async def reconnect(run):
    queue, held = RabbitQueue(run.queue(), durable=True), []
    broker = broker_of(run.restart_url, default_channel=Channel(prefetch_count=1))

    @broker.subscriber(queue, ack_policy=AckPolicy.MANUAL)
    async def hold(body: str, message: RabbitMessage):
        held.append((body, message))

    async with started(broker):
        for how in ("stop", "kill"):
            held.clear()
            for body in ("unacked", "ready"):
                await broker.publish(body, queue=queue, persist=True)
            await wait(lambda: held, "the message that is not acknowledged")
            await asyncio.to_thread(run.restart, how)
            # Nothing is asked for again: the subscriber is back as it was, and so are both messages.
            for number, body in enumerate(("unacked", "ready"), start=1):
                await wait(lambda number=number: len(held) > number, f"{body} after the broker's {how}", RECONNECT_SECONDS)
                expect.equal(held[number][0], body, "delivery")
                await held[number][1].ack()
        expect.equal(await ready(broker, queue.name), 0, "messages at the end")
