from . import delivery, tutorials
from .client import TOOLS

# Importing them registers their scenarios.
__all__ = ["delivery", "tutorials"]

TOOLS.main()
