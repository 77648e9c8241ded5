from . import misc as misc
from .builder import build_hooks as build_hooks
