"""What a partition method needs of a prepared scene and of files beside it.

N points, F faces, V views of H x W pixels. What is damaged gets one line that names the file.
"""

import contextlib
from pathlib import Path

from ...clouds.ply import read_ply
from ...contracts.classes import IGNORE, LABEL_TABLES, SCANNET20_NAMES
from ...contracts.scene import read_points
from ...contracts.views import read_view_image, read_views, view_path
from ..methods import settings_of

OPTIONAL = ("normal", "color")  # None where a scene has no such file


def read_inputs(scene, method, settings):
    """Point arrays of a scene by name, and the settings with what the scene has to fill in.

    normal and color are None where the scene has none, normal also where the settings name a mesh:
    its own take their place. segment is among the arrays where the scene has labels.
    """
    names = ["coord", *OPTIONAL, *["instance"] * ("instance" in settings_of(method))]
    there = [name for name in names if name == "coord" or (scene / f"{name}.npy").is_file()]
    points = {name: read_array(scene, name) for name in there}
    if label_file(scene):
        points["segment"] = read_array(scene, label_file(scene))
    lengths = {name: len(array) for name, array in points.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{scene}: arrays differ in length: {lengths}; prepare this scene again")
    points = {**dict.fromkeys(OPTIONAL), **points}
    if "mesh" in settings:
        points["normal"] = None
    settings = from_files(settings, len(points["coord"]), scene.name, scene.parent.name)
    if "segment" in settings_of(method):
        if "segment" not in points:
            raise ValueError(
                f"method {method!r} needs labels, and {scene} has no "
                f"{' or '.join(f'{name}.npy' for name in LABEL_TABLES)}; "
                "choose another --method for it"
            )
        settings["segment"] = points["segment"]
        if "instance" in points:
            settings["instance"] = points["instance"]
    return points, settings


def label_file(scene):
    """Which of LABEL_TABLES the scene has; None where it has no labels."""
    return next((name for name in LABEL_TABLES if (scene / f"{name}.npy").is_file()), None)


def read_array(scene, name):
    """One of the arrays of points: (N,3) numbers, or labels (N,), also stored as (N,1)."""
    path = scene / f"{name}.npy"
    with readable(path):
        array = read_points(scene, [name])[name]
    if name not in ("coord", *OPTIONAL) and array.shape[1:] == (1,):
        array = array[:, 0]  # as Pointcept's preprocessing of S3DIS writes them
    if name in LABEL_TABLES:
        check_classes(array, path, 1, LABEL_TABLES[name])
    elif name == "instance":
        check_integers(array, path, dimensions=1)
    elif array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "iuf":
        raise ValueError(
            f"{path} holds {array.dtype} of shape {array.shape}; expected numbers (N, 3)"
        )
    return array


def read_frames(scene):
    """The posed views of a scene, as `schema.read_views` has them."""
    path = scene / "views.npz"
    with readable(path):
        views = read_views(scene)
        if views.frame.ndim != 1 or views.intrinsic.shape != (len(views.frame), 3, 3):
            raise ValueError(f"frame {views.frame.shape}, intrinsic {views.intrinsic.shape}")
    return views


def read_images(scene, frame, size):
    """Images of a view: depth (H,W) m, color (H,W,3), and where there are labels label (H,W)."""
    labelled = view_path(scene, frame, "label").is_file()
    images = {}
    for kind in ("depth", "color", *["label"] * labelled):
        path = view_path(scene, frame, kind)
        with readable(path):
            images[kind] = read_view_image(scene, frame, kind, size)
        if images[kind].ndim != (3 if kind == "color" else 2):
            raise ValueError(f"{path} has {images[kind].ndim} dimensions; prepare this scene again")
    if labelled:
        table = LABEL_TABLES.get(label_file(scene), SCANNET20_NAMES)
        check_classes(images["label"], path, 2, table)
    return images


@contextlib.contextmanager
def readable(path):
    """Whatever reading a damaged file raises, as one line that names the path.

    Damage can make the readers raise anything.
    """
    try:
        yield
    except (FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, ValueError) and str(path) in str(error):
            raise  # of a check
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ValueError(f"{path} is damaged ({reason}); prepare this scene again") from error


def check_integers(label, path, dimensions):
    """Raise ValueError for anything but integers in so many dimensions."""
    if label.dtype.kind not in "iu" or label.ndim != dimensions:
        expected = ("(N,)", "(H, W)")[dimensions - 1]
        raise ValueError(
            f"{path} holds {label.dtype} of shape {label.shape}; expected integers {expected}"
        )


def check_classes(label, path, dimensions, table):
    """Raise ValueError for anything but classes of the table, IGNORE = none."""
    check_integers(label, path, dimensions)
    last = len(table) - 1
    wrong = label[(label < IGNORE) | (label > last)]
    if wrong.size:
        raise ValueError(
            f"{path} holds the label {wrong[0]}; expected classes from 0 to {last}, "
            f"{IGNORE} for none: prepare this scene again"
        )


def from_files(settings, num_points, scene="", split=""):
    """Settings with {scene} and {split} filled in, and with faces where they name a mesh."""
    settings = {key: filled_in(value, scene, split) for key, value in settings.items()}
    if "mesh" in settings:
        settings["faces"] = read_faces(settings.pop("mesh"), num_points)
    return settings


def filled_in(value, scene, split):
    """A setting with the names of the scene and of its folder in their places."""
    if not isinstance(value, str):
        return value
    return value.replace("{scene}", scene).replace("{split}", split)


def read_faces(path, num_points):
    """Triangles (F,3) int64 of a `.ply` whose vertices are the points of the scene."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"mesh {path} is missing; check the setting mesh")
    mesh = read_ply(path)
    if mesh.face is None:
        raise ValueError(f"{path} has no faces; expected a mesh: check the setting mesh")
    if len(mesh.coord) != num_points:
        raise ValueError(
            f"{path} has {len(mesh.coord)} vertices, the scene {num_points} points; "
            "give the mesh that the scene was made from"
        )
    return mesh.face
