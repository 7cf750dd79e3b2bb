from . import core, delivery, tutorials
from .client import TOOLS

# Importing them registers their scenarios.
__all__ = ["core", "delivery", "tutorials"]

TOOLS.main()
