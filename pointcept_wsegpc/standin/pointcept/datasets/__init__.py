from . import defaults as defaults
from .builder import build_dataset as build_dataset
from .utils import collate_fn as collate_fn
from .utils import point_collate_fn as point_collate_fn
