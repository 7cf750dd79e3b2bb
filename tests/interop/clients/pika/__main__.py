import os
from pathlib import Path

from . import core, delivery, errors, limits, publishing, tls, tutorials
from .client import PIKA

# Importing them registers their scenarios.
__all__ = ["core", "delivery", "errors", "limits", "publishing", "tutorials"]

if "INTEROP_TLS_URL" in os.environ:
    tls.register(Path(os.environ["INTEROP_CERTIFICATES"]))
PIKA.main()
