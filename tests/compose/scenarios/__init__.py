"""The scenarios, by subject."""

from . import boot, limits, lives, network, operator, tls, tutorials

LOADED = (tutorials, lives, boot, network, tls, operator, limits)
