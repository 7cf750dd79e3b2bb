from . import delivery, publishing, tutorials
from .client import KOMBU

# Importing them registers their scenarios.
__all__ = ["delivery", "publishing", "tutorials"]

KOMBU.main()
