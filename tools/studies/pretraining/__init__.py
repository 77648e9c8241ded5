"""Pre-training of an image network on rendered images that are labelled by construction."""
