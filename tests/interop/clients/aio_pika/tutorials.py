"""The six tutorials, direct reply-to, and aio-pika's own RPC pattern."""

import asyncio
import uuid

from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.patterns import RPC

from .. import expect, payload
from .client import AIO_PIKA, connected, wait


@AIO_PIKA.scenario("hello")
async def hello(run):
    async with connected(run) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(run.queue("hello"), auto_delete=True)
        await channel.default_exchange.publish(Message(b"Hello World!"), queue.name)
        async with asyncio.timeout(expect.WAIT_SECONDS), queue.iterator(no_ack=True) as messages:
            async for message in messages:
                expect.equal(message.body, b"Hello World!", "body")
                got = (message.exchange, message.routing_key, message.redelivered)
                expect.equal(got, ("", queue.name, False), "delivery")
                break
    # The only consumer is gone, and with it the auto-delete queue: nothing-left-behind looks.


@AIO_PIKA.scenario("work-queue")
async def work_queue(run):
    name = run.queue("task_queue")
    tasks = [b"task %d" % number for number in range(20)]
    async with connected(run) as producer, connected(run) as connection:
        publishing = await producer.channel()
        await publishing.declare_queue(name, durable=True)
        busy, free = await connection.channel(), await connection.channel()
        for worker in (busy, free):
            await worker.set_qos(prefetch_count=1)
        held, done = [], []

        async def hold(message):
            held.append(message)

        async def work(message):
            async with message.process():
                done.append(message.body)

        async def publish(task):
            await publishing.default_exchange.publish(Message(task, delivery_mode=DeliveryMode.PERSISTENT), name)

        await (await busy.get_queue(name)).consume(hold)
        await publish(tasks[0])
        await wait(lambda: held, "the first task at the busy worker")
        await (await free.get_queue(name)).consume(work)
        for task in tasks[1:]:
            await publish(task)
        await wait(lambda: len(done) >= len(tasks) - 1, "the other tasks at the free worker")
        expect.equal(done, tasks[1:], "tasks of the free worker")
        expect.equal([message.body for message in held], tasks[:1], "tasks of the busy worker")
        # A channel that closes without an acknowledgement gives its task back.
        await busy.close()
        await wait(lambda: len(done) == len(tasks), "the task of the worker that left")


@AIO_PIKA.scenario("publish-subscribe")
async def publish_subscribe(run):
    async with connected(run) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(run.exchange("logs"), ExchangeType.FANOUT)
        received = []
        for _ in range(2):
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(exchange)
            received.append([])
            await queue.consume(received[-1].append, no_ack=True)
        logs = [b"line %d" % number for number in range(10)]
        for line in logs:
            await exchange.publish(Message(line), "")
        await wait(lambda: all(len(got) >= len(logs) for got in received), "all lines at both")
        for got in received:
            expect.equal([message.body for message in got], logs, "lines")


async def routed(run, kind, bindings, keys):
    """Publishes one message a key, confirmed, and returns what each queue then holds, by the queue's label."""
    async with connected(run) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(run.exchange(kind.value), kind)
        queues = {label: await channel.declare_queue(exclusive=True) for label in bindings}
        for label, patterns in bindings.items():
            for pattern in patterns:
                await queues[label].bind(exchange, pattern)
        for key in keys:
            await exchange.publish(Message(key.encode()), key, mandatory=False)
        got = {}
        for label, queue in queues.items():
            got[label] = []
            while message := await queue.get(no_ack=True, fail=False):
                got[label].append(message.body.decode())
        return got


@AIO_PIKA.scenario("routing")
async def routing(run):
    got = await routed(run, ExchangeType.DIRECT, payload.ROUTING_KEYS, payload.SEVERITIES)
    for label, keys in payload.ROUTING_KEYS.items():
        expect.equal(got[label], payload.severities_for(keys), f"severities of {label}")


@AIO_PIKA.scenario("topics")
async def topics(run):
    got = await routed(run, ExchangeType.TOPIC, payload.TOPIC_PATTERNS, payload.TOPIC_KEYS)
    for label in payload.TOPIC_PATTERNS:
        expect.equal(got[label], payload.topics_for(label), f"topics of {label}")


@AIO_PIKA.scenario("rpc-reply-to")
async def direct_reply_to(run):
    async with connected(run) as server, connected(run) as client:
        serving, calling = await server.channel(), await client.channel()
        queue = await serving.declare_queue(run.queue("rpc_queue"))

        async def answer(message):
            async with message.process():
                reply = Message(str(payload.fibonacci(int(message.body))).encode(), correlation_id=message.correlation_id)
                await serving.default_exchange.publish(reply, message.reply_to)

        await queue.consume(answer)
        replies = {}

        async def take(message):
            replies[message.correlation_id] = message.body

        reply_to = await calling.get_queue("amq.rabbitmq.reply-to", ensure=False)
        await reply_to.consume(take, no_ack=True)
        requests = {str(uuid.uuid4()): number for number in range(30, 35)}
        for correlation_id, number in requests.items():
            request = Message(str(number).encode(), reply_to="amq.rabbitmq.reply-to", correlation_id=correlation_id)
            await calling.default_exchange.publish(request, queue.name)
        await wait(lambda: len(replies) == len(requests), "a reply to every request")
        for correlation_id, number in requests.items():
            expect.equal(replies.get(correlation_id), str(payload.fibonacci(number)).encode(), f"fibonacci({number})")


@AIO_PIKA.scenario("rpc")
async def rpc(run):
    method = run.queue("rpc_queue")
    # The pattern's exchange of messages that nobody answered has a fixed name; give it one of ours.
    previous, RPC.DLX_NAME = RPC.DLX_NAME, run.exchange("rpc.dlx")
    try:
        async with connected(run) as server, connected(run) as client:
            serving = await RPC.create(await server.channel())
            calling = await RPC.create(await client.channel())

            async def fibonacci(*, n):
                return payload.fibonacci(n)

            await serving.register(method, fibonacci, auto_delete=True)
            numbers = range(30, 35)
            async with asyncio.timeout(expect.WAIT_SECONDS):
                replies = await asyncio.gather(*(calling.call(method, {"n": number}) for number in numbers))
            expect.equal(replies, [payload.fibonacci(number) for number in numbers], "replies")
            await calling.close()
            await serving.close()
    finally:
        RPC.DLX_NAME = previous
