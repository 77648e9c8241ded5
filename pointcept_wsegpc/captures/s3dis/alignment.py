"""In which frame the points of an S3DIS room are: that of the poses, or turned along its walls.

The poses of 2D-3D-Semantics fit S3DIS v1.2 as it is. Aligned copies of it (Pointcept's
`--align_angle`, the "Aligned_Version") turn every room about z by the angle that
`Area_x/Area_x_alignmentAngle.txt` holds. The points stay as they are; the poses follow them.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...camera.fit import fit_views
from ...files import read_text

MARGIN = 0.02  # by which one placement must see more points than the others to be told apart
QUARTERS = (90, 180, 270)  # degrees; tried where no file tells the angle


@dataclass(frozen=True)
class Placement:
    """How the points came to where they are, and what undoes it."""

    name: str
    aligned: bool
    angle: float  # degrees, as in the file
    cloud_to_world: np.ndarray  # (4, 4): from the frame of the points to that of the poses


AS_RELEASED = Placement("as released", False, 0.0, np.eye(4))


def read_angles(root, area):
    """{room: degrees} of an area; empty where the file is missing."""
    path = Path(root) / area / f"{area}_alignmentAngle.txt"
    angles = {}
    for number, line in enumerate(_lines(path), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            room, angle = words
            angles[room] = float(angle)
        except ValueError:
            raise ValueError(f"{path}:{number}: {line!r}; expected a room and its angle") from None
    return angles


def _lines(path):
    return read_text(path).splitlines() if path.is_file() else ()


def turn(degrees):
    """Rotation (3, 3) by which alignment turns a room of this angle: -angle about z."""
    angle = (2 - degrees / 180) * np.pi
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def wall_alignment(degrees, aligned):
    """World-to-walls matrix (4, 4) of a room whose points are `aligned` already, or not."""
    matrix = np.eye(4)
    if degrees is not None and not aligned:
        matrix[:3, :3] = turn(degrees)
    return matrix


def undo_about_box(coord, degrees):
    """Matrix (4, 4) that undoes a turn about the middle of the box around the *unturned* points.

    That middle c is not the middle of the turned points' box, but follows from them: with
    P' = R (P - c) + c, the points R' P' have their middle at R' c.
    """
    rotation = turn(degrees)
    back = np.asarray(coord, np.float64) @ rotation  # rows of R' P'
    middle = (back.min(0) + back.max(0)) / 2
    matrix = np.eye(4)
    matrix[:3, :3] = rotation.T
    matrix[:3, 3] = rotation @ middle - middle
    return matrix


def placements(coord, degrees):
    """Possible alignments of the points (N, 3) of a room with this angle, None = unknown."""
    found = [AS_RELEASED]
    for angle in QUARTERS if degrees is None else (degrees,):
        if angle % 360 == 0:
            continue
        about_middle = undo_about_box(coord, angle)
        found.append(Placement("aligned about the room's middle", True, angle, about_middle))
        about_origin = np.eye(4)
        about_origin[:3, :3] = turn(angle).T
        found.append(Placement("aligned about the origin", True, angle, about_origin))
    return found


def choose_placement(candidates, sample, views, tolerance, aligned=None):
    """The placement with which the views see most of the points.

    Args: candidates: of `placements`; sample (N, 3) m: some of the points; views: some views with
        the poses as they are (frames.View); aligned: True or False leaves only those.
    Raises ValueError where an aligned one fits hardly better than the points as they are.
    """
    if aligned is not None:
        known = len({c.angle for c in candidates if c.aligned}) == 1
        candidates = [c for c in candidates if c.aligned == aligned]
        # A room whose angle is 0 is not changed by alignment; where it is unknown, it may be 0.
        if not candidates or (aligned and not known):
            candidates = [*candidates, AS_RELEASED]
    if not views:
        return candidates[0]
    scores = [seen_share(c, sample, views, tolerance) for c in candidates]
    best = int(np.argmax(scores))
    open_question = candidates[best].aligned and candidates[0] is AS_RELEASED
    if open_question and scores[best] - scores[0] < MARGIN:
        raise ValueError(
            f"its points fit the images {candidates[best].name} and {AS_RELEASED.name} alike "
            f"({scores[best]:.2f} and {scores[0]:.2f} seen); say --aligned yes or --aligned no"
        )
    return candidates[best]


def seen_share(placement, sample, views, tolerance):
    """Share of the points in the images that are seen, were the points placed so."""
    placed = (
        replace(view, world_to_camera=view.world_to_camera @ placement.cloud_to_world)
        for view in views
    )
    return fit_views(sample, placed, tolerance).seen_share
