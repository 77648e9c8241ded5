"""Many scenes on many workers."""
