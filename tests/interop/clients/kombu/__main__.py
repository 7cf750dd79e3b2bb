from . import core, delivery, publishing, tutorials
from .client import KOMBU

# Importing them registers their scenarios.
__all__ = ["core", "delivery", "publishing", "tutorials"]

KOMBU.main()
