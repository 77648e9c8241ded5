"""Losses that a configuration names under ``criteria``."""

from .builder import LOSSES, build_criteria
from .misc import CrossEntropyLoss

__all__ = ["LOSSES", "CrossEntropyLoss", "build_criteria"]
