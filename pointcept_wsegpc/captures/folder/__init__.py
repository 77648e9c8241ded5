"""Scans of one's own: a cloud, photographs with poses, tags."""

from . import scene  # noqa: F401  registers the capture
