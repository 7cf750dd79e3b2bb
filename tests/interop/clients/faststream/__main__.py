from . import core, scenarios
from .client import FASTSTREAM

# Importing them registers their scenarios.
__all__ = ["core", "scenarios"]

FASTSTREAM.main()
