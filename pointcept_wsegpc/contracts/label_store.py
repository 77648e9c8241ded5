"""LabelStore: point labels of many scenes, in a folder that only this class writes.

    <store>/store.json             id, class table, provenance, scenes; coverage, quality
    <store>/<scene>.npz            label (N,) int16 · confidence (N,) float16
                                   of region voting also region (N,) int32 · region_probs (R, C)
                                   float16 · point_probs (P, C) float16
    <store>/metrics/<scene>.npz    confusion counts (C + 1, C + 1) by metric, with ground truth

store.json lists the scenes before the first of them is written, and every file names its store and
scene. So a killed export resumes, and a file that somebody else put there is never taken for one
of the store: nothing but files that name this store is ever overwritten or removed.
Shapes: N original points, R regions, P points outside any region, C classes.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from ..files import write_arrays, write_json
from ..files.arrays import read_arrays
from ..files.claims import claim
from .classes import IGNORE
from .label_files import (
    FORMAT,
    KINDS,
    METRICS,
    STORE_FILE,
    check_key,
    check_keys,
    checked_arrays,
    is_owned,
    owned_files,
    owner,
    read_manifest,
    without_links,
)

MIN_COVERAGE = 0.001  # share of the points below which labels are of no use
HINT = "write it with `wsegpc export-labels` or the WSegPCPseudoLabelExporter hook"

logger = logging.getLogger(__name__)


class LabelStore:
    """Writer and reader of one store. Make a new object and `open` it, or `load` what is there.

    Args: path, the folder; names, the class table; provenance, what the labels depend on (hash of
    the weights, settings, prior, round, ...), JSON-serializable.

    Of several processes one opens the store, with all scenes, before the others `load` it; then
    each writes scenes of its own, and one finishes the store. Runs that are to keep out of each
    other's way do so inside `writing()`.
    """

    def __init__(self, path: str | Path, names: Iterable[str], provenance: Mapping):
        self.path = Path(os.path.abspath(Path(path).expanduser()))  # symlinks are not resolved
        self.manifest = {
            "format": FORMAT,
            "id": uuid.uuid4().hex,
            "names": list(names),
            "provenance": json.loads(json.dumps(dict(provenance))),
            "scenes": [],
            "finished": False,
        }

    @classmethod
    def load(cls, path: str | Path) -> LabelStore:
        """The store in a folder, finished or not. Raises FileNotFoundError or ValueError."""
        store = cls(path, (), {})
        manifest = read_manifest(store.path)
        if manifest is None:
            raise FileNotFoundError(f"no pseudo-labels in {store.path}: no {STORE_FILE}; {HINT}")
        store.manifest = manifest
        return store

    @contextlib.contextmanager
    def writing(self) -> Iterator[LabelStore]:
        """Keep other runs from writing this store meanwhile; yields self.

        Of several processes of one run, the one that opens and finishes the store holds it. Raises
        Held where another run is at it.
        """
        path = Path(os.path.realpath(self.path))
        with claim(path.with_name(f".{path.name}.claim"), self.path):
            yield self

    def open(
        self,
        scenes: Iterable[str],
        replace: bool = False,
        log: Callable[[str], None] = logger.info,
    ) -> LabelStore:
        """Create the store, or resume one of the same provenance and class table; returns self.

        scenes: keys of all scenes to be written: paths relative to the data set, as `08/000123`.
        replace: remove the labels of another provenance, and say so by `log`.
        Raises ValueError for unsafe keys and other provenance, FileExistsError for a folder that
        holds anything else; then nothing has changed.
        """
        scenes = check_keys(scenes)
        found, owned, difference = self._found(replace)
        if difference:
            log(f"{self.path}: removing {len(owned)} files of other labels: {difference}")
            for path in owned:
                path.unlink()
        elif found:
            self.manifest["id"] = found["id"]
            kept = [key for key in found["scenes"] if self._file(key) in owned]
            scenes = check_keys(dict.fromkeys([*scenes, *kept]))
            if scenes == found["scenes"]:
                self.manifest = found
                return self
        self.manifest["scenes"] = scenes
        write_json(self.path / STORE_FILE, self.manifest)
        return self

    def write(
        self,
        scene: str,
        label: np.ndarray,
        confidence: np.ndarray,
        *,
        region: np.ndarray | None = None,
        region_probs: np.ndarray | None = None,
        point_probs: np.ndarray | None = None,
        metrics: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Write one scene: label (N,) with IGNORE = none, confidence (N,).

        region (N,), -1 = none, region_probs (R, C) and point_probs (P, C), of the points outside
        any region in their order, come together. metrics: confusion counts by name.
        """
        if scene not in self.manifest["scenes"]:
            raise ValueError(f"scene {scene} is not among those that {self.path} was opened for")
        voted = {"region": region, "region_probs": region_probs, "point_probs": point_probs}
        arrays = checked_arrays(scene, label, confidence, voted, len(self.manifest["names"]))
        metrics = dict(metrics or {})
        if metrics:
            self._write(self._file(scene, METRICS), scene, metrics)
        arrays["metrics"] = np.array(list(metrics), dtype=np.str_)
        self._write(self._file(scene), scene, arrays)  # last: it marks a finished scene

    def finish(self, quality: Mapping | None = None, about: Mapping | None = None) -> dict:
        """Mark the store as finished and return its manifest, with points and coverage.

        quality: of the labels, where ground truth exists, as the caller counted it; about: other
        facts. Both JSON-serializable.
        """
        if (read_manifest(self.path) or {}).get("id") != self.manifest["id"]:
            raise ValueError(f"{self.path} has become another store; run the export again")
        self._check_scenes(self.manifest["scenes"])
        points = labeled = 0
        for scene in self.manifest["scenes"]:
            label = self.read(scene)["label"]
            points, labeled = points + len(label), labeled + int((label != IGNORE).sum())
        self.manifest |= {
            "finished": True,
            "points": points,
            "coverage": labeled / max(points, 1),
            "quality": dict(quality or {}),
            "about": dict(about or {}),
        }
        write_json(self.path / STORE_FILE, self.manifest)
        return self.manifest

    def remove(self) -> None:
        """Remove the files of the store, and the folders that this leaves empty.

        Raises FileExistsError for a folder that holds anything else; then nothing has changed.
        """
        for path in (*self._owned(read_manifest(self.path)), self.path / STORE_FILE):
            path.unlink(missing_ok=True)
        for folder, _, _ in os.walk(self.path, topdown=False):
            with contextlib.suppress(OSError):  # a killed write left something
                os.rmdir(folder)

    def has(self, scene: str) -> bool:
        """Whether a scene is written, with its metrics if it has any."""
        if not self._owns(self._file(scene), scene):
            return False
        measured = len(self.read(scene, keys=("metrics",))["metrics"])
        return not measured or self._owns(self._file(scene, METRICS), scene)

    def read(
        self, scene: str, num_points: int | None = None, keys: Iterable[str] = ("label",)
    ) -> dict[str, np.ndarray]:
        """Arrays of one scene as `write` took them, those of `keys` that it has.

        Raises FileNotFoundError, or ValueError for a foreign file and where N is not num_points.
        """
        path = self._file(scene)
        if not path.is_file():
            raise FileNotFoundError(f"scene {scene}: no pseudo-label at {path}; {HINT}")
        if owner(path) != (self.manifest["id"], scene):
            raise ValueError(f"scene {scene}: {path} is not of this store; {HINT}")
        arrays = read_arrays(path, (), keys, "pseudo-labels", HINT, KINDS)
        lengths = {len(arrays[k]) for k in ("label", "confidence", "region") if k in arrays}
        if num_points is not None and lengths - {num_points}:
            raise ValueError(
                f"scene {scene}: expected {num_points} pseudo-labels, found {min(lengths)} in "
                f"{path}; {HINT}"
            )
        return arrays

    def metrics(self, scene: str) -> dict[str, np.ndarray]:
        """Confusion counts of a scene by metric, {} without ground truth; not for training."""
        names = self.read(scene, keys=("metrics",))["metrics"]
        if not len(names):
            return {}
        return read_arrays(self._file(scene, METRICS), map(str, names), do=HINT)

    def check(self, names: Iterable[str], scenes: Iterable[str] = ()) -> None:
        """Check once, before a training starts, that the store is finished, fits and holds labels.

        Raises ValueError or FileNotFoundError in one line.
        """
        if not self.manifest["finished"]:
            raise ValueError(f"{self.path} is not finished; run its export again")
        if self.manifest["names"] != list(names):
            raise ValueError(
                f"{self.path} has the classes {self.manifest['names']}, expected {list(names)}; "
                f"{HINT}"
            )
        self.check_coverage()
        self._check_scenes(list(scenes))

    def check_coverage(self) -> None:
        """Raise ValueError where a finished store holds next to no labels."""
        if self.manifest["coverage"] < MIN_COVERAGE:
            raise ValueError(
                f"{self.path} has labels at {100 * self.manifest['coverage']:.2g} % of the points; "
                f"expected at least {100 * MIN_COVERAGE:g} %: check the tags and the training that "
                "made them, and export again"
            )

    def check_free(self, replace: bool = False, unknown: Iterable[str] = ()) -> None:
        """Raise as `open` will for what is in the folder, before there is anything to write.

        unknown: entries of the provenance that only the labels' making will tell.
        """
        self._found(replace, unknown)

    def _found(self, replace, unknown=()):
        """The manifest in the folder, the store's own files, and what differs from this one."""
        found = read_manifest(self.path)
        owned, difference = self._owned(found), found and self._difference(found, unknown)
        if difference and not replace:
            raise ValueError(
                f"{self.path} holds other labels: {difference}; choose another folder, or have "
                "these replaced"
            )
        return found, owned, difference

    def _check_scenes(self, scenes):
        missing = [scene for scene in scenes if not self._file(scene).is_file()]
        if missing:
            raise FileNotFoundError(
                f"{len(missing)} of {len(scenes)} scenes have no pseudo-label in {self.path}, "
                f"{missing[0]} first; {HINT}"
            )

    def _file(self, scene, folder=""):
        return self.path / folder / f"{check_key(scene)}.npz"

    def _owns(self, path, scene):
        return is_owned(self.path, path, self.manifest["id"], scene)

    def _owned(self, found):
        """Files of the store that the manifest `found` describes; anything else is refused."""
        if found is None:
            return owned_files(self.path, None, {})
        expected = {self._file(key, part): key for key in found["scenes"] for part in ("", METRICS)}
        return owned_files(self.path, found["id"], expected)

    def _write(self, path, scene, arrays):
        taken = os.path.lexists(path) and not self._owns(path, scene)
        if taken or not without_links(self.path, path):
            raise FileExistsError(f"{path} is not of this label store; move it away")
        write_arrays(path, **{**arrays, "store": self.manifest["id"], "scene": scene})

    def _difference(self, found, unknown):
        """What differs from another manifest, both values named; "" where nothing does."""
        then, now = (
            {"names": manifest["names"], **manifest["provenance"]}
            for manifest in (found, self.manifest)
        )
        keys = [key for key in {**then, **now} if key not in unknown]
        differing = [key for key in keys if then.get(key) != now.get(key)]
        return ", ".join(f"{key} {then.get(key)!r}, now {now.get(key)!r}" for key in differing)
