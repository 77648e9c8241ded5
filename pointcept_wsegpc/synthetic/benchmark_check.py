"""Whether a SynthRooms data root equals the published one.

Two comparisons. The checksum hashes the arrays that decide results: points rounded to millimeters,
colors, labels, poses, depth and label images, but no color images, since a JPEG depends on its
encoder. Equal checksums mean equal data. Rounding does not make a hash tolerant: of millions of
values some always lie at its edge, and another ray caster or math library may see a vertex more or
less. So a census, the points of each class and the views of each split, is compared with a
tolerance: if it matches, the rooms are the same; it does not cover colors and poses. The large size
takes hours to make, so both are taken over every 17th scene.
"""

from __future__ import annotations

import hashlib

import numpy as np

from ..captures.scannet.raw import TABLE
from ..contracts.classes import IGNORE
from ..contracts.scene import read_points
from ..contracts.views import read_view_image, read_views
from .benchmark import VERSION, Scene, Size, is_made, scenes

LABELS = TABLE.label_file
TOLERANCE = 0.01  # of the points of a class, or 20 points
SPLITS = ("train", "val")
EVERY = {"large": 17}  # one scene in so many is checked; odd, as every fourth has the same theme


# Of the checked scenes of every size: checksum, and per split the points of each class, unlabeled
# ones last, and the views.
PUBLISHED: dict[str, dict] = {
    "small": {"checksum": "d666a805b2f03eb7", "census": {
        "train": [534459, 205696, 44390, 47626, 38132, 54893, 11655, 72042, 0, 86926, 0,
                  0, 0, 0, 13171, 0, 8408, 0, 16494, 0, 121750, 1408],
        "val": [136482, 49203, 8727, 11045, 7339, 13725, 2361, 15890, 0, 27889, 0,
                0, 0, 0, 2211, 0, 1921, 0, 3252, 0, 34715, 352]}},
    "large": {"checksum": "696a66055529dc92", "census": {
        "train": [684444, 282102, 61237, 91331, 34466, 26539, 12419, 105199, 55457, 105002, 8593,
                  34855, 18684, 12844, 7023, 21372, 6978, 4789, 0, 20106, 173291, 672],
        "val": [187956, 75554, 22427, 22413, 3708, 0, 0, 25151, 16005, 8344, 0,
                0, 14807, 12633, 0, 0, 4390, 2486, 0, 10246, 34253, 168]}},
}  # fmt: skip


def scene_digest(scene: Scene) -> str:
    """Hash of the arrays of one prepared scene."""
    points = read_points(scene.folder, ("coord", "color", LABELS, "instance"))
    views = read_views(scene.folder)
    arrays = [
        np.rint(points["coord"].astype(np.float64) * 1000).astype("<i4"),
        points["color"].astype("<u1"),
        points[LABELS].astype("<i2"),
        points["instance"].astype("<i4"),
        views.frame.astype("<i4"),
        np.rint(views.world_to_camera * 10_000).astype("<i4"),
        np.rint(views.intrinsic * 1000).astype("<i4"),
    ]
    for frame, size in zip(views.frame, views.size, strict=True):
        depth = read_view_image(scene.folder, frame, "depth", size)
        label = read_view_image(scene.folder, frame, "label", size)
        arrays += [np.rint(depth * 1000).astype("<u2"), label.astype("<i2")]
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def checked(root, size: Size) -> dict[str, Scene]:
    """The scenes that are compared with the published ones, by split/name."""
    return dict(list(scenes(root, size).items())[:: EVERY.get(size.name, 1)])


def checksum(root, size: Size) -> str:
    """One hash of the checked scenes, 16 hexadecimal digits."""
    parts = [f"{name} {scene_digest(scene)}\n" for name, scene in checked(root, size).items()]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def census(root, size: Size) -> dict[str, list[int]]:
    """Per split, over the checked scenes: points of each class, points without one, views."""
    num_classes = len(TABLE)
    counts = {split: np.zeros(num_classes + 2, np.int64) for split in SPLITS}
    for scene in checked(root, size).values():
        segment = read_points(scene.folder, (LABELS,))[LABELS].ravel()
        label = np.where(segment == IGNORE, num_classes, segment)
        counts[scene.split][:-1] += np.bincount(label, minlength=num_classes + 1)
        counts[scene.split][-1] += len(read_views(scene.folder).frame)
    return {split: count.tolist() for split, count in counts.items()}


def largest_difference(found: dict, wanted: dict) -> float:
    """The largest difference of two censuses, in units of the tolerance."""
    a, b = (np.array([counts[split] for split in SPLITS], float) for counts in (found, wanted))
    return float((np.abs(a - b) / np.maximum(TOLERANCE * b, 20)).max())


def verify(root, size: Size) -> str:
    """One line on how the data set compares with the published one.

    Raises ValueError where it is another, or where scenes are missing.
    """
    every = scenes(root, size)
    missing = [name for name, scene in every.items() if not is_made(scene)]
    title = f"SynthRooms v{VERSION} {size.name}"
    if missing:
        raise ValueError(f"{title} in {root}: {len(missing)} scenes missing, such as {missing[0]}")
    if (count := len(checked(root, size))) < len(every):
        title += f" ({count} of {len(every)} scenes)"
    found, wanted = checksum(root, size), PUBLISHED.get(size.name)
    if wanted is None:
        return f"{title}: checksum {found}; none is published for this size"
    if found == wanted["checksum"]:
        return f"{title}: checksum {found}, as published"
    difference = largest_difference(census(root, size), wanted["census"])
    if difference <= 1:
        return (
            f"{title}: checksum {found}, not {wanted['checksum']} as published, but points and "
            f"views of each class agree within {100 * TOLERANCE:g} %: most likely the same rooms "
            "made with other libraries; give this checksum beside results"
        )
    raise ValueError(
        f"{title} in {root}: checksum {found}, expected {wanted['checksum']}, and the points of "
        f"some class differ by more than {100 * TOLERANCE:g} %; this is another data set: make it "
        "again in an empty folder with an unchanged generator"
    )
