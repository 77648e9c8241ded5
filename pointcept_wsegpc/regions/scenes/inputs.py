"""The inputs of a partition method, from a prepared scene and files beside it.

N points, F faces, V views of H x W pixels. What is damaged gets one line that names the file.
"""

from pathlib import Path

import numpy as np

from ...contracts.classes import ClassTable
from ...contracts.scene import read_points
from ...contracts.views import AGAIN, read_view_image, read_views, view_path
from ...files.arrays import reading

OPTIONAL = ("normal", "color")  # None where a scene has no such file


def read_inputs(
    scene: Path, needs: tuple[str, ...] = (), uses: tuple[str, ...] = ()
) -> dict[str, np.ndarray | None]:
    """Point arrays of a scene by name: coord, normal, color, and what a method needs and uses.

    normal and color are None where the scene has no such file; segment is there where the scene has
    labels. Raises ValueError where one that is needed is missing, and for arrays that do not fit.
    """
    names = [name for name in dict.fromkeys([*OPTIONAL, *needs, *uses]) if name != "segment"]
    there = ["coord", *[name for name in names if (scene / f"{name}.npy").is_file()]]
    points = {name: read_array(scene, name) for name in there}
    table = class_table(scene)
    if table and (scene / f"{table.label_file}.npy").is_file():
        points["segment"] = read_labels(scene, table)
    lengths = {name: len(array) for name, array in points.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{scene}: arrays differ in length: {lengths}; prepare this scene again")
    for name in needs:
        if name not in points:
            what = "labels" if name == "segment" else f"{name}.npy"
            raise ValueError(f"{scene} has no {what}, which its partition needs; choose another")
    return {**dict.fromkeys(OPTIONAL), **points}


def class_table(scene: Path) -> ClassTable | None:
    """Class table of the data root of a scene; None where there is none, nor any labels.

    FileNotFoundError, in one line, for a scene with labels in a data root without a table.
    """
    try:
        return ClassTable.of_scene(scene)
    except FileNotFoundError:
        if any(scene.glob("segment*.npy")) or any(scene.glob("views/*.label.png")):
            raise
        return None


def read_labels(scene: Path, table: ClassTable) -> np.ndarray:
    """Point labels (N,) int64 of a scene, IGNORE = none; stored as (N,) or (N, 1)."""
    path = scene / f"{table.label_file}.npy"
    label = read_array(scene, table.label_file)
    check_integers(label, path, dimensions=1)
    return table.clean(label, path)


def read_array(scene, name):
    """One of the arrays of points: (N,3) numbers, or labels (N,), also stored as (N,1)."""
    path = scene / f"{name}.npy"
    with reading(path, "a point array", AGAIN):
        array = read_points(scene, [name])[name]
    if name not in ("coord", *OPTIONAL) and array.shape[1:] == (1,):
        array = array[:, 0]  # as Pointcept's preprocessing of S3DIS writes them
    if name == "instance":
        check_integers(array, path, dimensions=1)
    elif name in ("coord", *OPTIONAL) and (
        array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "iuf"
    ):
        raise ValueError(
            f"{path} holds {array.dtype} of shape {array.shape}; expected numbers (N, 3)"
        )
    return array


def read_frames(scene):
    """The posed views of a scene, as contracts/views.py reads them."""
    path = scene / "views.npz"
    with reading(path, "the views of a scene", AGAIN):
        views = read_views(scene)
        if views.frame.ndim != 1 or views.intrinsic.shape != (len(views.frame), 3, 3):
            raise ValueError(f"frame {views.frame.shape}, intrinsic {views.intrinsic.shape}")
    return views


def read_images(scene, frame, size):
    """Images of a view: depth (H,W) m, color (H,W,3), and where there are labels label (H,W)."""
    labeled = view_path(scene, frame, "label").is_file()
    images = {}
    for kind in ("depth", "color", *["label"] * labeled):
        path = view_path(scene, frame, kind)
        with reading(path, "an image", AGAIN):
            images[kind] = read_view_image(scene, frame, kind, size)
        if images[kind].ndim != (3 if kind == "color" else 2):
            raise ValueError(f"{path} has {images[kind].ndim} dimensions; prepare this scene again")
    if labeled:
        check_integers(images["label"], path, dimensions=2)
        images["label"] = class_table(scene).clean(images["label"], path)
    return images


def check_integers(label, path, dimensions):
    """Raise ValueError for anything but integers in so many dimensions."""
    if label.dtype.kind not in "iu" or label.ndim != dimensions:
        expected = ("(N,)", "(H, W)")[dimensions - 1]
        raise ValueError(
            f"{path} holds {label.dtype} of shape {label.shape}; expected integers {expected}"
        )
