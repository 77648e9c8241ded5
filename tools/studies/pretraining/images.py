"""Rendered images of rooms and of single objects, and which classes each of them shows.

C classes, K images of H x W pixels from one room. No pixel's label leaves this module: an image
has one multi-hot vector (C,).
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image

from pointcept_wsegpc.captures.scannet.raw import TABLE, nyu40_to_scannet20
from pointcept_wsegpc.jobs.scenes import run_jobs
from pointcept_wsegpc.synthetic.benchmark import CROWDED, SIZES
from pointcept_wsegpc.synthetic.rooms.difficulty import PLAIN
from pointcept_wsegpc.synthetic.rooms.raw import CROWDED_CATEGORIES, RAW_CATEGORIES
from pointcept_wsegpc.synthetic.rooms.render import Light, RoomCaster, pixel_rays, render_color
from pointcept_wsegpc.synthetic.rooms.room import FREQUENCY, Room, make_room
from pointcept_wsegpc.synthetic.rooms.trajectory import hand_held_path

FIRST_SEED = 5000  # of the image rooms; those of the scans are below
PLAIN_SEED = 0
PER_ROOM = 8  # images
SHARE = 0.01  # of an image's pixels that a class must have to be shown
OVERSAMPLING = 2  # per axis, against jagged edges
FOCAL = 0.9  # in image widths, as of a depth camera


def room_seeds(seed: int) -> tuple[int, int]:
    """Seeds of the rooms to train on and of those held out, disjoint from all scans' seeds.

    Raises ValueError for a seed of which that cannot be said.
    """
    found = FIRST_SEED + 2 * seed, FIRST_SEED + 2 * seed + 1
    if reserved := set(found) & {PLAIN_SEED, *(s.scans.seed for s in SIZES.values())}:
        raise ValueError(f"seed {seed} gives the rooms of seed {reserved.pop()}, which are scanned")
    if seed < 0:
        raise ValueError(f"seed is {seed}; give at least 0")
    return found


def render_set(seed: int, count: int, size: tuple[int, int], workers: int = 1):
    """`count` images (count, H, W, 3) uint8 and their classes (count, C) float32.

    size: (H, W) pixels. Image i depends on seed, i and size alone.
    """
    rooms = -(-count // PER_ROOM)
    jobs = {f"{index:06d}": index for index in range(rooms)}
    outcome = run_jobs(
        functools.partial(render_room, seed, size), jobs, workers=workers, title="images"
    )
    if outcome.failed:
        raise ValueError(outcome.summary())
    images, classes = zip(*(outcome.done[name] for name in jobs), strict=True)
    return np.concatenate(images)[:count], np.concatenate(classes)[:count]


def render_room(seed: int, size: tuple[int, int], index: int) -> tuple[np.ndarray, np.ndarray]:
    """PER_ROOM images of room `index`: every other room holds things of a single class."""
    rng = np.random.default_rng([seed, 4, index])
    single = index % 2 == 1
    if single:
        names = list(FREQUENCY)
        room = make_room(seed, index, PLAIN, [names[index // 2 % len(names)]])
    else:
        room = make_room(seed, index, CROWDED)
    caster = RoomCaster(room, Light.random(rng, room.size))
    poses = poses_around(room, rng) if single else hand_held_path(room, PER_ROOM, rng)
    height, width = (OVERSAMPLING * pixels for pixels in size)
    focal, center = FOCAL * width, ((width - 1) / 2, (height - 1) / 2)
    intrinsic = np.array([[focal, 0, center[0]], [0, focal, center[1]], [0, 0, 1]])
    rays = pixel_rays(intrinsic, width, height)
    images = [render_color(caster, rays, pose, rng, CROWDED.noise) for pose in poses]
    small = [Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX) for image in images]
    owner = owner_classes(room)
    shown = [shown_classes(caster, rays, pose, owner) for pose in poses]
    return np.stack([np.asarray(image) for image in small]), np.stack(shown)


def poses_around(room: Room, rng) -> np.ndarray:
    """Camera-to-world poses (K, 4, 4) that look at one of the room's objects from about it."""
    low, high = room.boxes[0]
    target = (low + high) / 2
    poses = np.tile(np.eye(4), (PER_ROOM, 1, 1))
    for pose in poses:
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(1.2, 2.8)
        eye = target + away * np.array([np.cos(angle), np.sin(angle), 0])
        eye = np.clip(eye, 0.3, room.size - 0.3)
        eye[2] = rng.uniform(1.2, 1.8)
        forward = target + rng.normal(0, 0.15, 3) - eye
        forward /= max(np.linalg.norm(forward), 1e-6)
        right = np.cross(forward, [0.01, 0.0, 1.0])
        right /= np.linalg.norm(right)
        pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], -1)
        pose[:3, 3] = eye
    return poses


def owner_classes(room: Room) -> np.ndarray:
    """Class of every patch of a room, -1 for one of no class."""
    categories = RAW_CATEGORIES | CROWDED_CATEGORIES
    nyu40 = np.array([categories[model.label][1] for model in room.objects])
    return np.repeat(nyu40_to_scannet20(nyu40), [len(model.patches) for model in room.objects])


def shown_classes(caster: RoomCaster, rays, pose, owner: np.ndarray) -> np.ndarray:
    """Multi-hot (C,) float32: the classes with at least SHARE of the pixels."""
    direction = rays.reshape(-1, 3) @ pose[:3, :3].T
    origin = np.broadcast_to(pose[:3, 3], direction.shape)
    _, triangle = caster.cast(origin, direction)
    classes = owner[caster.patch[triangle[triangle >= 0]]]
    count = np.bincount(classes[classes >= 0], minlength=len(TABLE))
    return (count >= SHARE * len(direction)).astype(np.float32)
