"""Scans of one's own: a cloud, photographs with poses, tags."""
