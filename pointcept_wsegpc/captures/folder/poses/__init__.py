"""Image poses in the conventions that scans come with: one file each; base.py has the registry."""

from . import arkit, colmap, nerfstudio, open3d, scannet, tum  # noqa: F401  each registers itself
from .base import POSES, STREAM_FOLDERS, image_folder, list_images, read_trajectory

__all__ = ["POSES", "STREAM_FOLDERS", "image_folder", "list_images", "read_trajectory"]
