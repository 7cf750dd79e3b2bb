from . import core, delivery, errors, publishing, tutorials
from .client import PY_AMQP

# Importing them registers their scenarios.
__all__ = ["core", "delivery", "errors", "publishing", "tutorials"]

PY_AMQP.main()
