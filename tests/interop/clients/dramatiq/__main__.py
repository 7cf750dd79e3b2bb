from . import core, scenarios
from .client import DRAMATIQ

# Importing them registers their scenarios.
__all__ = ["core", "scenarios"]

DRAMATIQ.main()
