"""Whether the broker's OpenAPI document is one, and whether what the broker answers fits it.

usage: openapi.py URL     a broker that has one of each kind of object; guest may see everything
"""

import base64
import json
import sys
import urllib.error
import urllib.parse
import urllib.request

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

BASE = sys.argv[1]
# What this broker does not have: it logs to no file.
NOWHERE = ["/api/leveret/log"]
LOGIN = "Basic " + base64.b64encode(b"guest:guest").decode()


def ask(method, path, body=None):
    """The status of an answer, and what it is if it is JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data=data, method=method, headers={"authorization": LOGIN})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as failed:
        status, text = failed.code, failed.read()
    return status, json.loads(text) if text else None


def first(path, field):
    """A field of the first item of a list, as it stands in a path; nothing when the list is empty."""
    status, items = ask("GET", path)
    return urllib.parse.quote(items[0][field], safe="") if status == 200 and items else None


def furnished():
    """Makes one of each kind, and returns what to put into paths: by their beginnings, the longest that fits."""
    for path, body in [
        ("/api/queues/%2F/thing", {"durable": True}),
        ("/api/queues/%2F/quorate", {"arguments": {"x-queue-type": "quorum"}}),
        ("/api/exchanges/%2F/thing", {"type": "topic"}),
        ("/api/exchanges/%2F/later", {"type": "x-delayed-message", "arguments": {"x-delayed-type": "direct"}}),
        ("/api/policies/%2F/thing", {"pattern": "^t", "definition": {"max-length": 5}}),
        ("/api/operator-policies/%2F/thing", {"pattern": "^t", "definition": {"max-length": 5}}),
        ("/api/parameters/federation-upstream/%2F/thing", {"value": {"uri": "amqp://localhost"}}),
        ("/api/global-parameters/thing", {"value": {"a": 1}}),
        ("/api/topic-permissions/%2F/guest", {"exchange": "amq.topic", "write": ".*", "read": ".*"}),
        ("/api/vhost-limits/%2F/max-queues", {"value": 100}),
        ("/api/user-limits/guest/max-channels", {"value": 100}),
    ]:
        status, answer = ask("PUT", path, body)
        assert status in (201, 204), (path, status, answer)
    for path in ["/api/bindings/%2F/e/thing/q/thing", "/api/bindings/%2F/e/thing/e/amq.fanout"]:
        status, answer = ask("POST", path, {"routing_key": "k"})
        assert status == 201, (path, status, answer)
    node = first("/api/nodes", "name")
    return {
        "": {
            "vhost": "%2F",
            "queue": "thing",
            "exchange": "thing",
            "destination": "thing",
            "properties_key": "k",
            "user": "guest",
            "node": node,
            "name": "thing",
            "component": "federation-upstream",
            "connection": first("/api/connections", "name"),
            "channel": first("/api/channels", "name"),
            "password": "sesame",
            "protocol": "amqp",
            "port": str(urllib.parse.urlsplit(BASE).port),
            "within": "1",
            "unit": "days",
            "pattern": "thing",
        },
        "/api/queues/quorum/": {"queue": "quorate"},
        "/api/nodes/": {"name": node},
        "/api/auth/attempts/": {"name": node},
        "/api/topic-permissions/": {"exchange": "amq.topic"},
        "/api/bindings/{vhost}/e/{exchange}/e/": {"destination": "amq.fanout"},
        "/api/leveret/exchanges/": {"exchange": "later"},
    }


def filled(path, known):
    """The path with names in it; nothing when one is not known."""
    values = {}
    for beginning in sorted(known, key=len):
        if path.startswith(beginning):
            values |= known[beginning]
    for part in path.split("/"):
        if part.startswith("{"):
            value = values.get(part[1:-1])
            if value is None:
                return None
            path = path.replace(part, value)
    return path


def main():
    status, document = ask("GET", "/api/leveret/openapi.json")
    assert status == 200, status
    mistakes = [f"the document: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()]
    registry = Registry().with_resource("urn:api", Resource.from_contents(document, DRAFT202012))
    known = furnished()
    fitted, unasked = 0, []
    for path, operations in document["paths"].items():
        answers = operations.get("get", {}).get("responses", {})
        if "200" not in answers:
            continue
        asked = filled(path, known)
        if asked is None:
            unasked.append(path)
            continue
        status, answer = ask("GET", asked)
        if status == 404 and path in NOWHERE:
            continue
        if status != 200:
            mistakes.append(f"GET {asked}: {status} {answer}")
            continue
        pointer = "/".join(["#", "paths", path.replace("~", "~0").replace("/", "~1"), "get", "responses", "200"])
        schema = {"$ref": f"urn:api{pointer}/content/application~1json/schema"}
        validator = Draft202012Validator(schema, registry=registry)
        for error in validator.iter_errors(answer):
            mistakes.append(f"GET {asked}: {error.json_path}: {error.message[:200]}")
        fitted += 1
    print(f"{fitted} answers were held against {len(document['paths'])} paths; not asked for: {unasked}")
    print("\n".join(mistakes))
    return 1 if mistakes or fitted < 60 else 0


sys.exit(main())
