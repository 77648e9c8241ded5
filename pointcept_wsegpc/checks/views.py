"""Checks the views of a scene: all images present and of the right size, with usable depth.

V views of H x W pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..camera.fit import spread
from ..contracts.views import Views, read_views, view_path
from ..files.arrays import FileError, reading
from .findings import Findings
from .points import PREPARE

SURE = 0.7  # of the mean upward vector's length along one axis
HELD = 0.4  # length of the mean upward vector; shorter, cameras were held every way

LIKELY_FOCAL = (0.2, 5.0)  # focal length over image width
NEAR, FAR = 0.05, 30.0  # m, median depth of a room
EIGHT_BITS = 256  # different depths of all views; 16-bit images of a room have thousands,
STEP = 4  # mm, between nearly all of them: 8 bits over more than a meter
EXTRACT = "run `wsegpc regions`"
EXPORT = f"export depth as 16-bit PNG in millimeters and {PREPARE}"


def check_views(
    findings: Findings, scene: str | Path, num_views: int, limit: int
) -> tuple[Views | None, list[int]]:
    """Add what is wrong with the views of a scene folder.

    Returns Views or None, and the frames (at most `limit`, evenly spread) that have whole
    depth and color images and a possible camera.
    """
    scene = Path(scene)
    if not (scene / "views.npz").is_file():
        if any((scene / "views").glob("*")):
            findings.add("missing-views.npz", "views.npz is missing, images are there", PREPARE)
        else:
            _add_no_views(findings)
        findings.metrics["views"] = 0
        return None, []
    try:
        views = read_views(scene)
        count = len(views)
        if views.intrinsic.shape != (count, 3, 3) or views.world_to_camera.shape != (count, 4, 4):
            raise ValueError("its arrays differ in length")
        if not np.isfinite(views.axis_alignment).all():
            raise ValueError("its axis alignment is not finite")
    except (ValueError, TypeError, KeyError, OSError) as error:
        findings.add("views.npz", f"views.npz cannot be used: {error}", PREPARE)
        return None, []
    findings.metrics.update(views=count, size=views.size.max(0, initial=0).tolist())
    if not count:
        _add_no_views(findings)
        return None, []
    if count < num_views:
        what = f"{count} views; a sample takes {num_views}, so views are repeated"
        findings.add("few-views", what, "take more frames (a smaller --stride)", wasted=False)
    whole = np.isin(views.frame, _whole_frames(findings, scene, views)) & _cameras(findings, views)
    frames = views.frame[whole]
    chosen = frames[spread(len(frames), limit)].tolist()
    size = dict(zip(views.frame.tolist(), views.size.tolist(), strict=True))
    depths = {f: _depth_of_whole(findings, scene, f, size[f]) for f in chosen}
    return views, _check_depths(findings, {f: d for f, d in depths.items() if d is not None})


def _add_no_views(findings):
    what, fix = "no views: trains 3D alone", "give images with poses, if there are any"
    findings.add("no-views", what, fix, wasted=False)


def _whole_frames(findings, scene, views):
    """The frames with both images; what is missing is added by kind."""
    there = {path.name for path in (scene / "views").glob("*")}
    whole = set(views.frame.tolist())
    for kind, fix in (("color", PREPARE), ("depth", PREPARE), ("region", EXTRACT)):
        names = {f: view_path(scene, f, kind).name for f in views.frame.tolist()}
        missing = [f for f, name in names.items() if name not in there]
        if missing:
            what = f"{kind} images of {len(missing)} of {len(views)} views are missing"
            findings.add(f"missing-{kind}-images", f"{what}, frame {missing[0]} first", fix)
        if kind != "region":
            whole -= set(missing)
    return sorted(whole)


def _cameras(findings, views):
    """Which views (V,) have a possible camera."""
    pose, intrinsic = views.world_to_camera, views.intrinsic
    finite = np.isfinite(pose).all((1, 2)) & np.isfinite(intrinsic).all((1, 2))
    rotation = np.where(finite[:, None, None], pose[:, :3, :3], 0)
    squared = rotation @ rotation.transpose(0, 2, 1)
    rigid = finite & (np.abs(squared - np.eye(3)).max((1, 2)) < 0.05)
    mirrored = rigid & (np.linalg.det(rotation) < 0)
    focal = intrinsic[:, 0, 0] / views.size[:, 1]
    likely = (focal > LIKELY_FOCAL[0]) & (focal < LIKELY_FOCAL[1]) & (intrinsic[:, 1, 1] > 0)
    for key, bad, what, fix in (
        ("pose-impossible", ~rigid, "poses are no rigid motions", "leave these frames out"),
        ("pose-mirrored", mirrored, "poses mirror the scene", "negate one axis of the poses"),
        (
            "intrinsics-unlikely",
            ~likely,
            f"focal lengths are outside {LIKELY_FOCAL[0]:g} to {LIKELY_FOCAL[1]:g} image widths",
            "give the intrinsics in pixels of the images that they go with",
        ),
    ):
        if bad.any():
            first = views.frame[bad][0]
            found = f"{what} in {bad.sum()} of {len(views)} views, frame {first} first"
            findings.add(key, found, f"{fix} and {PREPARE}")
    return rigid & likely


def _depth_of_whole(findings, scene, frame, size):
    """Depth (H, W) in stored units of a view whose two images are usable; None if they are not."""
    images = {}
    for kind in ("color", "depth"):
        path = view_path(scene, frame, kind)
        try:
            with reading(path, "an image", PREPARE), Image.open(path) as file:
                image = images[kind] = np.asarray(file)
        except (OSError, FileError) as error:
            _once(findings, f"unreadable-{kind}", f"{path.name} cannot be read: {error}", PREPARE)
            return None
        if image.shape[:2] != tuple(size):
            what = f"{path.name} is {image.shape[:2]}, views.npz says {tuple(size)} (H, W)"
            _once(findings, f"size-{kind}", what, PREPARE)
            return None
    if images["color"].ndim != 3:
        what = f"color image of view {frame} has one channel; expected RGB"
        _once(findings, "color-gray", what, f"store three channels and {PREPARE}")
        return None
    depth = images["depth"]
    if depth.ndim != 2 or depth.dtype == np.uint8:
        bits = "several channels" if depth.ndim != 2 else "8 bits per pixel"
        what = f"depth image of view {frame} has {bits}; expected one channel of 16 bits"
        _once(findings, "depth-8-bit", what, EXPORT)
        return None
    return depth


def _check_depths(findings, depths):
    """Add what is wrong with the depths {frame: (H, W) mm}; returns the frames with any depth."""
    known = {frame: depth[depth > 0] for frame, depth in depths.items()}
    blank = [frame for frame, values in known.items() if not len(values)]
    if blank:
        what = f"depth of {len(blank)} of {len(depths)} views is blank (frame {blank[0]} first)"
        fix = f"stored depth ends at 65 m: was its unit taken too large? Set it and {PREPARE}"
        findings.add("depth-blank", what, fix, wasted=len(blank) == len(depths))
    values = np.concatenate([np.empty(0, np.uint16), *known.values()])
    if not len(values):
        return []
    median = float(np.median(values)) / 1000
    levels = np.unique(values)
    findings.metrics["median_depth"] = round(median, 4)
    if median < NEAR:
        what = f"median depth is {median:.4f} m: meters were stored as millimeters"
        findings.add("depth-unit", what, f"give the depth in millimeters and {PREPARE}")
    elif median > FAR:
        what = f"median depth is {median:.1f} m; expected that of a room"
        findings.add("depth-far", what, "check the depth scale of the source", wasted=False)
    elif 2 < len(levels) <= EIGHT_BITS and np.percentile(np.diff(levels), 10) >= STEP:
        count = len(levels)
        what = f"depth images have only {count} different values: 8-bit depth stored with 16 bits?"
        findings.add("depth-8-bit", what, EXPORT)
    return [frame for frame in depths if frame not in blank]


def _once(findings, key, *details, **options):
    if not findings.has(key):
        findings.add(key, *details, **options)


def mean_up(views: Views) -> np.ndarray:
    """Mean (3,) of the images' upward direction in the axis-aligned world, length at most 1."""
    up = -views.world_to_camera[:, 1, :3]  # the camera's y axis points down
    return (up @ views.axis_alignment[:3, :3].T).mean(axis=0)


def check_gravity(findings: Findings, views: Views) -> None:
    """Add a vertical axis other than z: structure removal and rotations would be about z."""
    up = mean_up(views)
    length = float(np.linalg.norm(up))
    findings.metrics["up"] = [round(float(u), 3) for u in up]
    axis = int(np.abs(up).argmax())
    if length < HELD or abs(up[axis]) < SURE * length or (axis == 2 and up[2] > 0):
        return
    name = ("" if up[axis] > 0 else "-") + "xyz"[axis]
    findings.add(
        "up-axis",
        f"cameras are held upright against {name}; expected z to point up",
        f"turn points and poses so that z is up (own scans: --up {name}, or scene.json), or give "
        "an axis alignment, and prepare again",
    )
