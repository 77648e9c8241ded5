"""Points and meshes, from and to files, and what is computed on them alone."""

from . import pcd, ply, read  # they register the formats that they read

__all__ = ["pcd", "ply", "read"]
