"""What a program in a client container says to the runner: lines of JSON on its standard output."""

import json
import sys
import threading

_writing = threading.Lock()


def say(**fields) -> None:
    """Writes one line."""
    with _writing:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()
