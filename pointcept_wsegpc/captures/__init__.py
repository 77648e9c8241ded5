"""Raw captures to prepared scenes: a folder for each kind, base.py for what they share."""

from . import converted, folder, s3dis, scannet  # noqa: F401  each registers its captures
