"""Rooms of S3DIS with their images of 2D-3D-Semantics, on disk, and as points and views.

RAW/Area_1/office_1/  Annotations/*.txt, or coord.npy, color.npy, … of Pointcept's preprocessing
RAW/Area_1/Area_1_alignmentAngle.txt
IMAGES/area_1/data/   see images.py

Room names repeat in every area, so a prepared scene is named `Area_1-office_1`, as Pointcept names
it; the area is its split. N points, V views, H x W pixels at the stored size.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...camera.fit import MAX_DENIED, MIN_VISIBLE, DepthFit, fit_views
from ..base import CAPTURES, Capture, LabeledSettings, Scene, report_frames, setting, some
from .alignment import choose_placement, placements, read_angles, wall_alignment
from .images import ImageFiles, RoomImages, find_images
from .points import TABLE, read_preprocessed_room, read_raw_room

AREAS = tuple(f"Area_{number}" for number in range(1, 7))
BYTES_PER_LINE = 36  # of a raw file, about
SAMPLE = 50_000  # points that stand for all of a room where views are compared with them
TRIAL_VIEWS = 12  # views that decide in which frame the points are

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class S3DISSettings(LabeledSettings):
    """Settings that determine a prepared scene; other values mean preparing it again."""

    height: int = setting(256, "stored height of an image in pixels", minimum=1)
    width: int = setting(256, "stored width of an image in pixels", minimum=1)
    max_views: int = setting(100, "keep the N views that see most of the points", minimum=1)
    min_seen: float = setting(0.01, "share of the points that a view must see", minimum=0)
    depth_tolerance: float = setting(
        0.05, "meters between a point and the depth at its pixel, to be seen there", above=0
    )
    aligned: bool | None = setting(
        None,
        "were the points turned along the walls? auto: detected in the images, room by room",
        choices={"auto": None, "yes": True, "no": False},
    )
    split: tuple[str, ...] = setting(AREAS, "areas to prepare", source=True, choices=AREAS)
    images: Path | None = setting(
        None, "folder with area_1 … area_6 of 2D-3D-Semantics; without it: 3D only", source=True
    )
    angles: Path | None = setting(
        None, "folder with Area_x/Area_x_alignmentAngle.txt, if not the raw data's", source=True
    )


@CAPTURES.register("s3dis")
@dataclass(frozen=True)
class S3DISCapture(Capture):
    """One room, its images, and where its prepared scene goes."""

    folder: Path
    images: tuple[ImageFiles, ...] = ()
    angle: float | None = None  # degrees, None = unknown

    settings = S3DISSettings
    layout = "RAW/Area_1/office_1/{Annotations/*.txt or coord.npy}"
    classes = TABLE

    @property
    def preprocessed(self) -> bool:
        return (self.folder / "coord.npy").is_file()

    @classmethod
    def find(cls, raw, root, settings):
        """Captures of all rooms; an error where images or angles are given but none is found."""
        captures, without_points, found_images, found_angles = [], [], 0, 0
        for area in settings.split:
            of_area = find_images(settings.images, area) if settings.images else {}
            found_images += len(of_area)
            by_name = {room.lower(): files for room, files in of_area.items()}
            degrees = read_angles(settings.angles or raw, area)
            found_angles += len(degrees)
            for folder in _room_folders(raw / area):
                files = tuple(by_name.pop(folder.name.lower(), ()))
                angle = degrees.get(folder.name)
                captures.append(cls(f"{area}-{folder.name}", area, root, folder, files, angle))
            without_points += [f"{area}/{room}" for room in of_area if room.lower() in by_name]
        areas = ", ".join(settings.split)
        if captures and settings.images and not found_images:
            raise FileNotFoundError(
                f"no image of {areas} in {settings.images}; expected area_1/data/rgb, depth, pose: "
                "check --images, or omit it to prepare for 3D only"
            )
        if captures and settings.angles and not found_angles:
            raise FileNotFoundError(
                f"no angle of {areas} in {settings.angles}; expected "
                "Area_1/Area_1_alignmentAngle.txt: check --angles"
            )
        if without_points:
            rooms = some(without_points)
            logger.warning("%d rooms have images but no points: %s", len(without_points), rooms)
        return captures

    def num_views(self, settings):
        return min(-(-len(self.images) // settings.stride), settings.max_views)

    def num_points(self):
        if self.preprocessed:
            return 0
        text = sum(path.stat().st_size for path in self.folder.glob("Annotations/*.txt"))
        return int(text / BYTES_PER_LINE)

    def read(self, settings):
        if self.preprocessed:
            points, notes = read_preprocessed_room(self.folder), {}
        else:
            points, notes = read_raw_room(self.folder)
        placement, measured, log = survey(self, settings, points["coord"])
        chosen = choose_views(measured, settings)
        frames = RoomImages(self.images, settings.size, chosen, placement.cloud_to_world)

        def finish(views):
            for reason, bad in frames.log.bad.items():
                log.bad[reason] = sorted({*bad, *log.bad.get(reason, ())})
            names = {str(frame): self.images[frame].stem for frame in views.frame}
            return {"images": names, "frames": asdict(log)}

        return Scene(
            points,
            frames,
            axis_alignment=wall_alignment(self.angle, placement.aligned),
            source={"points": str(self.folder)},
            about={
                "placement": {"name": placement.name, "angle": placement.angle},
                "agreement": agreement(measured) if measured.frame else None,
                **notes,
            },
            linked=self.folder if self.preprocessed else None,
            finish=finish,
        )

    @classmethod
    def report(cls, prepared):
        lines, placed = [], Counter()
        for capture, manifest in prepared:
            lines.append(f"  {capture.name}: {room_line(manifest)}")
            for file, line, wrong, right in manifest.get("repairs", ()):
                lines.append(f"    {file}:{line}: byte {wrong} read as {right!r}; the file stays")
            for file in manifest.get("left_out", ()):
                lines.append(f"    {file}: a second copy, skipped")
            if manifest["num_views"] and capture.angle:  # alignment would have turned it
                placed[manifest["placement"]["name"]] += 1
        lines += report_frames(prepared)
        if len(placed) > 1:
            counts = ", ".join(f"{count} {how}" for how, count in placed.items())
            lines.append(f"points are a mixture ({counts}): check that they are of one release")
        return lines


def _room_folders(area):
    folders = sorted(area.iterdir()) if area.is_dir() else ()
    return [f for f in folders if (f / "Annotations").is_dir() or (f / "coord.npy").is_file()]


def room_line(manifest: dict) -> str:
    """Views of a room and how well its poses fit its points."""
    if manifest["agreement"] is None:
        return f"{manifest['num_points']} points, no image"
    line = f"{manifest['num_views']} views, {describe(manifest['agreement'])}"
    name, angle = manifest["placement"].values()
    return f"{line}, {name} by {angle:g} degrees" if angle else line


def survey(capture: S3DISCapture, settings: S3DISSettings, coord: np.ndarray):
    """Compare the images of a room with its points (N, 3).

    Returns: Placement, DepthFit, FrameLog. Raises one line where the poses do not fit.
    """
    sample = coord[:: -(-len(coord) // SAMPLE)]
    frames = range(0, len(capture.images), settings.stride)
    trial = frames[:: max(1, len(frames) // TRIAL_VIEWS)]
    tolerance = settings.depth_tolerance
    candidates = placements(coord, capture.angle)
    try:
        views = list(RoomImages(capture.images, settings.size, trial, colors=False))
        placement = choose_placement(candidates, sample, views, tolerance, settings.aligned)
    except ValueError as error:
        raise ValueError(f"{capture.folder}: {error}") from None
    to_world = placement.cloud_to_world
    images = RoomImages(capture.images, settings.size, frames, to_world, colors=False)
    measured = fit_views(sample, images, tolerance)
    if measured.frame:
        _refuse_absurd(capture, settings, agreement(measured), placement)
    return placement, measured, images.log


def agreement(measured: DepthFit) -> dict:
    """The manifest's numbers of a DepthFit; None where nothing could be measured.

    visible: share of the points that a view sees. median_error: median |depth - z| in m of the
    points that are not hidden. denied: share of those that a camera looked through.
    """
    return {
        "visible": float(measured.visible.mean()),
        "median_error": measured.median_error,
        "denied": measured.denied_share,
    }


def problem(report: dict, tolerance: float) -> str | None:
    """What is implausible about an `agreement`, in a few words; None if nothing is."""
    if report["visible"] < MIN_VISIBLE:
        return f"the views see {report['visible']:.1%} of the points"
    if report["median_error"] > tolerance:
        return f"the median |depth - z| is {report['median_error']:.2f} m"
    if report["denied"] > MAX_DENIED:
        return f"the cameras look through {report['denied']:.0%} of the points"
    return None


def describe(report: dict) -> str:
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


def choose_views(measured: DepthFit, settings: S3DISSettings) -> list[int]:
    """Frames that see most of the room's points, at most `max_views`, in their own order."""
    least = max(1, settings.min_seen * len(measured.visible))
    seen_by = dict(zip(measured.frame, measured.seen.tolist(), strict=True))
    good = [frame for frame, seen in seen_by.items() if seen >= least]
    good.sort(key=lambda frame: -seen_by[frame])
    return sorted(good[: settings.max_views])
