"""ScanNet v2 as it is downloaded: `.sens` streams, labeled meshes."""

from . import scene  # noqa: F401  registers the capture
