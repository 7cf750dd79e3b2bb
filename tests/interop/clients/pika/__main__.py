from . import delivery, errors, limits, publishing, tutorials
from .client import PIKA

# Importing them registers their scenarios.
__all__ = ["delivery", "errors", "limits", "publishing", "tutorials"]

PIKA.main()
