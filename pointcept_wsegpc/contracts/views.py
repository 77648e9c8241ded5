"""The posed views of a prepared scene: cameras, and color, depth, region and label images.

Shapes: V views of H x W pixels, each of its own size. Pixel centers are at integer coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ..files import atomic_path, write_arrays
from ..files.arrays import read_arrays, reading
from .classes import IGNORE, IGNORE_PIXEL

DEPTH_SCALE = 1000.0  # stored depth images hold millimeters
KEYS = ("frame", "intrinsic", "world_to_camera", "size")
AGAIN = "prepare this scene again"
VIEW_SUFFIX = {
    "color": ".jpg",
    "depth": ".depth.png",
    "region": ".region.png",
    "label": ".label.png",
}


@dataclass
class Views:
    """The posed views of one scene; pixel centers at integers.

    size may be given as one (H, W) of all views.
    """

    frame: np.ndarray  # (V,) int64, number of the frame in the capture; names the files
    intrinsic: np.ndarray  # (V, 3, 3) float64 px, at the stored size
    world_to_camera: np.ndarray  # (V, 4, 4) float64
    size: np.ndarray  # (V, 2) int64, (H, W) of each view
    axis_alignment: np.ndarray = field(default_factory=lambda: np.eye(4))  # (4, 4) world -> gravity

    def __post_init__(self):
        size = np.asarray(self.size, np.int64).reshape(-1, 2)
        self.size = np.broadcast_to(size, (len(self.frame), 2)).copy()

    def __len__(self) -> int:
        return len(self.frame)


def write_views(scene: str | Path, views: Views) -> None:
    """Write views.npz of a scene folder."""
    write_arrays(
        Path(scene) / "views.npz",
        frame=np.asarray(views.frame, np.int64),
        intrinsic=np.asarray(views.intrinsic, np.float64).reshape(-1, 3, 3),
        world_to_camera=np.asarray(views.world_to_camera, np.float64).reshape(-1, 4, 4),
        size=views.size,
        axis_alignment=np.asarray(views.axis_alignment, np.float64),
    )


def read_views(scene: str | Path) -> Views:
    """Read views.npz of a scene folder.

    Raises FileNotFoundError, or ValueError for a file that holds one size for all views.
    """
    path = Path(scene) / "views.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; prepare this scene with its images")
    arrays = read_arrays(path, KEYS, ("axis_alignment",), "the views of a scene", AGAIN)
    if arrays["size"].shape != (len(arrays["frame"]), 2):
        raise ValueError(
            f"{path} has a size of shape {arrays['size'].shape}, expected {len(arrays['frame'])} x "
            "(H, W), one per view; run `wsegpc upgrade DATA_ROOT`"
        )
    return Views(**arrays)


def view_path(scene: str | Path, frame: int, kind: str) -> Path:
    """File of one image of a view; kind: color, depth, region or label."""
    return Path(scene) / "views" / f"{int(frame):06d}{VIEW_SUFFIX[kind]}"


def write_view_image(scene: str | Path, frame: int, kind: str, image: np.ndarray) -> None:
    """Store one image of a view: color (H, W, 3) uint8, depth (H, W) m, or ids (H, W).

    Depth that does not fit is stored as none. Raises ValueError for ids that do not fit.
    """
    options = {"quality": 92} if kind == "color" else {"compress_level": 3}
    if kind == "depth":
        millimeters = np.rint(np.asarray(image) * DEPTH_SCALE)
        image = np.where((millimeters > 0) & (millimeters < 65535), millimeters, 0).astype(
            np.uint16
        )
    elif kind in ("region", "label"):
        ids = np.asarray(image).astype(np.int64)  # of int16, numpy would not take IGNORE_PIXEL
        if ids.max(initial=-1) >= IGNORE_PIXEL:
            raise ValueError(
                f"{kind} image of view {frame} has the id {ids.max()}; 16 bits hold up to "
                f"{IGNORE_PIXEL - 1}: make fewer and larger regions"
            )
        image = np.where(ids < 0, IGNORE_PIXEL, ids).astype(np.uint16)
    with atomic_path(view_path(scene, frame, kind)) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, **options)


def read_view_image(
    scene: str | Path, frame: int, kind: str, size: tuple[int, int] | np.ndarray | None = None
) -> np.ndarray:
    """Read one image of a view as `write_view_image` took it (depth float32 m, ids int32, -1 none).

    With size (H, W) given, an image of another size raises ValueError.
    """
    path = view_path(scene, frame, kind)
    if not path.is_file():
        tool = "regions" if kind == "region" else "prepare"
        raise FileNotFoundError(f"{path} is missing; write it with `wsegpc {tool}`")
    with reading(path, f"a {kind} image", AGAIN), Image.open(path) as file:
        image = np.asarray(file)
    if size is not None and image.shape[:2] != tuple(size):
        raise ValueError(
            f"{path} is {image.shape[:2]}, views.npz says {tuple(map(int, size))} (H, W)"
        )
    if kind == "color":
        return image
    if image.dtype == np.uint8:
        raise ValueError(f"{path} has 8 bits per pixel; expected 16")
    if kind == "depth":
        return image.astype(np.float32) / np.float32(DEPTH_SCALE)
    ids = image.astype(np.int32)
    return np.where(ids == IGNORE_PIXEL, IGNORE, ids)
