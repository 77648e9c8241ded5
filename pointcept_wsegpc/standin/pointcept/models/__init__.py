"""Segmentors; backbones come from plugins."""

from .builder import MODELS as MODELS
from .builder import build_model as build_model
from .default import DefaultSegmentor as DefaultSegmentor
