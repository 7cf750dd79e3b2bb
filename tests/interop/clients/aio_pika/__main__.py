from . import core, delivery, errors, publishing, tutorials
from .client import AIO_PIKA

# Importing them registers their scenarios.
__all__ = ["core", "delivery", "errors", "publishing", "tutorials"]

AIO_PIKA.main()
