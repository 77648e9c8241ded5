"""Frames of Pointcept's Concerto image folders: depth from its table of points and pixels.

    images/SPLIT/SCENE/color/F.png · pose/F.npy (4x4, camera to world)
                       intrinsic/intrinsic.npy or F.npy (color camera)
                       correspondence/F.npy (M, 3): column, row, point; one row of -1: none
    SPLIT/SCENE/coord.npy …

The layout has no depth that belongs to the color camera, but the table says which point a pixel
sees, by ray casting on the mesh: that point's depth is the pixel's. N points, M pairs, H x W pixels
at the stored size; pixel centers at integers.
"""

from pathlib import Path

import numpy as np

from ... import camera
from ...camera.resample import resample_color
from ...files.arrays import read_array
from ..frames import BadFrame, Frames, View, image_numbers, invert_pose
from ..images import read_color


class CorrespondenceFrames(Frames):
    """Good frames of a Concerto image folder, every `every`-th; the bad are in `log`.

    coord (N, 3) m: the points that the tables number. `size` (H, W).
    """

    def __init__(self, folder, coord, every, size):
        super().__init__(size)
        self.folder, self.coord = Path(folder), coord
        if not (self.folder / "color").is_dir() and any(self.folder.glob("*/color")):
            raise ValueError(
                f"{self.folder} has a folder per camera (S3DIS); convert that with "
                "wsegpc prepare s3dis from 2D-3D-Semantics"
            )
        images = sorted((self.folder / "color").glob("*.*"))
        numbers = image_numbers([path.stem for path in images])
        self.items = sorted(zip(numbers, images, strict=True))[::every]

    def name(self, item):
        return item[0]

    def read(self, item):
        number, path = item
        world_to_camera = invert_pose(self._array("pose", path.stem, ((4, 4),)))
        color = read_color(path)
        native = color.shape[:2]
        intrinsic = self._intrinsic(path.stem)
        pairs = self._array("correspondence", path.stem)
        depth = depth_of_pairs(pairs, self.coord, intrinsic, world_to_camera, native, self.size)
        if not depth.any():
            raise BadFrame("no correspondence")
        stored = camera.resize_intrinsic(intrinsic, native, self.size)
        color = resample_color(color, intrinsic, stored, self.size)
        return View(number, color, depth, stored, world_to_camera)

    def _intrinsic(self, stem):
        for name in (stem, "intrinsic"):
            if (self.folder / "intrinsic" / f"{name}.npy").is_file():
                matrix = self._array("intrinsic", name, ((3, 3), (4, 4)))[:3, :3]
                if not np.isfinite(matrix).all() or min(matrix[0, 0], matrix[1, 1]) <= 0:
                    raise BadFrame("impossible intrinsic")
                return matrix.astype(np.float64)
        raise BadFrame("no intrinsic")

    def _array(self, kind, stem, shapes=None):
        """Numbers of one file; BadFrame for another shape than one of `shapes`, None = any."""
        path = self.folder / kind / f"{stem}.npy"
        try:
            array = read_array(path)
        except FileNotFoundError as error:
            raise BadFrame(f"no {kind} file") from error
        except (ValueError, OSError) as error:
            raise BadFrame(f"unreadable {kind} file") from error
        if shapes is not None and array.shape not in shapes:
            raise BadFrame(f"{kind} of another shape")
        return array


def depth_of_pairs(pairs, coord, intrinsic, world_to_camera, native, size):
    """Depth (H, W) float32 m at `size` from pairs (M, 3) of column, row (at `native`) and point.

    Of the pairs in a stored pixel the one nearest to its center counts; 0 where there is none.
    BadFrame for a table that does not fit the points or the image.
    """
    depth = np.zeros(size, np.float32)
    if pairs.ndim != 2 or pairs.shape[1] != 3:
        raise BadFrame("correspondence of another shape")
    pairs = pairs[(pairs >= 0).all(axis=1)]
    if not len(pairs):
        return depth
    column, row, point = pairs.T
    point = point.astype(np.int64)
    if point.max() >= len(coord) or column.max() >= native[1] or row.max() >= native[0]:
        raise BadFrame("correspondence of another cloud or image")
    _, z = camera.project(coord[point], intrinsic, world_to_camera)
    exact = [(row + 0.5) * size[0] / native[0] - 0.5, (column + 0.5) * size[1] / native[1] - 0.5]
    cell = [np.rint(value).astype(np.int64) for value in exact]
    off_center = sum((value - whole) ** 2 for value, whole in zip(exact, cell, strict=True))
    usable = z > 0
    order = np.argsort(-off_center[usable], kind="stable")  # the last one written is the nearest
    depth[cell[0][usable][order], cell[1][usable][order]] = z[usable][order]
    return depth
