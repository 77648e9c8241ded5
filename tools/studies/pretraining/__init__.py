"""Pre-training of an image network on rendered images that are labeled by construction."""
