"""Data that others prepared, converted into prepared scenes."""

from . import scene  # noqa: F401  registers the captures
