"""2D predictions as priors: predictors, and their scores lifted to points."""

from . import stored
from .base import PREDICTORS, Predictor
from .lift import lift

__all__ = ["PREDICTORS", "Predictor", "lift", "stored"]
