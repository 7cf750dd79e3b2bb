"""How an application is set up. Every name that it makes on the broker begins with its prefix."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

VARIABLE = "INTEROP_CELERY"


@dataclass(frozen=True)
class Settings:
    """What differs between the applications of the scenarios."""

    prefix: str
    broker: str
    backend: str
    concurrency: int = 2
    multiplier: int = 1
    priority_max: int | None = None
    quorum: bool = False
    # The file into which a task that beat sends every second writes.
    beat_notes: str | None = None

    def to_environment(self) -> dict[str, str]:
        """For a process that imports the application."""
        return {**os.environ, VARIABLE: json.dumps(asdict(self))}

    @staticmethod
    def from_environment() -> "Settings":
        return Settings(**json.loads(os.environ[VARIABLE]))

    @property
    def queue(self) -> str:
        """The queue of tasks."""
        return f"{self.prefix}.tasks"

    def made(self) -> list[tuple[str, str]]:
        """What Celery declares under the application's names, and never deletes itself."""
        exchanges = [f"{self.prefix}.{name}" for name in ("tasks", "pidbox", "events", "results")]
        reply = f"reply.{self.prefix}.pidbox"
        return [("queue", self.queue), *(("exchange", name) for name in [*exchanges, reply])]

    def configuration(self) -> dict[str, Any]:
        """The keys of Celery's configuration."""
        return {
            "task_default_queue": self.queue,
            "task_default_exchange": self.queue,
            # Native delayed delivery binds exchanges to exchanges, which does not go with a direct one.
            "task_default_exchange_type": "topic" if self.quorum else "direct",
            "task_default_queue_type": "quorum" if self.quorum else "classic",
            "task_default_routing_key": self.queue,
            "task_queue_max_priority": self.priority_max,
            "control_exchange": self.prefix,
            "event_exchange": f"{self.prefix}.events",
            "result_exchange": f"{self.prefix}.results",
            "worker_prefetch_multiplier": self.multiplier,
            "worker_concurrency": self.concurrency,
            "worker_enable_remote_control": True,
            "worker_cancel_long_running_tasks_on_connection_loss": False,
            "task_acks_late": True,
            "task_reject_on_worker_lost": True,
            "broker_connection_retry_on_startup": False,
            "broker_connection_timeout": 60,
            "broker_transport_options": {"confirm_publish": True},
            "result_expires": 300,
            "task_track_started": True,
            "beat_schedule": self._schedule(),
            "beat_max_loop_interval": 1,
        }

    def _schedule(self) -> dict[str, Any]:
        if not self.beat_notes:
            return {}
        return {"tick": {"task": f"{__package__}.app.note_time", "schedule": 1.0, "args": (self.beat_notes,)}}
