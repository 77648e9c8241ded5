"""Images, depth and poses of 2D-3D-Semantics, room by room.

IMAGES/area_{1,2,3,4,5a,5b,6}/data/{rgb,depth,pose}/
    camera_<id>_<room>_frame_<n>_domain_{rgb.png,depth.png,pose.json}

V views, H x W pixels at the stored size. Pixel centers are at integer coordinates;
`camera_k_matrix` is taken to count them so, too: should it count from the image's corner, links
would be half a pixel of the 1080 off, an eighth of a stored one.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ... import camera
from ...camera.resample import resample_color
from ...files import read_json
from ..frames import BadFrame, Frames, View, invert_pose, resample_depth
from ..images import read_color, read_depth

AREA_FOLDER = re.compile(r"area_(\d)([ab]?)", re.IGNORECASE)
FILE = re.compile(
    r"(?P<stem>camera_[^_]+_(?P<room>.+)_frame_[^_]+)_domain_(?P<domain>rgb|depth|pose)\.(png|json)"
)
DOMAINS = {"rgb": "png", "depth": "png", "pose": "json"}
DEPTH_SCALE = 512.0  # units of the depth images per meter
# camera-to-world of area_5b -> the frame of Area_5, in which area_5a and the points are.
AREA_5B = np.array(
    [[0, 1, 0, -4.09703582], [-1, 0, 0, 6.22617759], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=np.float64
)


@dataclass(frozen=True)
class ImageFiles:
    """The files of one frame: those of `domains` are there."""

    folder: str  # that holds rgb/, depth/, pose/
    stem: str
    domains: frozenset
    shifted: bool = False  # of area_5b: its pose is in a frame of its own

    def path(self, domain):
        return Path(self.folder, domain, f"{self.stem}_domain_{domain}.{DOMAINS[domain]}")


def find_images(root, area):
    """{room name: [ImageFiles]} of an area such as "Area_5", sorted by camera and frame.

    Frames that lack one of their files are among them.
    """
    found = {}
    for folder in sorted(Path(root).iterdir()) if Path(root).is_dir() else ():
        match = AREA_FOLDER.fullmatch(folder.name)
        if not match or match[1] != area.rpartition("_")[2] or not folder.is_dir():
            continue
        data = folder / "data" if (folder / "data").is_dir() else folder
        shifted = match[2].lower() == "b"
        for (room, stem), domains in sorted(_listed(data).items()):
            found.setdefault(room, []).append(ImageFiles(str(data), stem, domains, shifted))
    return {room: sorted(files, key=_order) for room, files in found.items()}


def _listed(data):
    """{(room, stem): domains that are there} of one folder."""
    found = {}
    for domain in DOMAINS:
        for path in (data / domain).glob(f"*_domain_{domain}.{DOMAINS[domain]}"):
            match = FILE.fullmatch(path.name)
            if match:
                key = match["room"], match["stem"]
                found[key] = found.get(key, frozenset()) | {domain}
    return found


def _order(files):
    """Camera by camera, and a camera's frames by their number."""
    head, _, number = files.stem.rpartition("_frame_")
    return head, int(number) if number.isdigit() else -1, number


class RoomImages(Frames):
    """Good views of a room at `size` (H, W), those of `chosen`; the bad ones are in `log`.

    files: the room's [ImageFiles]; the place in this list is the frame's number. cloud_to_world
    (4, 4): from the frame of the points to that of the poses. The camera of a view is that of its
    depth image, to whose grid the colors are brought. colors: False leaves them None.
    """

    def __init__(self, files, size, chosen, cloud_to_world=None, colors=True):
        super().__init__(size, chosen)
        self.files, self.colors = files, colors
        self.cloud_to_world = np.eye(4) if cloud_to_world is None else cloud_to_world

    def read(self, frame):
        files = self.files[frame]
        for domain in DOMAINS:
            if domain not in files.domains:
                raise BadFrame(f"no {domain} file")
        intrinsic, world_to_camera = read_pose(files)
        depth = read_depth(files.path("depth"), DEPTH_SCALE)
        if (np.abs(2 * intrinsic[[1, 0], 2] - depth.shape) > 0.1 * np.array(depth.shape)).any():
            raise BadFrame("camera_k_matrix of another image size")
        stored = camera.resize_intrinsic(intrinsic, depth.shape, self.size)
        color = None
        if self.colors:
            color = read_color(files.path("rgb"))
            own = camera.resize_intrinsic(intrinsic, depth.shape, color.shape[:2])
            color = resample_color(color, own, stored, self.size)
        depth = resample_depth(depth, self.size)
        return View(frame, color, depth, stored, world_to_camera @ self.cloud_to_world)


def read_pose(files):
    """intrinsic (3, 3) px of the native image and world-to-camera (4, 4) in the area's frame."""
    try:
        pose = read_json(files.path("pose"))
        intrinsic = np.array(pose["camera_k_matrix"], dtype=np.float64)
        rotation_translation = np.array(pose["camera_rt_matrix"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadFrame("unreadable pose") from error
    shapes = intrinsic.shape, rotation_translation.shape
    if shapes not in (((3, 3), (3, 4)), ((3, 3), (4, 4))) or not np.isfinite(intrinsic).all():
        raise BadFrame("unreadable pose")
    matrix = np.eye(4)
    matrix[: len(rotation_translation)] = rotation_translation
    camera_to_world = invert_pose(matrix)  # a check, too: rigid and finite
    return intrinsic, np.linalg.inv(AREA_5B @ camera_to_world) if files.shifted else matrix
