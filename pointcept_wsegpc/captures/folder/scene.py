"""Users' scans: a folder per scene, in whatever format it was taken.

    RAW/SCENE/         one cloud or mesh (clouds/) · images and their poses (poses/) · optional
                       depth images, axis_alignment.txt (4x4, world to a frame along the walls)
    RAW/tags.csv       or tags.json (tags.py) · optional classes.txt, one name a line
    RAW/val.txt        and test.txt, train.txt: names of scenes; a scene in none is for training

N points as scanned, M prepared points. A prepared scene has, besides what others have, inverse.npy
(N,) int32: the prepared point of every scanned one, -1 = none.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...camera.zbuffer import MeshRenderer, PointRenderer
from ...clouds.read import find_cloud, read_cloud
from ...clouds.spacing import reach_of_points
from ..base import BYTES_PER_POINT, CAPTURES, Capture, Scene, ViewSettings, setting, some
from ..frames import read_matrix
from .fit import check_fit
from .frames import FolderFrames
from .poses import POSES, STREAM_FOLDERS, image_folder, list_images, read_trajectory
from .raw import coarse, follow_splits, left_behind, list_scenes, report
from .tags import read_own_tags, write_tags
from .template import write_template
from .world import MAX_STEP, UP, World, coordinate_step, prepared_points, without_strays

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FolderSettings(ViewSettings):
    """Settings that determine a prepared scene; other values mean preparing it again."""

    spacing: float = setting(
        0.02,
        "meters between prepared points, 0: keep all; labels return to all points",
        minimum=0,
        metavar="M",
    )
    scale: float = setting(1.0, "meters in a unit of cloud and poses, 0.001: mm", above=0)
    up: str = setting("z", "the axis of the cloud that points up", choices=tuple(sorted(UP)))
    depth_scale: float = setting(
        0.0,
        "values of depth images in a meter; 0: as the pose format has it, most 1000, TUM 5000; "
        "floats are meters",
        minimum=0,
        metavar="N",
    )
    pose_format: str = setting(
        "auto", "convention of the poses", choices=lambda: ("auto", *POSES.names())
    )


@CAPTURES.register("scans")
@dataclass(frozen=True)
class FolderCapture(Capture):
    """One scan of the user's, and where its prepared scene goes."""

    folder: Path

    settings = FolderSettings
    layout = "a folder per scene with a cloud, images and poses (--template DIR writes an example)"
    template = staticmethod(write_template)
    report = staticmethod(report)

    @property
    def cloud(self) -> Path:
        """The file of the cloud; raises one line where there is none, or several."""
        return find_cloud(self.folder)

    @classmethod
    def find(cls, raw, root, settings):
        """Captures of all folders, each in the split whose list names it, else for training."""
        scenes, absent = list_scenes(raw)
        if absent:
            logger.warning("%d listed scenes have no folder: %s", len(absent), some(absent))
        return [cls(name, split, root, folder) for name, (split, folder) in scenes.items()]

    @classmethod
    def begin(cls, raw, root, captures):
        table, tags = read_own_tags(raw)
        lines = []
        if moved := follow_splits(captures):
            lines.append(f"{len(moved)} prepared scenes moved to their new split: {some(moved)}")
        if gone := left_behind(captures):
            lines.append(
                f"{len(gone)} prepared scenes have no folder any more: {some(gone)}; delete "
                f"them from {root}: without tags stage one refuses them"
            )
        return lines + write_tags(root, captures, table, tags)

    def num_views(self, settings):
        images = list_images(image_folder(self.folder, STREAM_FOLDERS))
        return -(-len(images) // settings.stride)

    def num_points(self):
        # Stored arrays take about as much as the file.
        return self.cloud.stat().st_size // BYTES_PER_POINT

    def read(self, settings):
        """Cloud to points, images with poses to views; without images a scene for 3D alone."""
        convention, trajectory = read_trajectory(self.folder, settings.pose_format)
        path = self.cloud
        cloud, strays = without_strays(read_cloud(path), settings.scale)
        step = settings.scale * coordinate_step(cloud.coord)
        if step > MAX_STEP:
            raise ValueError(f"{path}: {coarse(step)}")
        world = World.of(cloud.coord, settings.scale, settings.up)
        points, inverse, estimated = prepared_points(cloud, world, settings.spacing)
        depth_scale = settings.depth_scale or trajectory.depth_scale
        renderer = _renderer(cloud, world, points) if trajectory.images else None
        size, stride = settings.size, settings.stride
        frames = FolderFrames(trajectory, world.pose, size, stride, depth_scale, renderer)

        def finish(views):
            if trajectory.images and not len(views):
                raise ValueError(f"{self.folder} has no usable image ({frames.log}); skipped")
            return {**frames.about(), "fit": check_fit(self.folder, frames, points)}

        return Scene(
            points,
            frames,
            axis_alignment=self._alignment(world),
            source={"capture": str(self.folder), "points": str(path)},
            about={
                "num_scanned": len(inverse),
                **strays,
                "coordinate_step": step,
                "extent": float(np.ptp(points["coord"], axis=0).max()),
                "origin": world.origin.tolist(),
                "colored": cloud.color is not None,
                "estimated_normals": int(estimated.sum()),
                "poses": convention,
            },
            estimated=estimated,
            extra={"inverse": inverse},
            finish=finish,
        )

    def _alignment(self, world):
        """World-to-gravity (4, 4) as axis_alignment.txt says; identity without that file."""
        path = self.folder / "axis_alignment.txt"
        if not path.is_file():
            return np.eye(4)
        given = read_matrix(path)
        if not abs(np.linalg.det(given[:3, :3]) - 1) < 0.05:
            raise ValueError(f"{path} is no rotation and shift; give 4x4 numbers, row by row")
        return world.alignment(given)


def _renderer(cloud, world, points):
    if cloud.face is not None:
        try:
            return MeshRenderer(world.points(cloud.coord), cloud.face)
        except ImportError:  # no ray caster here: the vertices do
            pass
    return PointRenderer(points["coord"], points["normal"], reach_of_points(points["coord"]))
