"""What a capture is: raw data that captures/preparing.py turns into prepared scenes.

A new kind of capture only has to define `find` and `read`; everything else has a default:

    @CAPTURES.register("boxes")
    @dataclass(frozen=True)
    class BoxCapture(Capture):
        folder: Path

        @classmethod
        def find(cls, raw, root, settings):
            return [cls(path.name, "train", root, path) for path in sorted(raw.iterdir())]

        def read(self, settings):
            return Scene({"coord": np.load(self.folder / "coord.npy")}, views=[View(...), ...])

N points, V views, H x W pixels at the stored size.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..contracts.classes import ClassTable
from ..contracts.views import Views
from ..registry import Registry
from .frames import View

CAPTURES = Registry("capture")

# Approximate bytes stored per pixel (JPEG, depth, region, label) and per point (all arrays).
BYTES_PER_PIXEL = 2.0
BYTES_PER_POINT = 12 + 3 + 12 + 8 + 8 + 4


# ------------------------------------------------------------------------------- settings


def setting(default: Any, help: str, **metadata: Any) -> Any:
    """A field of a settings class, with all that a command needs to offer it as an option.

    metadata: `source` (True: says where raw data are or which to take; does not change a scene),
    `minimum`, `above` (bounds of a number), `choices` (values, {word: value}, or a function that
    returns them), `metavar`.
    """
    return field(default=default, metadata={"help": help, **metadata})


def choices_of(field) -> dict[str, Any] | None:
    """{word: value} of a setting that has choices, else None."""
    choices = field.metadata.get("choices")
    choices = choices() if callable(choices) else choices
    return choices if choices is None or isinstance(choices, dict) else {str(c): c for c in choices}


@dataclass(frozen=True)
class ViewSettings:
    """Settings that determine a prepared scene; other values mean preparing it again."""

    height: int = setting(240, "stored height of an image in pixels", minimum=1)
    width: int = setting(320, "stored width of an image in pixels", minimum=1)
    stride: int = setting(1, "take every N-th image", minimum=1, metavar="N")
    allow_few_images: bool = setting(
        False, "accept a capture of whose images hardly any can be used", source=True
    )

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)"""
        return (self.height, self.width)

    def __post_init__(self):
        for each in fields(self):
            _check(each, getattr(self, each.name))


@dataclass(frozen=True)
class LabeledSettings(ViewSettings):
    """Settings of scenes whose tags are derived from point labels."""

    min_tag_points: int = setting(
        1, "labeled points that make a class a tag of the scene", minimum=1, metavar="N"
    )


def _check(field, value):
    """Raise ValueError, in an option's words, for a value that a setting does not allow."""
    option, facts = f"--{field.name.replace('_', '-')}", field.metadata
    if (choices := choices_of(field)) is not None:
        for one in value if isinstance(value, tuple) else (value,):
            if one not in choices.values():
                raise ValueError(f"{option} {one}: expected one of {', '.join(choices)}")
    low, above = facts.get("minimum"), facts.get("above")
    if low is not None and not low <= value < math.inf:
        raise ValueError(f"{option} {value}: expected a number of at least {low}")
    if above is not None and not above < value < math.inf:
        raise ValueError(f"{option} {value}: expected a number above {above}")


# ------------------------------------------------------------------------- scenes, captures


@dataclass
class Scene:
    """One raw scene as it was read. Only the points are required.

    points: {name: (N, ...)}: coord float32 m; where there are any color uint8, normal float32,
        labels, instance. Normals that are missing are estimated.
    views: iterable of View at the settings' size, or Frames, which count bad frames. Read once.
    labels: label images of the views, see `store_views`; None: rendered from the points' labels.
    axis_alignment: world-to-gravity (4, 4), None = identity.
    source, about: entries of the manifest: where the scene is from, and other facts about it.
    linked: folder of .npy files which `points` were read from: they are hard-linked as they are.
    estimated: (N,) bool, normals that are estimates: they are turned to the cameras.
    extra: other arrays to store, {file name without .npy: array}, such as region.
    finish: called with the stored Views; returns further entries for the manifest, and raises
        ValueError where the views are of no use.
    """

    points: dict[str, np.ndarray]
    views: Iterable[View] = ()
    labels: Any = None
    axis_alignment: np.ndarray | None = None
    source: dict = field(default_factory=dict)
    about: dict = field(default_factory=dict)
    linked: Path | None = None
    estimated: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    finish: Callable[[Views], dict] | None = None


@dataclass(frozen=True)
class Capture:
    """One raw scene, and where its prepared scene goes: root/split/name.

    name: may have folders, 08/000123. Class attributes: `settings`, the class of its settings;
    `layout`, what `find` expects to see, for an error; `classes`, the table of its point labels,
    from which tags come, None: it has none; `template`, writes an example of raw data to a folder.
    """

    name: str
    split: str
    root: Path  # of the prepared data set

    settings: ClassVar[type[ViewSettings]] = ViewSettings
    layout: ClassVar[str] = "raw scenes"
    classes: ClassVar[ClassTable | None] = None
    template: ClassVar[Callable[[Path], Path] | None] = None

    @property
    def key(self) -> str:
        return f"{self.split}/{self.name}"

    @property
    def target(self) -> Path:
        return self.root / self.split / self.name

    @classmethod
    def find(cls, raw: Path, root: Path, settings: ViewSettings) -> list[Capture]:
        """All captures in the folder `raw`; what is missing of them is logged as a warning.

        root: of the prepared data set. All paths are absolute. May return none.
        """
        raise NotImplementedError

    def read(self, settings: ViewSettings) -> Scene:
        """The scene; ValueError or OSError, in one line, where it cannot be used."""
        raise NotImplementedError

    def own_settings(self, settings: ViewSettings) -> ViewSettings:
        """The settings of this scene: those given, but for what the raw scene says itself."""
        return settings

    def num_views(self, settings: ViewSettings) -> int:
        """Approximate number of views of the prepared scene, without reading images."""
        return 0

    def num_points(self) -> int:
        """Approximate number of points to be written, without reading them; 0 for hard links."""
        return 0

    @classmethod
    def begin(cls, raw: Path, root: Path, captures: list[Capture]) -> list[str]:
        """Write what the data root holds besides scenes, before the first; lines that say so."""
        return []

    @classmethod
    def report(cls, prepared: list[tuple[Capture, dict]]) -> list[str]:
        """Closing lines on captures and the manifests of their scenes, which are all there."""
        return report_frames(prepared)


def report_frames(prepared: list[tuple[Capture, dict]]) -> list[str]:
    """Lines on frames that were kept and skipped, and scenes without any."""
    manifests = {capture.name: manifest for capture, manifest in prepared}
    bad, first = Counter(), {}
    for scene, manifest in manifests.items():
        for reason, names in manifest["frames"]["bad"].items():
            bad[reason] += len(names)
            first.setdefault(reason, f"{scene}: {names[0]}")
    kept = sum(manifest["num_views"] for manifest in manifests.values())
    skipped = [f"{n} skipped: {why}, such as {first[why]}" for why, n in sorted(bad.items())]
    lines = [", ".join([f"{kept} frames kept", *skipped])]
    lines += ["  manifest.json of each scene names them"] * bool(bad)
    for name, manifest in manifests.items():
        if cut := manifest["frames"]["truncated"]:
            lines.append(f"  {name} is truncated: {cut} are there")
    if unlabeled := sum(len(manifest["unlabelled"]) for manifest in manifests.values()):
        lines.append(f"{unlabeled} frames have no readable label image; stored without labels")
    flat = [name for name, manifest in manifests.items() if not manifest["num_views"]]
    if flat:
        lines.append(f"{len(flat)} scenes have no view, so 3D alone: {some(flat)}")
    return lines


def some(names: list[str], most: int = 5) -> str:
    """The first few names, for a message."""
    return ", ".join(names[:most]) + ", …" * (len(names) > most)
