"""A scene of another layout (layouts.py) to a prepared scene (schema.py).

N points, V views, H x W pixels at the stored size.
"""

from dataclasses import asdict, dataclass

import numpy as np

from ...clouds.normals import estimate_normals, orient_normals, vertex_normals
from ...clouds.ply import read_mesh
from ...contracts.scene import link_points, staged, store_points
from ...contracts.tags import derive_tags
from ...contracts.views import read_views, write_view_image
from ...files import write_array, write_json
from ..frames import FrameLog, store_views
from ..scannet.classes import TABLE
from ..scannet.raw import axis_alignment
from ..view_labels import LabelRenderer
from .arrays import read_dictionary, read_superpoints, read_tuple
from .correspondence import CorrespondenceFrames
from .image_folders import ImageFolderFrames, LabelFolder, read_view_regions

LABELS = TABLE.label_file
POINT_READERS = {"wsegpc": read_dictionary, "openscene": read_tuple}


@dataclass(frozen=True)
class Settings:
    """What decides the content of a converted scene; other values mean converting it again."""

    every: int = 20  # frames whose number is a multiple; of Concerto's images every so-manieth
    height: int = 240  # px, stored size
    width: int = 320
    min_tag_points: int = 1  # labelled points that make a class a tag of the scene
    regions: bool = True  # take the regions that the layout has
    depth_scale: float = 1000.0  # values of a depth image in a metre

    @property
    def size(self):
        return (self.height, self.width)


class NoFrames(list):
    """The frames of a scene without images."""

    def __init__(self, size):
        super().__init__()
        self.size, self.log = size, FrameLog()


def convert_scene(capture, settings):
    """Write one prepared scene and return its manifest.

    A scene without any valid frame is kept for 3D. Raises ValueError or OSError, in one line,
    where the points cannot be used.
    """
    TABLE.write(capture.root)
    with staged(capture) as folder:
        points, normals = _store_points(capture, folder)
        frames, entries = _store_views(capture, settings, points, folder)
        if normals == "estimated":
            write_array(folder / "normal.npy", _towards_cameras(folder, points))
        cameras = getattr(frames, "cameras", None)
        manifest = {
            "source": {
                "format": capture.format,
                "points": str(capture.points),
                "images": str(capture.images) if capture.images else None,
            },
            "settings": asdict(settings),
            "num_points": len(points["coord"]),
            "normals": normals,
            "intrinsics": cameras.source if cameras else None,
            "tags": derive_tags(points.get(LABELS), TABLE.names, settings.min_tag_points),
            **entries,
            "regions": _store_regions(capture, settings, points, folder, entries),
        }
        write_json(folder / "manifest.json", manifest)
    return manifest


# ---------------------------------------------------------------------------------- points


def _store_points(capture, folder):
    """Put the point arrays into the folder; returns them, and where the normals are from."""
    if capture.format == "concerto":
        return link_points(capture.points, folder), "given"
    points, normals = POINT_READERS[capture.format](capture.points), "given"
    if "normal" not in points:
        points["normal"], normals = _normals(capture, points["coord"])
    store_points(folder, points)
    return points, normals


def _normals(capture, coord):
    """Normals (N, 3) of the mesh beside the file, where it is there; else estimates."""
    mesh = capture.points.with_name(f"{capture.name}_vh_clean_2.ply")
    if mesh.is_file():
        vertex, _, face = read_mesh(mesh)
        if len(vertex) == len(coord):
            return vertex_normals(vertex, face), "mesh"
    return estimate_normals(coord), "estimated"


def _towards_cameras(folder, points):
    """Estimated normals (N, 3), turned to where the scene was seen from."""
    cameras = np.linalg.inv(read_views(folder).world_to_camera)[:, :3, 3]
    return orient_normals(points["coord"], points["normal"], cameras)


# ----------------------------------------------------------------------------------- views


def _store_views(capture, settings, points, folder):
    """Write the images and views.npz; returns the frames and the manifest's entries."""
    if capture.images is None:
        frames = NoFrames(settings.size)
        return frames, store_views(folder, frames)
    if capture.format == "concerto":
        args = (capture.images, points["coord"], settings.every, settings.size)
        frames = CorrespondenceFrames(*args)
        entries = store_views(folder, frames, _labels(capture, points))
        stored = read_views(folder).frame.tolist() if entries["num_views"] else []
        return frames, {**entries, "rendered_depth": {"from": "correspondence", "views": stored}}
    args = (capture.images, settings.every, settings.size, settings.depth_scale)
    frames = ImageFolderFrames(*args)
    align = axis_alignment(capture.images)
    return frames, store_views(folder, frames, _labels(capture, points), align)


def _labels(capture, points):
    """Where the views' label images come from; None where there are no labels at all."""
    if capture.format != "concerto" and (capture.images / "label").is_dir():
        return LabelFolder(capture.images)
    if LABELS in points:
        return LabelRenderer(points["coord"], points[LABELS])
    return None


def _store_regions(capture, settings, points, folder, entries):
    """Write the layout's regions of points and views; returns what was written, by name."""
    stored = {"points": False, "views": 0}
    if not settings.regions:
        return stored
    if capture.regions is not None:
        region = read_superpoints(capture.regions, len(points["coord"]))
        write_array(folder / "region.npy", region)
        stored["points"] = True
    if capture.images is None or capture.format == "concerto" or not entries["num_views"]:
        return stored
    for frame in read_views(folder).frame:
        region = read_view_regions(capture.images, int(frame), settings.size)
        if region is not None:
            write_view_image(folder, frame, "region", region)
            stored["views"] += 1
    return stored
