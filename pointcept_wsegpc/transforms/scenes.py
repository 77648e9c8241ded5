"""Structure removal: ground, walls and ceiling occur in nearly every scene, so their tags have no
negatives. Randomly removing the structure and its tags creates some.

Shapes: N points, C classes. Coordinates in meters, axis-aligned, z up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..registry import check_choice

REACH = 0.5  # m from the bounding box in which a structure is looked for
MIN_SHARE = 0.1  # share of the points there that its regions hold


def structure_regions(
    coord: np.ndarray,
    region: np.ndarray,
    role: str,
    reach: float = REACH,
    min_share: float = MIN_SHARE,
) -> list[int]:
    """Region ids of one structure: for each of its sides, the region with most points near it.

    Args: coord (N, 3) m, axis-aligned; region (N,) with -1 = none; role: "ground" (bottom),
        "ceiling" (top) or "wall" (the four sides); min_share: share of the points near the sides
        that these regions must hold together. Supervoxels hold less: a piece is not a floor.
    Returns: sorted list of ids, empty where there is no such structure.
    """
    low, high = coord.min(0), coord.max(0)
    sides = {
        "ground": [coord[:, 2] < low[2] + reach],
        "ceiling": [coord[:, 2] > high[2] - reach],
        "wall": [
            near
            for axis in (0, 1)
            for near in (coord[:, axis] < low[axis] + reach, coord[:, axis] > high[axis] - reach)
        ],
    }
    check_choice("role", role, sides)
    found, held, total = set(), 0, 0
    for near in sides[role]:
        counts = np.bincount(region[near & (region >= 0)], minlength=1)
        held, total = held + counts.max(), total + near.sum()
        if counts.max() > 0:
            found.add(int(counts.argmax()))
    return sorted(found) if held >= min_share * total else []


def remove_structure(
    coord: np.ndarray,
    region: np.ndarray,
    tags: np.ndarray,
    structures: Mapping[str, tuple[Sequence[int], float]],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Remove each structure with its probability, and set the tags of its role to 0.

    Args: coord (N, 3) m, axis-aligned; region (N,); tags (C,); structures: {role: (ids of its
        classes, probability)}.
    Returns: keep (N,) bool, tags (C,). A structure that is not found, or without which nothing
        would be left, stays, and so do its tags.
    """
    keep, tags = np.ones(len(coord), dtype=bool), tags.copy()
    for role, (classes, probability) in structures.items():
        if rng.random() >= probability or len(coord) == 0:
            continue
        ids = structure_regions(coord, region, role)
        remaining = keep & ~np.isin(region, ids)
        if ids and remaining.any():
            keep, tags[list(classes)] = remaining, 0
    return keep, tags


def scatter_scenes(coords: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Move each cloud to the origin and then at random by up to half its extent.

    Args: coords: list of (N_i, 3) m. Returns the same list, moved; one cloud alone is not moved.
    """
    if len(coords) < 2:
        return coords
    moved = []
    for coord in coords:
        centered = coord - coord.mean(0)
        shift = rng.uniform(centered.min(0), centered.max(0)) / 2
        moved.append((centered + shift).astype(np.float32))
    return moved
