"""An S3DIS room with images of 2D-3D-Semantics (s3dis_rooms.py) to a prepared scene (schema.py).

N points, V views, H x W pixels at the stored size.
"""

from dataclasses import asdict, dataclass

import numpy as np

from ...camera.fit import MAX_DENIED, MIN_VISIBLE, fit_views
from ...clouds.normals import estimate_normals, orient_normals
from ...contracts.scene import staged, store_points
from ...contracts.tags import derive_tags
from ...contracts.views import read_views
from ...files import write_array, write_json
from ..frames import store_views
from ..view_labels import LabelRenderer
from .alignment import choose_placement, placements, wall_alignment
from .images import RoomImages
from .points import TABLE, link_preprocessed_room, read_raw_room

SAMPLE = 50_000  # points that stand for all of a room where views are compared with them
TRIAL_VIEWS = 12  # views that decide in which frame the points are


@dataclass(frozen=True)
class Settings:
    """What decides the content of a prepared scene; other values mean preparing it again."""

    height: int = 256  # px, stored size
    width: int = 256
    max_views: int = 100  # of a room: those that see most of its points
    min_seen: float = 0.01  # of the room's points, that a view must see
    depth_tolerance: float = 0.05  # m; a point is seen where the depth is its own up to this
    min_tag_points: int = 1  # labelled points that make a class a tag of the scene
    aligned: bool | None = None  # are the points an aligned copy? None: find out, room by room

    @property
    def size(self):
        return (self.height, self.width)


def prepare_room(capture, settings):
    """Write one prepared scene and return its manifest; a room without a usable view has none.

    Raises ValueError or OSError, in one line, where the points cannot be read, or where the images
    do not show them.
    """
    TABLE.write(capture.root)
    with staged(capture) as folder:
        points, notes = _store_points(capture, folder)
        placement, measured, log = survey(capture, settings, points["coord"])
        chosen = choose_views(measured, settings)
        frames = RoomImages(capture.images, settings.size, placement.cloud_to_world, chosen)
        alignment = wall_alignment(capture.angle, placement.aligned)
        labelled = "segment" in points
        labels = LabelRenderer(points["coord"], points["segment"]) if labelled else None
        entries = store_views(folder, frames, labels, alignment)
        if "normal" not in points:
            normal = estimate_normals(points["coord"])
            normal = orient_normals(points["coord"], normal, _centres(folder))
            write_array(folder / "normal.npy", normal)
        log.bad = _joined(log.bad, frames.log.bad)
        manifest = {
            "source": {"points": str(capture.folder), "images": _stems(capture, folder)},
            "settings": asdict(settings),
            "num_points": len(points["coord"]),
            "tags": derive_tags(points.get("segment"), TABLE.names, settings.min_tag_points),
            "placement": {"name": placement.name, "angle": placement.angle},
            "agreement": agreement(measured) if measured.frame else None,
            **notes,
            **entries,
            "frames": asdict(log),
        }
        write_json(folder / "manifest.json", manifest)
    return manifest


def _store_points(capture, folder):
    """Put the point arrays into the folder; returns them by name, and notes for the manifest."""
    if capture.preprocessed:
        return link_preprocessed_room(capture.folder, folder), {}
    points, notes = read_raw_room(capture.folder)
    store_points(folder, points)
    return points, notes


def _centres(folder):
    """Camera centres (V, 3) m of the views that were stored."""
    return np.linalg.inv(read_views(folder).world_to_camera)[:, :3, 3]


def survey(capture, settings, coord):
    """Compare every image of a room with its points (N, 3).

    Returns: Placement, camera.fit.DepthFit, FrameLog. Raises one line where the poses do not fit.
    """
    sample = coord[:: -(-len(coord) // SAMPLE)]
    step = max(1, len(capture.images) // TRIAL_VIEWS)
    trial = RoomImages(capture.images, settings.size, chosen=range(0, len(capture.images), step))
    try:
        placement = choose_placement(
            placements(coord, capture.angle), sample, list(trial.depth_views()),
            settings.depth_tolerance, settings.aligned,
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{capture.folder}: {error}") from None
    frames = RoomImages(capture.images, settings.size, placement.cloud_to_world)
    measured = fit_views(sample, frames.depth_views(), settings.depth_tolerance)
    if measured.frame:
        _refuse_absurd(capture, settings, agreement(measured), placement)
    return placement, measured, frames.log


def agreement(measured):
    """The manifest's numbers of a DepthFit; None where nothing could be measured.

    visible: share of the points that a view sees. median_error: median |depth - z| in m of the
    points that are not hidden. denied: share of those that a camera looked through.
    """
    return {
        "visible": float(measured.visible.mean()),
        "median_error": measured.median_error,
        "denied": measured.denied_share,
    }


def problem(report, tolerance):
    """What is absurd about an `agreement`, in a few words; None where nothing is."""
    if report["visible"] < MIN_VISIBLE:
        return f"the views see {100 * report['visible']:.1f} % of the points"
    if report["median_error"] > tolerance:
        return f"the median |depth - z| is {report['median_error']:.2f} m"
    if report["denied"] > MAX_DENIED:
        return f"the cameras look through {100 * report['denied']:.0f} % of the points"
    return None


def describe(report):
    """The numbers of an `agreement` in words, for a line of a tool."""
    error = report["median_error"]
    depth = "no point in an image" if error is None else f"median |depth - z| {100 * error:.1f} cm"
    return f"{100 * report['visible']:.1f} % of the points visible, {depth}"


def _refuse_absurd(capture, settings, report, placement):
    found = problem(report, settings.depth_tolerance)
    if found:
        known = "" if capture.angle is not None else ", alignment angles unknown"
        raise ValueError(
            f"{capture.folder}: {found} ({describe(report)}; points taken {placement.name}{known})"
            ": the poses do not fit these points; use S3DIS v1.2 un-aligned, or give --angles its "
            "folder with Area_x/Area_x_alignmentAngle.txt"
        )


def choose_views(measured, settings):
    """Frames that see most of the room's points, at most `max_views`, in their own order."""
    least = max(1, settings.min_seen * len(measured.visible))
    seen_by = dict(zip(measured.frame, measured.seen.tolist(), strict=True))
    good = [frame for frame, seen in seen_by.items() if seen >= least]
    good.sort(key=lambda frame: -seen_by[frame])
    return sorted(good[: settings.max_views])


def _stems(capture, folder):
    """{frame: name of its files}, of the views that were stored."""
    return {str(frame): capture.images[frame].stem for frame in read_views(folder).frame}


def _joined(first, second):
    """Two {reason: [frame]} in one."""
    return {r: sorted({*first.get(r, ()), *second.get(r, ())}) for r in {**first, **second}}
