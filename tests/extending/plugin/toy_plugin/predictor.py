"""A 2D predictor: the class whose usual color is nearest to that of the pixel."""

import json
from pathlib import Path

import numpy as np

from pointcept_wsegpc.priors.base import PREDICTORS


@PREDICTORS.register("palette")
class Palette:
    """path: a JSON file {class: [R, G, B]}; sharpness: of the scores."""

    def __init__(self, path, sharpness=20.0):
        palette = json.loads(Path(path).read_text())
        self.names, self.colors = tuple(palette), np.array(list(palette.values()))
        self.sharpness = sharpness

    def scores(self, scene, frame, image):
        distance = np.linalg.norm(self.colors[:, None, None] - image, axis=-1) / 255
        scores = np.exp(-self.sharpness * distance)
        return scores / scores.sum(0)
