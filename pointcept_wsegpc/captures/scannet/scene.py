"""A raw ScanNet capture (capture.py) to a prepared scene (schema.py).

N points, V views, H x W pixels at the stored size.
"""

from dataclasses import asdict, dataclass

from ...clouds.normals import vertex_normals
from ...clouds.ply import read_mesh
from ...contracts.scene import link_points, staged, store_points
from ...contracts.tags import derive_tags
from ...files import write_json
from ..frames import store_views
from ..view_labels import LabelRenderer
from .classes import TABLE
from .frames import FrameReader
from .labels import LabelImages, LabelMap, read_point_labels
from .sens import SensReader

LABELS = TABLE.label_file


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


def prepare_scene(capture, settings):
    """Write one prepared scene and return its manifest.

    Raises ValueError or OSError, in one line, where the capture cannot be used.
    """
    TABLE.write(capture.root)
    with staged(capture) as folder:
        points = _store_points(capture, folder)
        manifest = {
            "source": {
                "capture": str(capture.folder),
                "points": str(capture.pointcept or capture.mesh),
            },
            "settings": asdict(settings),
            "num_points": len(points["coord"]),
            "tags": derive_tags(points.get(LABELS), TABLE.names, settings.min_tag_points),
            **_store_views(capture, settings, points, folder),
        }
        write_json(folder / "manifest.json", manifest)
    return manifest


# ---------------------------------------------------------------------------------- points


def points_from_mesh(capture):
    """Point arrays of a capture by name; a test scene has no labels."""
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
        store_points(folder, points)
        return points
    return link_points(capture.pointcept, folder)


# ----------------------------------------------------------------------------------- views


def _store_views(capture, settings, points, folder):
    """Write the images and views.npz; returns the manifest's entries about them."""
    with SensReader(capture.sens) as reader:
        frames = FrameReader(reader, settings.stride, settings.size)
        entries = store_views(
            folder, frames, _label_source(capture, points), capture.axis_alignment()
        )
    if not entries["num_views"]:
        raise ValueError(f"{capture.sens} has no valid frame ({frames.log}); left out")
    return entries


def _label_source(capture, points):
    """Where the views' label images come from; None where there are no labels at all."""
    if capture.label_images:
        return LabelImages(capture.label_images, LabelMap.read(capture.label_map))
    if LABELS in points:
        return LabelRenderer(points["coord"], points[LABELS])
    return None
