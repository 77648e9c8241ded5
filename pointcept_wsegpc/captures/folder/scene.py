"""Own scans to prepared scenes (schema.py): a folder per scene, in whatever format it was taken.

    RAW/SCENE/         one cloud or mesh (clouds.py) · images and their poses (poses/) · optional
                       depth images, axis_alignment.txt (4x4, world to a frame along the walls)
    RAW/tags.csv       or tags.json (own_tags.py) · optional classes.txt, one name a line,
                       or classes.json (contracts/classes.py)
    RAW/val.txt        and test.txt, train.txt: names of scenes; a scene in none is for training

N points as scanned, M prepared points. A prepared scene has, besides what schema.py lists,
inverse.npy (N,) int32: the prepared point of every scanned one, -1 = none.
"""

from dataclasses import asdict, dataclass

import numpy as np

from ...camera.zbuffer import MeshRenderer, PointRenderer
from ...clouds.normals import complete_normals, orient_normals, vertex_normals
from ...clouds.read import find_cloud, read_cloud
from ...clouds.spacing import reach_of_points
from ...clouds.voxels import thin
from ...contracts.scene import INVERSE, staged, store_points
from ...files import write_array, write_json
from ..frames import store_views
from .fit import check_fit
from .frames import FolderFrames
from .poses.base import matrix4, read_numbers
from .poses.detect import read_trajectory

FAR = 1000.0  # m from the origin, where float32 coordinates get coarse: the origin is moved
GREY = 127  # of points without colour
# The world's up axis, as the rows of a rotation into a world where it is z.
UP = {
    "z": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "y": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "x": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
    "-z": ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "-y": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "-x": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
}


@dataclass(frozen=True)
class Settings:
    """What decides the content of a prepared scene; other values mean preparing it again."""

    stride: int = 1  # take images 0, stride, 2 stride, …
    height: int = 240  # px, stored size
    width: int = 320
    spacing: float = 0.02  # m, of the prepared points; 0 keeps all
    scale: float = 1.0  # metres in a unit of the cloud and of the poses
    up: str = "z"  # the axis of the cloud that points up
    depth_scale: float = 0.0  # values of depth images in a metre; 0: as the convention has it
    poses: str = "auto"  # or the name of a convention

    @property
    def size(self):
        return (self.height, self.width)


@dataclass(frozen=True)
class World:
    """The way from the capture's world to the prepared scene's: metres, z up, near the origin."""

    scale: float
    rotation: np.ndarray  # (3, 3)
    origin: np.ndarray  # (3,) m, after scale and rotation, what becomes 0

    @classmethod
    def of(cls, coord, scale, up):
        """For the cloud (N, 3); the origin moves, by whole metres, only for a cloud far from it.

        A cloud in a wrong unit is large rather than far: it stays, so that one factor mends it.
        """
        rotation = np.array(UP[up], dtype=np.float64)
        low, placed, high = scale * np.quantile(
            coord[np.isfinite(coord).all(axis=1)], (0.01, 0.5, 0.99), axis=0
        )
        far = np.abs(placed).max() > max(FAR, (high - low).max())
        return cls(scale, rotation, np.rint(placed @ rotation.T) if far else np.zeros(3))

    def points(self, coord):
        return self.scale * (coord @ self.rotation.T) - self.origin

    def pose(self, camera_to_world):
        """The pose (4, 4) of a camera after the move; the camera itself does not grow."""
        moved = np.array(camera_to_world, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # a lost pose stays non-finite
            moved[:3, :3] = self.rotation @ moved[:3, :3]
            moved[:3, 3] = self.points(moved[:3, 3])
        return moved


# -------------------------------------------------------------------------------- one scene


def prepare_scan(capture, settings):
    """Write one prepared scene and return its manifest.

    A scan without images is prepared for 3D alone. Raises ValueError or OSError,
    in one line, where the scan cannot be used.
    """
    with staged(capture) as folder:
        cloud_path = find_cloud(capture.folder)
        convention, trajectory = read_trajectory(capture.folder, settings.poses)
        cloud = read_cloud(cloud_path)
        world = World.of(cloud.coord, settings.scale, settings.up)
        points, inverse, estimated = _points(cloud, world, settings.spacing)
        depth_scale = settings.depth_scale or trajectory.depth_scale
        renderer = _renderer(cloud, world, points) if trajectory.images else None
        frames = FolderFrames(
            trajectory, world.pose, settings.size, settings.stride, depth_scale, renderer
        )
        entries = store_views(folder, frames, axis_alignment=_alignment(capture, world))
        if trajectory.images and not entries["num_views"]:
            raise ValueError(f"{capture.folder} has no usable image ({frames.log}); left out")
        fit = check_fit(capture.folder, frames, points)
        points["normal"] = _faced(points, estimated, frames.places)
        store_points(folder, points)
        write_array(folder / INVERSE, inverse)
        manifest = {
            "source": {"capture": str(capture.folder), "points": str(cloud_path)},
            "settings": asdict(settings),
            "num_points": len(points["coord"]),
            "num_scanned": len(inverse),
            "extent": float(np.ptp(points["coord"], axis=0).max()),
            "origin": world.origin.tolist(),
            "colored": cloud.color is not None,
            "estimated_normals": int(estimated.sum()),
            "tags": None,  # own scans have no labels; RAW/tags.csv has the tags
            "poses": convention,
            **entries,
            **_about_views(frames, renderer),
            "fit": fit,
        }
        write_json(folder / "manifest.json", manifest)
    return manifest


def _points(cloud, world, spacing):
    """Prepared arrays, inverse (N,), and which normals are estimates (M,) bool."""
    coord = world.points(cloud.coord)
    index, inverse = thin(coord, spacing)
    coord = coord[index].astype(np.float32)
    color = np.full(coord.shape, GREY, np.uint8) if cloud.color is None else cloud.color[index]
    normal = cloud.normal
    if normal is None and cloud.face is not None:
        normal = vertex_normals(cloud.coord, cloud.face)
    if normal is not None:
        normal = normal[index] @ world.rotation.T
    normal, estimated = complete_normals(coord, normal)
    return {"coord": coord, "color": color, "normal": normal}, inverse, estimated


def _about_views(frames, renderer):
    """What the manifest says of the views besides `store_views`' entries."""
    return {
        "images": {str(number): name for number, name in frames.names.items()},
        "depth_scale": frames.depth_scale,
        "rendered_depth": {"from": renderer.kind, "views": frames.rendered} if renderer else None,
    }


def _renderer(cloud, world, points):
    if cloud.face is not None:
        try:
            return MeshRenderer(world.points(cloud.coord), cloud.face)
        except ImportError:  # no ray caster here: the vertices do
            pass
    return PointRenderer(points["coord"], points["normal"], reach_of_points(points["coord"]))


def _faced(points, estimated, cameras):
    """Normals (M, 3), estimates turned to the cameras."""
    faced = orient_normals(points["coord"], points["normal"], cameras)
    return np.where(estimated[:, None], faced, points["normal"])


def _alignment(capture, world):
    """World-to-gravity (4, 4) of the prepared world: as axis_alignment.txt says, or identity."""
    path = capture.folder / "axis_alignment.txt"
    if not path.is_file():
        return np.eye(4)
    given = matrix4(read_numbers(path), path)
    if not abs(np.linalg.det(given[:3, :3]) - 1) < 0.05:
        raise ValueError(f"{path} is no rotation and shift; give 4x4 numbers, row by row")
    # It leads from the capture's metres; the prepared world is turned and moved against that.
    back = np.eye(4)
    back[:3, :3], back[:3, 3] = world.rotation.T, world.rotation.T @ world.origin
    return given @ back
