"""What the cases compute on: a synthetic prepared scene, and the outputs of imagined networks.

Shapes: N points, C classes, R regions, B scenes, V views of H x W pixels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from pointcept_wsegpc.captures.scannet.scene import ScanNetSettings
from pointcept_wsegpc.contracts.scene import read_points, scene_dirs
from pointcept_wsegpc.contracts.tags import assemble_tags
from pointcept_wsegpc.regions.scenes.extract import extract_regions
from pointcept_wsegpc.regions.scenes.records import finished_record
from pointcept_wsegpc.regions.scenes.settings import RegionSettings
from pointcept_wsegpc.synthetic import benchmark as synthrooms
from pointcept_wsegpc.synthetic.rooms.shapes import rotation_z
from pointcept_wsegpc.synthetic.scans import SynthesisSettings


@dataclass(frozen=True)
class Sizes:
    """How large everything is; the defaults are those of a training on ScanNet."""

    points: int = 150_000  # of a scene
    frames: int = 24  # of its capture, some of them lost
    scan: tuple = (640, 480)  # px, (width, height) of the capture
    size: tuple = (240, 320)  # px, (H, W) of a stored view
    views: int = 6  # of a sample
    batch: int = 4
    voxels: int = 235_000  # of a batch
    classes: int = 20
    points_per_region: int = 800
    pixels_per_region: int = 1200
    pairs: int = 512
    channels: int = 2048
    networks: tuple = ("18A", "resnet50")
    growing_share: int = 15  # the plain region growing gets 1 point in so many
    few: int = 40_000  # points of a scene, for CGAL; the other is one of `points`
    room: int = 100_000  # points of one room of a building of `rooms`
    rooms: int = 10


QUICK = Sizes(
    points=3000, frames=4, scan=(64, 48), size=(48, 64), views=2, batch=2, voxels=4000,
    points_per_region=80, pixels_per_region=80, pairs=32, channels=64,
    networks=("14A", "resnet18"), growing_share=2, few=2000, room=2500,
)  # fmt: skip


def views_text(sizes):
    """Views of a sample, as a row of the table says it."""
    height, width = sizes.size
    return f"{sizes.views} views of {width}x{height}"


def prepared_scene(cache, sizes):
    """Folder of a data set of one prepared scene with regions and tags, made where missing."""
    root = Path(cache) / f"{sizes.points}-{'x'.join(map(str, (*sizes.scan, *sizes.size)))}"
    scans = SynthesisSettings(
        points=sizes.points, frames=sizes.frames, color_size=sizes.scan, depth_size=sizes.scan
    )
    height, width = sizes.size
    prepared = ScanNetSettings(stride=1, height=height, width=width)
    size = synthrooms.Size("one scene", 1, 0, scans, prepared)
    (scene,) = synthrooms.scenes(root, size).values()
    if finished_record(scene.folder) is None:
        synthrooms.make(scene)
        assemble_tags(root)
        extract_regions(scene.folder, RegionSettings())
    return root.resolve()


def first_scene(cache, sizes):
    """Folder of the one scene."""
    return scene_dirs(prepared_scene(cache, sizes), "train")[0]


def building(cache, sizes):
    """Copies of a room side by side, coord (N,3) m and normal (N,3), the first room first.

    Each is turned a little and has noise of its own, so that no two are the same to the program.
    """
    rng = np.random.default_rng(0)
    scene = read_points(first_scene(cache, sizes), ["coord", "normal"])
    part = np.sort(rng.choice(len(scene["coord"]), sizes.room, replace=False))
    room, normal = (scene[name][part].astype(np.float64) for name in ("coord", "normal"))
    room -= room.mean(axis=0)
    step = 1.1 * np.linalg.norm(np.ptp(room[:, :2], axis=0))  # whatever the turn
    coords, normals = [], []
    for i in range(sizes.rooms):
        angle = rng.uniform(0, 0.2)
        turn = rotation_z(angle)
        coords.append(room @ turn.T + [i // 2 * step, i % 2 * step, 0])
        coords[-1] += rng.normal(0, 0.001, room.shape)
        normals.append(normal @ turn.T)
    return tuple(np.concatenate(arrays).astype(np.float32) for arrays in (coords, normals))


def cell_regions(coord, num_regions, rng, unassigned=0.05):
    """Compact regions of any point set: nearest of `num_regions` seeds, (N, D) -> (N,) int64.

    A share of the seeds leaves its points without a region (-1).
    """
    seeds = coord[rng.choice(len(coord), num_regions, replace=False)]
    _, cell = cKDTree(seeds).query(coord)
    ids = np.arange(num_regions)
    ids[rng.random(num_regions) < unassigned] = -1
    return np.unique(ids, return_inverse=True)[1][cell] - int((ids < 0).any())


def teacher_logits(region, tags, scene, rng):
    """Logits (N, C) of a half-trained teacher: noise around one class per region.

    Regions differ in how sure they are, so that about half of the points pass their thresholds.
    """
    num_regions = int(region.max()) + 1
    first = np.zeros(num_regions + 1, dtype=int)
    first[region] = scene
    present = [np.flatnonzero(row) for row in tags]
    favorite = np.array([rng.choice(present[s]) for s in first])
    strength = rng.uniform(0, 7, num_regions + 1).astype(np.float32)  # last row: no region
    logits = rng.standard_normal((len(region), tags.shape[1]), dtype=np.float32)
    logits[np.arange(len(region)), favorite[region]] += strength[region]
    return logits


def scene_tags(count, classes, rng):
    """Tags (B, C) float32, about a third of the classes in every scene."""
    tags = (rng.random((count, classes)) < 0.3).astype(np.float32)
    tags[:, :2] = 1
    return tags


@dataclass
class ConsistencyInput:
    """What reaches region-point consistency: of points (N, C), or of views (V, C, H, W)."""

    student: torch.Tensor
    teacher: torch.Tensor
    tags: torch.Tensor  # (B, C), of views (V, C)
    offset: torch.Tensor  # (B,), of views (V,): cumulative ends of the points or pixels
    region: torch.Tensor  # (N,) unique over the batch, -1 = none
    count: torch.Tensor  # (C,) labels assigned so far


def consistency_points(sizes):
    """A batch of voxels in scan order, which interleaves the regions of a scene."""
    rng = np.random.default_rng(0)
    ends = np.linspace(0, sizes.voxels, sizes.batch + 1).astype(int)[1:]
    region, start = [], 0
    for count in np.diff(ends, prepend=0):
        coord = rng.random((count, 3))
        coord = coord[np.argsort(np.floor(coord[:, 0] * 100), kind="stable")]
        part = cell_regions(coord, max(count // sizes.points_per_region, 2), rng)
        region.append(np.where(part < 0, -1, part + start))
        start += part.max() + 1
    return _consistency(np.concatenate(region), ends, sizes.classes, rng)


def consistency_views(sizes):
    """The same of a batch of views; maps are in torch's default layout, (V, C, H, W) contiguous."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.indices(sizes.size), axis=-1).reshape(-1, 2)
    region, start = [], 0
    for _ in range(sizes.batch * sizes.views):
        part = cell_regions(grid, max(len(grid) // sizes.pixels_per_region, 2), rng, 0.1)
        region.append(np.where(part < 0, -1, part + start))
        start += part.max() + 1
    ends = np.arange(1, len(region) + 1) * len(grid)
    flat = _consistency(np.concatenate(region), ends, sizes.classes, rng)
    for name in ("student", "teacher"):
        rows = getattr(flat, name).reshape(len(region), *sizes.size, sizes.classes)
        setattr(flat, name, rows.permute(0, 3, 1, 2).contiguous())
    return flat


def _consistency(region, ends, classes, rng):
    counts = np.diff(ends, prepend=0)
    tags = scene_tags(len(ends), classes, rng)
    scene = np.repeat(np.arange(len(ends)), counts)
    return ConsistencyInput(
        student=torch.from_numpy(rng.standard_normal((len(region), classes), dtype=np.float32)),
        teacher=torch.from_numpy(teacher_logits(region, tags, scene, rng)),
        tags=torch.from_numpy(tags),
        offset=torch.from_numpy(ends.astype(np.int64)),
        region=torch.from_numpy(region.astype(np.int64)),
        count=torch.from_numpy(rng.integers(10_000, 20_000, classes)),
    )
