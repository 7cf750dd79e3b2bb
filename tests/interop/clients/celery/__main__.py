from . import scenarios
from .client import CELERY

# Importing it registers its scenarios.
__all__ = ["scenarios"]

CELERY.main()
