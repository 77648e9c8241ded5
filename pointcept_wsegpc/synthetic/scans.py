"""Synthetic data set in ScanNet's raw layout: procedural rooms, scanned by a simulated camera.

    root/scannetv2-labels.combined.tsv, scannetv2_train.txt, scannetv2_val.txt
    root/scans/scene0000_00/scene0000_00.sens, .txt, .aggregation.json,
                            _vh_clean_2.ply, _vh_clean_2.0.010000.segs.json

Frames of reference: `room` has its corner at the origin and walls along the axes; `raw` is that,
turned about z and shifted, and holds mesh and poses; `axisAlignment` leads from raw to a frame
along the walls. Equal settings give equal bytes, whatever the number of workers.
"""

from __future__ import annotations

import functools
import json
import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..captures.scannet.sens import SensHeader, pack_frame, write_sens
from ..clouds.ply import write_ply
from ..files import atomic_path, read_json, write_json
from ..jobs.scenes import run_jobs
from .rooms.difficulty import PLAIN, Difficulty
from .rooms.raw import label_table, meta_text, write_annotation
from .rooms.render import Light, RoomCaster, pixel_rays, render_color, render_depth
from .rooms.room import CLASS_RANGE, Room, make_room, scene_classes
from .rooms.surface import scan_mesh
from .rooms.trajectory import hand_held_path

MIN_FRAMES = 4  # one blank, one lost, two to look at
SCAN_POSES = 80  # about how many views decide what the mesh contains

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SynthesisSettings:
    """What decides a scene, together with its index.

    points: vertices of the mesh, about. color_size, depth_size: (width, height) in pixels.
    classes: names of rooms.room.FREQUENCY that rooms are furnished from; none: all.
    classes_per_room: fewest and most of them.
    """

    seed: int = 0
    points: int = 30_000
    frames: int = 40
    color_size: tuple[int, int] = (216, 162)
    depth_size: tuple[int, int] = (160, 120)
    difficulty: Difficulty = PLAIN
    classes: tuple[str, ...] = ()
    classes_per_room: tuple[int, int] = CLASS_RANGE

    def record(self) -> dict:
        """As JSON gives it back, without what is as in the plain rooms."""
        record, plain = asdict(self), asdict(SynthesisSettings())
        for name in ("difficulty", "classes", "classes_per_room"):
            if record[name] == plain[name]:
                del record[name]
        return json.loads(json.dumps(record))

    def room(self, index: int) -> Room:
        _, classes = scene_classes(self.seed, index, self.classes, self.classes_per_room)
        return make_room(self.seed, index, self.difficulty, classes)


def generate_dataset(
    root, num_train: int, num_val: int, *, workers: int = 1, **settings
) -> list[str]:
    """Write the data set under `root`; returns the names of the scenes made by this call.

    Scenes that are there already are kept, so an interrupted run continues and a larger number
    extends the set. workers: processes. settings: of SynthesisSettings.

    Raises:
        ValueError: fewer than MIN_FRAMES frames, other settings than those of the scenes that are
            there, or a scene could not be made.
    """
    root, settings = Path(root), SynthesisSettings(**settings)
    if settings.frames < MIN_FRAMES:
        raise ValueError(f"frames={settings.frames}: expected at least {MIN_FRAMES} per scene")
    claim(root / "synthetic.json", settings.record())
    names = [f"scene{index:04d}_00" for index in range(num_train + num_val)]
    missing = {n: i for i, n in enumerate(names) if not (root / "scans" / n).is_dir()}
    if len(missing) < len(names):
        logger.info("%s: %d scenes are there, and kept", root, len(names) - len(missing))
    make = functools.partial(make_scene, root, settings)
    outcome = run_jobs(make, missing, workers=workers, title="synthetic scenes")
    if outcome.failed:
        raise ValueError(outcome.summary())
    write_label_table(root, settings)
    for split, part in (("train", names[:num_train]), ("val", names[num_train:])):
        _write_text(root / f"scannetv2_{split}.txt", "".join(f"{name}\n" for name in part))
    return list(missing)


def write_label_table(root, settings: SynthesisSettings) -> None:
    """scannetv2-labels.combined.tsv: the raw categories, and the classes that they belong to."""
    table = label_table(crowded=settings.difficulty != PLAIN)
    _write_text(Path(root) / "scannetv2-labels.combined.tsv", table)


def claim(note: Path, record: dict) -> None:
    """Record in a JSON file how a folder's scenes are made; ValueError if it says otherwise."""
    if not note.exists():
        write_json(note, record)
    elif (found := read_json(note)) != record:
        raise ValueError(
            f"{note}: scenes made with {found}, asked for {record}; "
            "use the same settings or choose another folder"
        )


def make_scene(root, settings: SynthesisSettings, index: int) -> str:
    """Write scene `index` whole or not at all; returns its name."""
    name = f"scene{index:04d}_00"
    folder = Path(root) / "scans" / name
    partial = folder.with_name(f".{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    rng = np.random.default_rng([settings.seed, 2, index])
    room = settings.room(index)
    caster = RoomCaster(room, Light.random(rng, room.size))
    between = -(-SCAN_POSES // settings.frames)  # a reconstruction fuses more frames than are kept
    scan_poses = hand_held_path(room, between * settings.frames, rng)
    poses = scan_poses[::between]
    fused = scan_poses[:: max(1, len(scan_poses) // SCAN_POSES)]
    mesh = scan_mesh(room, caster, fused, settings.points, rng, settings.difficulty)
    alignment, raw_from_room = _random_frame(room, rng)
    header = _cameras(settings, rng)
    frames = _frames(caster, header, poses, raw_from_room, settings.difficulty.noise, rng)
    header.num_frames = write_sens(partial / f"{name}.sens", header, frames)
    coord = mesh.coord @ raw_from_room[:3, :3].T + raw_from_room[:3, 3]
    alpha = np.full(len(coord), 255, np.uint8)  # as ScanNet's meshes have it
    write_ply(partial / f"{name}_vh_clean_2.ply", coord, mesh.color, mesh.face, alpha=alpha)
    write_annotation(partial, name, room, mesh, rng)
    _write_text(partial / f"{name}.txt", meta_text(header, alignment, room.theme))
    partial.rename(folder)
    return name


def _random_frame(room: Room, rng) -> tuple[np.ndarray, np.ndarray]:
    """axisAlignment (4, 4), rounded as printed, and the transform from room to raw (4, 4)."""
    yaw = rng.uniform(0.15, np.pi / 2 - 0.15) + rng.integers(4) * np.pi / 2
    cos, sin = np.cos(yaw), np.sin(yaw)
    alignment = np.eye(4)
    alignment[:2, :2] = [[cos, -sin], [sin, cos]]
    alignment[:3, 3] = rng.uniform([-5, -5, -0.15], [5, 5, -0.02])
    alignment = alignment.round(6)
    centered = np.eye(4)  # the aligned frame has the room's middle above its origin, as ScanNet's
    centered[:2, 3] = -room.size[:2] / 2
    return alignment, np.linalg.inv(alignment) @ centered


def _cameras(settings: SynthesisSettings, rng) -> SensHeader:
    """Two pinhole cameras at one place, within 1 % of ScanNet's nominal intrinsics."""

    def intrinsic(size, focal, full):
        matrix, scale = np.eye(4), np.array(size) / full
        matrix[[0, 1], [0, 1]] = focal * scale * rng.uniform(0.99, 1.01)
        matrix[:2, 2] = (np.array(full) / 2 + rng.uniform(-4, 4, 2)) * scale - 0.5
        return matrix.astype(np.float32)

    color = intrinsic(settings.color_size, 1170.19, (1296, 968))
    depth = intrinsic(settings.depth_size, 577.87, (640, 480))
    return SensHeader(color, depth, *settings.color_size, *settings.depth_size)


def _frames(caster, header: SensHeader, poses, raw_from_room, noise: float, rng):
    """Render and pack the frames one by one; some have no pose, one has no depth."""
    count = len(poses)
    bad = 1 + rng.permutation(count - 1)[: 1 + max(1, count // 16)]
    blank, lost = bad[0], bad[1:]
    color_rays = pixel_rays(header.intrinsic_color, header.color_width, header.color_height)
    depth_rays = pixel_rays(header.intrinsic_depth, header.depth_width, header.depth_height)
    for index, pose in enumerate(poses):
        color = render_color(caster, color_rays, pose, rng, noise)
        depth = render_depth(caster, depth_rays, pose, rng, noise)
        raw_pose = np.full((4, 4), -np.inf) if index in lost else raw_from_room @ pose
        yield pack_frame(header, index, raw_pose, color, depth * np.uint16(index != blank))


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as partial:
        Path(partial).write_text(text, encoding="utf-8")
