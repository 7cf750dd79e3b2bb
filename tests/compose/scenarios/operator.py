"""RabbitMQ's programs by `docker exec`."""

import json

from harness.scenario import scenario
from harness.shell import equal, expect
from harness.site import Broker, Site


@scenario("programs")
def programs(site: Site) -> None:
    broker, (client, ) = site.up()
    _succeeds(broker, "rabbitmq-diagnostics", "-q", "ping")
    _succeeds(broker, "rabbitmq-diagnostics", "check_running")
    _succeeds(broker, "rabbitmq-diagnostics", "check_port_connectivity")
    _succeeds(broker, "rabbitmq-diagnostics", "check_local_alarms")
    _succeeds(broker, "rabbitmq-plugins", "enable", "rabbitmq_management")
    _succeeds(broker, "rabbitmqctl", "await_startup")
    _succeeds(broker, "rabbitmqctl", "add_user", "anna", "pass")
    _succeeds(broker, "rabbitmqctl", "add_vhost", "staging")
    _succeeds(broker, "rabbitmqctl", "set_permissions", "-p", "staging", "anna", ".*", ".*", ".*")
    hands = client.hands()
    hands.connect(url=broker.url("anna", "pass", "staging"))
    admin = ("rabbitmqadmin", "--username", "tester", "--password", "secret", "--vhost", "staging")
    _succeeds(broker, "rabbitmqctl", "set_permissions", "-p", "staging", "tester", ".*", ".*", ".*")
    _succeeds(broker, *admin, "declare", "queue", "--name", "tasks", "--durable", "true")
    hands.publish(key="tasks", body="one")
    hands.publish(key="tasks", body="two")
    equal(hands.declare_queue(queue="tasks", passive=True)["messages"], 2, "messages of the declared queue")
    listed = _succeeds(broker, "rabbitmqctl", "-q", "list_queues", "-p", "staging", "name", "messages", "--formatter", "json")
    equal(json.loads(listed), [{"name": "tasks", "messages": 2}], "what rabbitmqctl lists")
    expect("tasks" in _succeeds(broker, *admin, "list", "queues"), "rabbitmqadmin does not list the queue")
    _succeeds(broker, "rabbitmqctl", "purge_queue", "-p", "staging", "tasks")
    equal(hands.declare_queue(queue="tasks", passive=True)["messages"], 0, "messages of the purged queue")
    unknown = broker.execute("rabbitmqctl", "delete_user", "nobody")
    expect(unknown.returncode != 0, "rabbitmqctl deleted a user who is not there")


def _succeeds(broker: Broker, *command: str) -> str:
    ran = broker.execute(*command)
    equal(ran.returncode, 0, f"the status of `{' '.join(command)}`, which said:\n{ran.stdout}")
    return ran.stdout
