"""Rooms of S3DIS on disk, with their images of 2D-3D-Semantics: which there are.

POINTS/Area_1/office_1/  Annotations/*.txt, or coord.npy, color.npy, … of Pointcept's preprocessing
POINTS/Area_1/Area_1_alignmentAngle.txt
IMAGES/area_1/data/      see s3dis_images.py

Room names repeat in every area, so a prepared scene is named `Area_1-office_1`, as Pointcept names
it.
"""

from dataclasses import dataclass
from pathlib import Path

from ...contracts.scene import outside
from .alignment import read_angles
from .images import find_images

AREAS = tuple(f"Area_{number}" for number in range(1, 7))
LAYOUT = "POINTS/Area_1/office_1/{Annotations/*.txt or coord.npy}"
BYTES_PER_PIXEL = 2.0  # of a stored view: its JPEG, depth, region and label, about
BYTES_PER_POINT = 12 + 3 + 12 + 2 + 2 + 4
BYTES_PER_LINE = 36  # of a raw file, about


@dataclass(frozen=True)
class RoomCapture:
    """One room, its images, and where its prepared scene goes."""

    split: str  # the area
    room: str
    folder: Path
    root: Path  # of the prepared data set
    images: tuple = ()  # of ImageFiles
    angle: float | None = None  # degrees, None = unknown

    @property
    def name(self):
        return f"{self.split}-{self.room}"

    @property
    def target(self):
        return self.root / self.split / self.name

    @property
    def preprocessed(self):
        return (self.folder / "coord.npy").is_file()


def find_rooms(points, images, root, areas=AREAS, angles=None):
    """Captures of all rooms of the areas, and the rooms that have images but no points.

    angles: folder with Area_x/Area_x_alignmentAngle.txt, default `points`. Raises one line for an
    unknown area, for an output folder inside the data, and where no room is found, or no image or
    angle where they are given.
    """
    root, points, images = outside(root, points, images)
    angles_root = Path(angles).expanduser().resolve() if angles else points
    unknown = sorted(set(areas) - set(AREAS))
    if unknown:
        raise ValueError(f"unknown area {unknown[0]!r}; known: {', '.join(AREAS)}")
    captures, without_points, found_images, found_angles = [], [], 0, 0
    for area in areas:
        of_area = find_images(images, area) if images else {}
        found_images += len(of_area)
        by_name = {room.lower(): files for room, files in of_area.items()}
        degrees = read_angles(angles_root, area)
        found_angles += len(degrees)
        for folder in _room_folders(points / area):
            files = tuple(by_name.pop(folder.name.lower(), ()))
            angle = degrees.get(folder.name)
            captures.append(RoomCapture(area, folder.name, folder, root, files, angle))
        without_points += [f"{area}/{room}" for room in of_area if room.lower() in by_name]
    if not captures:
        raise FileNotFoundError(
            f"no room of {', '.join(areas)} in {points}; expected {LAYOUT}: check --points"
        )
    if images and not found_images:
        raise FileNotFoundError(
            f"no image of {', '.join(areas)} in {images}; expected area_1/data/rgb, depth, pose: "
            "check --images, or leave it out to prepare for 3D only"
        )
    if angles and not found_angles:
        raise FileNotFoundError(
            f"no angle of {', '.join(areas)} in {angles_root}; expected "
            "Area_1/Area_1_alignmentAngle.txt: check --angles"
        )
    return captures, without_points


def _room_folders(area):
    folders = sorted(area.iterdir()) if area.is_dir() else ()
    return [f for f in folders if (f / "Annotations").is_dir() or (f / "coord.npy").is_file()]


def estimate_bytes(captures, settings):
    """Bytes that the prepared scenes will take, about."""
    total = 0
    for capture in captures:
        views = min(len(capture.images), settings.max_views)
        total += views * settings.height * settings.width * BYTES_PER_PIXEL
        if not capture.preprocessed:  # else hard links
            text = sum(path.stat().st_size for path in capture.folder.glob("Annotations/*.txt"))
            total += text / BYTES_PER_LINE * BYTES_PER_POINT
    return int(total)
