"""The on-disk contracts: prepared scene, views, regions, tags.

Every file that one stage writes and another reads goes through this module, and every write is
atomic (files.py). Shapes: N points, V views of H x W pixels, C classes.

    <root>/<split>/<scene>/  coord.npy (N, 3) float32 m · color.npy (N, 3) uint8
                             normal.npy (N, 3) float32 · optional segment*.npy
                             region.npy (N,) int32 · of own scans inverse.npy (scans/folder.py)
      views/                 NNNNNN.jpg · NNNNNN.depth.png (mm)
                             NNNNNN.region.png · NNNNNN.label.png (uint16, 65535 = none)
      views.npz              frame (V,) · intrinsic (V, 3, 3) · world_to_camera (V, 4, 4)
                             size (2,) as (H, W) · axis_alignment (4, 4)
      manifest.json          source, settings, counts; written last: it marks a finished scene
    <root>/scene_tags.json   {scene: [class names]} · of own scans classes.txt, one a line

Pseudo-labels: contracts/label_store.py.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from .files import atomic_path, read_json, write_arrays, write_json
from .labels import IGNORE, IGNORE_PIXEL

TAGS_FILE = "scene_tags.json"
DEPTH_SCALE = 1000.0  # stored depth images hold millimetres
VIEW_SUFFIX = {
    "color": ".jpg",
    "depth": ".depth.png",
    "region": ".region.png",
    "label": ".label.png",
}
SCENE_LAYOUT = "<root>/<split>/<scene>/{coord,color,normal}.npy"


# ---------------------------------------------------------------------------------- scenes


def scene_dirs(root, split):
    """Sorted scene folders of one split, or of several; an empty data set is an error."""
    splits = [split] if isinstance(split, str) else list(split)
    root = Path(root).expanduser().resolve()
    scenes = sorted(p.parent for s in splits for p in root.glob(f"{s}/*/coord.npy"))
    if not scenes:
        raise FileNotFoundError(
            f"no scene of split {'/'.join(splits)} in {root}; expected {SCENE_LAYOUT}: "
            "check data_root, or prepare the data (tools/prepare_scannet.py)"
        )
    return scenes


def read_points(scene, keys=("coord", "color", "normal")):
    """Named point arrays of a scene folder; all must have one length."""
    arrays = {}
    for key in keys:
        path = Path(scene) / f"{key}.npy"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; a prepared scene holds {SCENE_LAYOUT}")
        arrays[key] = np.load(path)
    lengths = {key: len(array) for key, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{scene}: arrays differ in length: {lengths}; prepare this scene again")
    return arrays


def read_region(scene, num_points):
    """Region ids (N,) int32 of a scene, -1 = unassigned."""
    path = Path(scene) / "region.npy"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; write it with tools/extract_regions.py")
    region = np.load(path).reshape(-1)
    if len(region) != num_points:
        raise ValueError(
            f"{path} has {len(region)} ids, the scene {num_points} points; "
            "run tools/extract_regions.py again for it"
        )
    return region


# ----------------------------------------------------------------------------------- views


@dataclass
class Views:
    """The posed views of one scene; pixel centres at integers, all views of one size."""

    frame: np.ndarray  # (V,) int64, number of the frame in the capture; names the files
    intrinsic: np.ndarray  # (V, 3, 3) float64 px, at the stored size
    world_to_camera: np.ndarray  # (V, 4, 4) float64
    size: tuple  # (H, W)
    axis_alignment: np.ndarray = field(default_factory=lambda: np.eye(4))  # (4, 4) world -> gravity

    def __len__(self):
        return len(self.frame)


def write_views(scene, views):
    write_arrays(
        Path(scene) / "views.npz",
        frame=np.asarray(views.frame, np.int64),
        intrinsic=np.asarray(views.intrinsic, np.float64).reshape(-1, 3, 3),
        world_to_camera=np.asarray(views.world_to_camera, np.float64).reshape(-1, 4, 4),
        size=np.asarray(views.size, np.int64),
        axis_alignment=np.asarray(views.axis_alignment, np.float64),
    )


def read_views(scene):
    path = Path(scene) / "views.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; prepare this scene with its images")
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files}
    arrays["size"] = tuple(int(s) for s in arrays["size"])
    return Views(**arrays)


def view_path(scene, frame, kind):
    return Path(scene) / "views" / f"{int(frame):06d}{VIEW_SUFFIX[kind]}"


def write_view_image(scene, frame, kind, image):
    """Store one image of a view: color (H, W, 3) uint8, depth (H, W) m, or ids (H, W).

    Depth that does not fit is stored as none. Raises ValueError for ids that do not fit.
    """
    options = {"quality": 92} if kind == "color" else {"compress_level": 3}
    if kind == "depth":
        millimetres = np.rint(np.asarray(image) * DEPTH_SCALE)
        image = np.where((millimetres > 0) & (millimetres < 65535), millimetres, 0).astype(
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


def read_view_image(scene, frame, kind, size=None):
    """Read one image of a view as `write_view_image` took it (depth float32 m, ids int32, -1 none).

    With size (H, W) given, an image of another size raises ValueError.
    """
    path = view_path(scene, frame, kind)
    if not path.is_file():
        tool = "extract_regions" if kind == "region" else "prepare_scannet"
        raise FileNotFoundError(f"{path} is missing; write it with tools/{tool}.py")
    with Image.open(path) as file:
        image = np.asarray(file)
    if size is not None and image.shape[:2] != tuple(size):
        raise ValueError(f"{path} is {image.shape[:2]}, views.npz says {tuple(size)} (H, W)")
    if kind == "color":
        return image
    if image.dtype == np.uint8:
        raise ValueError(f"{path} has 8 bits per pixel; expected 16")
    if kind == "depth":
        return image.astype(np.float32) / np.float32(DEPTH_SCALE)
    ids = image.astype(np.int32)
    return np.where(ids == IGNORE_PIXEL, IGNORE, ids)


# ------------------------------------------------------------------------------------ tags


def write_scene_tags(path, tags):
    write_json(path, {scene: list(names) for scene, names in sorted(tags.items())})


def read_scene_tags(path):
    """{scene: [class names]}; the only supervision that stage one may read."""
    path = Path(path).expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(
            f"tags file {path} is missing; expected JSON {{scene: [class names]}}, "
            "which tools/prepare_scannet.py derives from point labels where there are any"
        )
    tags = read_json(path)
    if not isinstance(tags, dict) or not all(isinstance(names, list) for names in tags.values()):
        raise ValueError(f"{path}: expected {{scene: [class names]}}, got another structure")
    return tags
