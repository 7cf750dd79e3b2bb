"""A container with little memory."""

from harness.program import Program
from harness.scenario import scenario
from harness.shell import equal, expect
from harness.site import End, Settings, Site

MEMORY_MB = 256
SIZE = 64 * 1024
BACKLOG = 2 * 1024**3 // SIZE
FLOOD = 1024**3 // SIZE
SECONDS = 900


@scenario("memory-backlog", alone=True)
def memory_backlog(site: Site) -> None:
    """2 GB of confirmed messages in 256 MB of memory: nothing is killed, not even when it starts again with all of it."""
    broker, (publisher, reader) = site.up(Settings(memory_mb=MEMORY_MB), clients=2)
    publisher.connected(broker).declare_queue(queue="backlog", durable=True)
    load = publisher.program("load", broker.url(), "backlog", "--count", str(BACKLOG), "--size", str(SIZE))
    end = load.event("end", seconds=SECONDS)
    equal(end["confirmed"], [[0, BACKLOG - 1]], f"what was confirmed ({end['reason']})")
    _check_not_killed(broker.stop())
    broker.start()
    drain = reader.program("drain", broker.url(), "backlog", "--until", str(BACKLOG), "--prefetch", "200")
    _check_all_came(drain, BACKLOG)
    _check_not_killed(broker.stop())


@scenario("memory-alarm", alone=True)
def memory_alarm(site: Site) -> None:
    """A consumer that holds all that it gets makes memory run short: publishers are blocked, and released by its acks."""
    broker, (publisher, hoarder) = site.up(Settings(memory_mb=MEMORY_MB), clients=2)
    publisher.connected(broker).declare_queue(queue="held", durable=True)
    drain = hoarder.program("drain", broker.url(), "held", "--until", str(FLOOD), "--prefetch", "0", "--hold")
    load = publisher.program("load", broker.url(), "held", "--count", str(FLOOD), "--size", str(SIZE))
    blocked = load.event("blocked", "end", seconds=SECONDS)
    equal(blocked["event"], "blocked", "what the publisher was told")
    site.remark(f"blocked after {blocked['confirmed']} messages: {blocked['reason']}")
    alarm = broker.execute("rabbitmq-diagnostics", "-q", "check_local_alarms")
    expect(alarm.returncode != 0, f"no alarm is told while publishers are blocked:\n{alarm.stdout}")
    expect(not load.has("unblocked"), "publishers were released before anything was acked")
    # It goes on to ack all that it holds, and what comes then.
    drain.write("release")
    released = load.event("unblocked", seconds=SECONDS)
    site.remark(f"released after {released['confirmed']} messages")
    end = load.event("end", seconds=SECONDS)
    equal(end["confirmed"], [[0, FLOOD - 1]], f"what was confirmed ({end['reason']})")
    _check_all_came(drain, FLOOD)
    _check_not_killed(broker.stop())


def _check_all_came(drain: Program, count: int) -> None:
    found = drain.event("end", seconds=SECONDS)
    equal((found["numbers"], found["damaged"]), ([[0, count - 1]], 0), f"what came ({found['reason']})")


def _check_not_killed(end: End) -> None:
    equal((end.status, end.killed_for_memory), (0, False), "the status of the broker, and whether it was killed for memory")
