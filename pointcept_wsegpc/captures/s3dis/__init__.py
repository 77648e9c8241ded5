"""S3DIS's rooms with the images of 2D-3D-Semantics."""

from . import scene  # noqa: F401  registers the capture
