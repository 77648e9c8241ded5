"""Users' scans: a folder per scene, in whatever format it was taken.

    RAW/SCENE/         one cloud or mesh (clouds/) · images and their poses (poses/) · optional
                       depth images, axis_alignment.txt (4x4, world to a frame along the walls),
                       scene.json (settings of this scan alone, settings.py)
    RAW/tags.csv       or tags.json (tags.py) · optional classes.txt, one name a line
    RAW/val.txt        and test.txt, train.txt: names of scenes; a scene in none is for training

N points as scanned, M prepared points. A prepared scene has, besides what others have, inverse.npy
(N,) int32: the prepared point of every scanned one, -1 = none.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...camera.zbuffer import MeshRenderer, PointRenderer
from ...clouds.read import find_cloud, read_cloud
from ...clouds.spacing import reach_of_points
from ..base import BYTES_PER_POINT, CAPTURES, Capture, Scene, some
from ..numbers import read_matrix
from .fit import TRIAL_VIEWS, check_fit, photos_fit_better
from .frames import folder_frames
from .fuse import fused_cloud
from .layout import find, list_depth, list_photos
from .poses import read_trajectory
from .raw import check_sources, coarse, follow_splits, left_behind, list_scenes, report
from .settings import FolderSettings, own_settings
from .tags import read_own_tags, write_tags
from .template import write_template
from .world import MAX_STEP, World, coordinate_step, prepared_points, without_strays

logger = logging.getLogger(__name__)

FUSED_POINTS = 100_000  # of a room, at 2 cm


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
        check_sources(captures)
        lines = []
        if moved := follow_splits(captures):
            lines.append(f"{len(moved)} prepared scenes moved to their new split: {some(moved)}")
        if gone := left_behind(captures):
            lines.append(
                f"{len(gone)} prepared scenes have no folder any more: {some(gone)}; delete "
                f"them from {root}: without tags stage one refuses them"
            )
        return lines + write_tags(root, captures, table, tags)

    def own_settings(self, settings):
        return own_settings(self.folder, settings)

    def num_views(self, settings):
        return -(-len(list_photos(self.folder)) // settings.stride)

    def num_points(self):
        # Stored arrays take about as much as the file.
        try:
            return self.cloud.stat().st_size // BYTES_PER_POINT
        except FileNotFoundError:
            if not list_depth(self.folder):
                raise
            return FUSED_POINTS

    def read(self, settings):
        """Cloud to points, images with poses to views; without images a scene for 3D alone."""
        convention, trajectory = read_trajectory(
            self.folder, settings.pose_format, not settings.allow_few_images
        )
        trajectory.shots = {
            image: replace(shot, camera_to_world=settings.mended(shot.camera_to_world))
            for image, shot in trajectory.shots.items()
        }
        try:
            path, fused = self.cloud, None
        except FileNotFoundError as error:
            path, (cloud, fused) = None, fused_cloud(self.folder, trajectory, settings, error)
        cloud = _turned(read_cloud(path), settings.axes) if path else cloud
        cloud, strays = without_strays(cloud, settings.scale)
        step = settings.scale * coordinate_step(cloud.coord)
        if step > MAX_STEP:
            raise ValueError(f"{path or self.folder}: {coarse(step)}")
        world = World.of(cloud.coord, settings.scale, settings.up)
        points, inverse, estimated = prepared_points(cloud, world, settings.spacing)
        renderer = _renderer(cloud, world, points) if trajectory.images else None
        frames, undone = _frames(trajectory, world, settings, renderer, points)

        def finish(views):
            fit = check_fit(self.folder, frames, points, world)
            return {**frames.about(self.folder), "fused": fused, "fit": fit}

        return Scene(
            points,
            frames,
            axis_alignment=self._alignment(world),
            source={"capture": str(self.folder), "points": path and str(path)},
            about={
                "num_scanned": len(inverse),
                **strays,
                "coordinate_step": step,
                "extent": float(np.ptp(points["coord"], axis=0).max()),
                "origin": world.origin.tolist(),
                "colored": cloud.color is not None,
                "estimated_normals": int(estimated.sum()),
                "poses": convention,
                "undone": undone,
            },
            estimated=estimated,
            extra={"inverse": inverse} if path else {},  # of a fused cloud there is no file
            finish=finish,
        )

    def _alignment(self, world):
        """World-to-gravity (4, 4) as axis_alignment.txt says; identity without that file."""
        path = next(iter(find(self.folder, "axis_alignment.txt")), None)
        if path is None:
            return np.eye(4)
        given = read_matrix(path)
        if not abs(np.linalg.det(given[:3, :3]) - 1) < 0.05:
            raise ValueError(f"{path} is no rotation and shift; give 4x4 numbers, row by row")
        return world.alignment(given)


def _turned(cloud, axes):
    """The cloud in the frame of the poses; axes (3, 3), of a mirrored one its faces turn."""
    if (axes == np.eye(3)).all():
        return cloud
    face = cloud.face
    if face is not None and np.linalg.det(axes) < 0:
        face = face[:, ::-1]
    normal = None if cloud.normal is None else cloud.normal @ axes.T
    return replace(cloud, coord=cloud.coord @ axes.T, normal=normal, face=face)


def _frames(trajectory, world, settings, renderer, points):
    """The frames of a scan, and what was undone of the poses: where that fits clearly better."""

    def frames(before, stride=settings.stride):
        def place(pose):
            return world.pose(pose if before is None else before @ pose)

        chosen = replace(settings, stride=stride)
        return folder_frames(trajectory, place, chosen, settings.size, renderer)

    if trajectory.applied is not None:
        few = max(len(trajectory.images) // TRIAL_VIEWS, 1)
        before = np.linalg.inv(trajectory.applied)
        if photos_fit_better(frames(before, few), frames(None, few), points):
            return frames(before), "applied_transform"
    return frames(None), None


def _renderer(cloud, world, points):
    if cloud.face is not None:
        try:
            return MeshRenderer(world.points(cloud.coord), cloud.face)
        except ImportError:  # no ray caster here: the vertices do
            pass
    return PointRenderer(points["coord"], points["normal"], reach_of_points(points["coord"]))
