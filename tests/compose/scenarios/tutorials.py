"""The patterns of the tutorials, each client in a container of its own."""

from harness.program import Hands
from harness.scenario import scenario
from harness.shell import equal, expect, until
from harness.site import Site


@scenario("hello-world", anywhere=True)
def hello_world(site: Site) -> None:
    broker, (sender, receiver) = site.up(clients=2)
    receiver = receiver.connected(broker)
    receiver.declare_queue(queue="hello")
    receiver.consume(queue="hello", auto_ack=True)
    sender.connected(broker).publish(key="hello", body="Hello World!")
    equal(receiver.delivery()["body"], "Hello World!", "what came")


@scenario("work-queue", anywhere=True)
def work_queue(site: Site) -> None:
    """A worker with prefetch 1 gets one task at a time; what it has not acked goes to another when it goes away."""
    broker, clients = site.up(clients=3)
    boss, slow, quick = (client.connected(broker) for client in clients)
    boss.declare_queue(queue="tasks", durable=True)
    slow.qos(prefetch=1)
    slow.consume(queue="tasks")
    boss.confirm()
    for number in range(20):
        boss.publish(key="tasks", body=str(number))
    held = slow.delivery()
    equal((held["body"], held["delivery_mode"]), ("0", 2), "the first task")

    quick.qos(prefetch=1)
    quick.consume(queue="tasks")
    taken = []
    for _ in range(19):
        task = quick.delivery()
        taken.append(task["body"])
        # As long as this one is not acked there is no other: prefetch is 1.
        until(lambda: _unacked(boss) == 20 - len(taken), "one task less is ready", 60)
        expect(not quick.has("delivery"), "a second task came before the first was acked, with prefetch 1")
        quick.ack(tag=task["tag"])
    equal(taken, [str(number) for number in range(1, 20)], "the tasks of the quick worker")
    expect(not slow.has("delivery"), "the slow worker got a second task before it acked the first, with prefetch 1")

    slow.disconnect()
    again = quick.delivery()
    equal((again["body"], again["redelivered"]), ("0", True), "the task that the slow worker left")
    quick.ack(tag=again["tag"])
    quick.disconnect()
    equal(boss.declare_queue(queue="tasks", durable=True)["messages"], 0, "tasks that are left")
    boss.delete_queue(queue="tasks")


def _unacked(boss: Hands) -> int:
    # Ready messages, and the two that the workers hold.
    return boss.declare_queue(queue="tasks", durable=True)["messages"] + 1


@scenario("publish-subscribe", anywhere=True)
def publish_subscribe(site: Site) -> None:
    broker, clients = site.up(clients=3)
    emitter, *subscribers = (client.connected(broker) for client in clients)
    emitter.declare_exchange(exchange="logs", kind="fanout")
    for subscriber in subscribers:
        _subscribed(subscriber, "logs", [""])
    emitter.publish(exchange="logs", key="", body="info: to all")
    for subscriber in subscribers:
        equal(subscriber.delivery()["body"], "info: to all", "what a subscriber got")
    emitter.delete_exchange(exchange="logs")


@scenario("routing", anywhere=True)
def routing(site: Site) -> None:
    broker, clients = site.up(clients=3)
    emitter, errors, everything = (client.connected(broker) for client in clients)
    emitter.declare_exchange(exchange="direct_logs", kind="direct")
    _subscribed(errors, "direct_logs", ["error"])
    _subscribed(everything, "direct_logs", ["info", "warning", "error"])
    for severity in ("info", "error", "debug", "warning", "error"):
        emitter.publish(exchange="direct_logs", key=severity, body=f"a line of {severity}")
    equal([errors.delivery()["key"] for _ in range(2)], ["error", "error"], "what the one for errors got")
    got = [everything.delivery()["key"] for _ in range(4)]
    equal(got, ["info", "error", "warning", "error"], "what the one for everything got")
    emitter.delete_exchange(exchange="direct_logs")


@scenario("topics", anywhere=True)
def topics(site: Site) -> None:
    broker, clients = site.up(clients=3)
    emitter, kernel, critical = (client.connected(broker) for client in clients)
    emitter.declare_exchange(exchange="topic_logs", kind="topic")
    _subscribed(kernel, "topic_logs", ["kern.#"])
    _subscribed(critical, "topic_logs", ["*.critical"])
    for key in ("kern.info", "cron.critical", "kern.critical", "cron.info", "kern.net.lost"):
        emitter.publish(exchange="topic_logs", key=key, body=key)
    equal(kernel.bodies(3), ["kern.info", "kern.critical", "kern.net.lost"], "what kern.# got")
    equal(critical.bodies(2), ["cron.critical", "kern.critical"], "what *.critical got")
    emitter.delete_exchange(exchange="topic_logs")


@scenario("rpc", anywhere=True)
def rpc(site: Site) -> None:
    """Both ways of replying: a queue of the caller's own, and direct reply-to."""
    broker, clients = site.up(clients=2)
    server, caller = (client.connected(broker) for client in clients)
    server.declare_queue(queue="rpc_queue")
    server.consume(queue="rpc_queue", auto_ack=True)
    for reply_to in (caller.declare_queue(exclusive=True)["queue"], "amq.rabbitmq.reply-to"):
        caller.consume(queue=reply_to, auto_ack=True)
        caller.publish(key="rpc_queue", body="30", reply_to=reply_to, correlation_id=f"call by {reply_to}")
        request = server.delivery()
        result = str(_fibonacci(int(request["body"])))
        server.publish(key=request["reply_to"], body=result, correlation_id=request["correlation_id"])
        reply = caller.delivery()
        equal((reply["body"], reply["correlation_id"]), ("832040", f"call by {reply_to}"), "the reply")
    server.delete_queue(queue="rpc_queue")


def _fibonacci(number: int) -> int:
    return number if number < 2 else _fibonacci(number - 1) + _fibonacci(number - 2)


@scenario("publisher-confirms", anywhere=True)
def publisher_confirms(site: Site) -> None:
    broker, clients = site.up(clients=2)
    publisher, reader = (client.connected(broker) for client in clients)
    publisher.declare_queue(queue="confirmed", durable=True)
    publisher.confirm()
    for number in range(50):
        equal(publisher.publish(key="confirmed", body=str(number)), "confirmed", "what became of a message")
    unroutable = publisher.publish(key="no such queue", body="", mandatory=True)
    equal(unroutable, "returned", "what became of a mandatory message to nowhere")
    publisher.declare_queue(queue="full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    verdicts = [publisher.publish(key="full", body=str(number)) for number in range(2)]
    equal(verdicts, ["confirmed", "refused"], "what became of messages to a queue that holds one")

    load = clients[0].program("load", broker.url(), "confirmed", "--count", "1000")
    end = load.event("end")
    equal(end["confirmed"], [[0, 999]], f"what was confirmed of 1,000 in flight ({end['reason']})")
    for number in range(50):
        equal(reader.get(queue="confirmed")["body"], str(number), "what was kept")
    equal(reader.declare_queue(queue="confirmed", durable=True)["messages"], 1000, "what else was kept")
    for queue in ("confirmed", "full"):
        publisher.delete_queue(queue=queue)


def _subscribed(hands: Hands, exchange: str, keys: list[str]) -> None:
    """Has them consume from a queue of their own that is bound with these keys."""
    queue = hands.declare_queue(exclusive=True)["queue"]
    for key in keys:
        hands.bind(queue=queue, exchange=exchange, key=key)
    hands.consume(queue=queue, auto_ack=True)
