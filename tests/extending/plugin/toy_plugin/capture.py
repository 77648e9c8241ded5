"""A data set: RAW/<split>/<drive>/<scan>.npz, of 37 classes and without colors of the points."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointcept_wsegpc.captures.base import CAPTURES, Capture, LabeledSettings, Scene
from pointcept_wsegpc.captures.frames import make_view
from pointcept_wsegpc.contracts.classes import ClassTable

NAMES = ("floor", "wall", *(f"thing {number}" for number in range(2, 37)))


@CAPTURES.register("toy")
@dataclass(frozen=True)
class ToyCapture(Capture):
    path: Path

    settings = LabeledSettings
    layout = "<split>/<drive>/<scan>.npz"
    classes = ClassTable(NAMES, label_file="semantic", ignore=(255,))

    @classmethod
    def find(cls, raw, root, settings):
        return [
            cls(f"{path.parent.name}/{path.stem}", path.parts[-3], root, path)
            for path in sorted(raw.glob("*/*/*.npz"))
        ]

    def read(self, settings):
        raw = np.load(self.path)
        images = zip(raw["image"], raw["depth"], raw["camera_to_world"], strict=True)
        views = (
            make_view(frame, image, depth, raw["intrinsic"], pose, settings.size)
            for frame, (image, depth, pose) in enumerate(images)
        )
        return Scene({"coord": raw["coord"], "semantic": raw["label"]}, views)
