from . import advanced, core, scenarios
from .client import CELERY

# Importing them registers their scenarios.
__all__ = ["advanced", "core", "scenarios"]

CELERY.main()
