"""A user's own scans: a cloud, photographs with poses, tags."""

from . import scene  # noqa: F401  registers the capture
