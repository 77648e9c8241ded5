"""ScanNet v2 as it is downloaded: `.sens` streams, labelled meshes."""

from . import scene  # noqa: F401  registers the capture
