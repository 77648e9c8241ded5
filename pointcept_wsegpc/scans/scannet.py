"""A raw ScanNet capture (capture.py) to a prepared scene (schema.py).

N points, V views, H x W pixels at the stored size.
"""

import contextlib
import os
import shutil
from dataclasses import asdict, dataclass

import numpy as np

from ..files import atomic_path, read_json, write_array, write_json
from ..labels import IGNORE, SCANNET20_NAMES
from ..schema import Views, read_points, write_view_image, write_views
from .frames import FrameReader
from .mesh import LabelMap, read_mesh, read_point_labels, vertex_normals
from .sens import SensReader
from .tags import derive_tags
from .view_labels import LabelImages, LabelRenderer

PARTIAL = ".partial"  # folder of the data root where scenes are made, unseen by readers


@dataclass(frozen=True)
class Settings:
    """What decides the content of a prepared scene; other values mean preparing it again."""

    stride: int = 20  # take frames 0, stride, 2 stride, …
    height: int = 240  # px, stored size
    width: int = 320
    min_tag_points: int = 1  # labelled points that make a class a tag of the scene
    points: str = "mesh"  # or "pointcept": the arrays of a preprocessed folder as they are

    @property
    def size(self):
        return (self.height, self.width)


def is_prepared(capture, settings):
    """Whether the scene is there, made with the same settings."""
    manifest = capture.target / "manifest.json"
    return manifest.is_file() and read_json(manifest).get("settings") == asdict(settings)


def prepare_scene(capture, settings):
    """Write one prepared scene and return its manifest.

    Raises ValueError or OSError, in one line, where the capture cannot be used.
    """
    with _staged(capture) as folder:
        points = _store_points(capture, folder)
        manifest = {
            "source": {
                "capture": str(capture.folder),
                "points": str(capture.pointcept or capture.mesh),
            },
            "settings": asdict(settings),
            "num_points": len(points["coord"]),
            "tags": derive_tags(points.get("segment20"), SCANNET20_NAMES, settings.min_tag_points),
            **_store_views(capture, settings, points, folder),
        }
        write_json(folder / "manifest.json", manifest)
    return manifest


@contextlib.contextmanager
def _staged(capture):
    """A folder out of sight that becomes the capture's scene whole, or vanishes on failure."""
    target = capture.target
    if target.exists() and not (target / "manifest.json").is_file():
        raise FileExistsError(f"{target} is no prepared scene (no manifest.json); move it away")
    folder = capture.root / PARTIAL / capture.split / capture.name
    outdated = folder.with_name(f"{folder.name}.outdated")
    for leftover in (folder, outdated):  # of a run that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.rename(outdated)
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(outdated, ignore_errors=True)


# ---------------------------------------------------------------------------------- points


def points_from_mesh(capture):
    """Point arrays of a capture by name; a test scene has no segment20 and no instance."""
    coord, color, face = read_mesh(capture.mesh)
    points = {"coord": coord, "color": color, "normal": vertex_normals(coord, face)}
    if capture.split == "test" and not capture.segments.is_file():
        return points
    label_map = LabelMap.read(capture.label_map)
    return points | read_point_labels(capture.segments, capture.aggregation, len(coord), label_map)


def _store_points(capture, folder):
    """Put the point arrays into the folder and return them by name."""
    if capture.pointcept is None:
        points = points_from_mesh(capture)
        for key, array in points.items():
            write_array(folder / f"{key}.npy", array)
        return points
    files = sorted(capture.pointcept.glob("*.npy"))
    keys = {"coord", "color", "normal", *(path.stem for path in files)}
    points = read_points(capture.pointcept, sorted(keys))
    for path in files:
        link_or_copy(path, folder / path.name)
    return points


def link_or_copy(source, target):
    """Make `target` a hard link to the file `source`; a copy where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)


# ----------------------------------------------------------------------------------- views


def _store_views(capture, settings, points, folder):
    """Write the images and views.npz; returns the manifest's entries about them."""
    labels = _label_source(capture, points)
    poses, unlabelled = {}, []
    with SensReader(capture.sens) as reader:
        frames = FrameReader(reader, settings.stride, settings.size)
        for view in frames:
            write_view_image(folder, view.frame, "color", view.color)
            write_view_image(folder, view.frame, "depth", view.depth)
            if labels:
                label = labels.read(view, frames)
                if label is None:
                    unlabelled.append(view.frame)
                    label = np.full(settings.size, IGNORE)
                write_view_image(folder, view.frame, "label", label)
            poses[view.frame] = view.world_to_camera
    if not poses:
        raise ValueError(f"{capture.sens} has no valid frame ({frames.log}); left out")
    write_views(
        folder,
        Views(
            frame=np.array(list(poses)),
            intrinsic=np.repeat(frames.intrinsic[None], len(poses), axis=0),
            world_to_camera=np.stack(list(poses.values())),
            size=settings.size,
            axis_alignment=capture.axis_alignment(),
        ),
    )
    return {
        "num_views": len(poses),
        "frames": asdict(frames.log),
        "view_labels": labels.kind if labels else None,
        "unlabelled": unlabelled,
    }


def _label_source(capture, points):
    """Where the views' label images come from; None where there are no labels at all."""
    if capture.label_images:
        return LabelImages(capture.label_images, LabelMap.read(capture.label_map))
    if "segment20" in points:
        return LabelRenderer(points["coord"], points["segment20"])
    return None
