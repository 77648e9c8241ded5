"""Hooks of the trainer."""

from . import misc as misc
from .builder import HOOKS as HOOKS
from .builder import build_hooks as build_hooks
from .default import HookBase as HookBase
