"""The scenarios, by subject."""

from . import tutorials

LOADED = (tutorials,)
