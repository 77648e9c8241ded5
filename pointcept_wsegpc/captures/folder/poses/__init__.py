"""Image poses in the conventions that scans come with: one file each; base.py has the registry."""

from . import arkit, colmap, nerfstudio, open3d, polycam, replica, scannet, tum  # noqa: F401
from .base import POSES, read_trajectory

__all__ = ["POSES", "read_trajectory"]
