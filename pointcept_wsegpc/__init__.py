"""Scene tags to point labels: weakly supervised point cloud segmentation for Pointcept."""

__version__ = "0.1.0"
