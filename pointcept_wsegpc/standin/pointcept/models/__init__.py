from . import default as default
from .builder import build_model as build_model
