"""How the scenarios call the tools."""

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika

from .. import expect
from ..scenario import Run, Scenarios

CALL_SECONDS = 60
PROBE = "probe"


def tool(run: Run, name: str, *arguments: str, body: bytes = b"", status: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Calls a tool, which must end with the given status."""
    done = subprocess.run(
        [f"amqp-{name}", f"--url={run.url}", *arguments], input=body, capture_output=True, timeout=CALL_SECONDS
    )
    if done.returncode != status:
        raise AssertionError(f"amqp-{name} {' '.join(arguments)}: status {done.returncode}, expected {status}: {done.stderr.decode()}")
    return done


def declare(run: Run, label: str = "queue", *arguments: str) -> str:
    """Declares a queue and returns its name."""
    queue = run.queue(label)
    expect.equal(tool(run, "declare-queue", "-q", queue, *arguments).stdout.decode().strip(), queue, "declared queue")
    return queue


def publish(run: Run, body: str, key: str, exchange: str = "", *options: str) -> None:
    """Publishes one message with amqp-publish."""
    where = ["-e", exchange] if exchange else []
    tool(run, "publish", *where, "-r", key, "-b", body, *options)


def ready(run: Run, queue: str) -> int:
    """How many messages wait in a queue. No tool says it, so another client asks."""
    connection = pika.BlockingConnection(pika.URLParameters(run.url))
    count = connection.channel().queue_declare(queue, passive=True).method.message_count
    connection.close()
    return count


class Consumer:
    """An amqp-consume under way that writes each body and a line end into a file, or calls another command."""

    def __init__(self, run: Run, *arguments: str, command: Path | None = None):
        self._run = run
        self._file = run.scratch() / "bodies"
        self._file.touch()
        command = command or script(run, f'body=$(cat); echo "$body" >> "{self._file}"')
        self._errors = command.with_name("errors")
        with open(self._errors, "wb") as errors:
            self.process = subprocess.Popen(
                ["amqp-consume", f"--url={run.url}", *arguments, str(command)], stdin=subprocess.DEVNULL,
                stdout=errors, stderr=errors,
            )

    def bodies(self, probes: bool = False) -> list[str]:
        """The bodies until now."""
        lines = self._file.read_text().splitlines()
        return lines if probes else [line for line in lines if line != PROBE]

    def wait_until_bound(self, key: str, exchange: str) -> None:
        """The tool does not say when it has bound its queue: publishes until something arrives."""

        def step() -> None:
            expect.true(self.process.poll() is None, f"amqp-consume ended: {self._errors.read_text()}")
            publish(self._run, PROBE, key, exchange)

        expect.until(lambda: self.bodies(probes=True), "the consumer is bound", step)

    def wait_for(self, count: int) -> list[str]:
        """Waits for so many bodies and returns all."""
        expect.until(lambda: len(self.bodies()) >= count, f"{count} messages at amqp-consume")
        return self.bodies()


@contextmanager
def consumer(run: Run, *arguments: str, command: Path | None = None):
    """A consumer that is ended afterwards."""
    started = Consumer(run, *arguments, command=command)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


def clean(run: Run) -> Any:
    """Deletes what the run made: deleting what is gone already is no error."""
    for kind, name in run.made:
        expect.equal(kind, "queue", "what the tools can make")
        tool(run, "delete-queue", "-q", name)


def script(run: Run, text: str) -> Path:
    """A shell script for amqp-consume to call for every message."""
    path = run.scratch() / "script"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


TOOLS = Scenarios("amqp-tools", clean)
