"""Segmentors; backbones come from plugins."""

from .builder import MODELS, build_model
from .default import DefaultSegmentor, DefaultSegmentorV2

__all__ = ["MODELS", "DefaultSegmentor", "DefaultSegmentorV2", "build_model"]
