"""All checks of one prepared scene. N points, V views."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..contracts.classes import ClassTable
from .colors import check_colors, check_photos, linked_colors
from .diagnosis import check_fit
from .findings import Findings
from .fit import load_cameras, visibility
from .points import PREPARE, check_points
from .regions import check_regions, check_view_regions
from .views import check_gravity, check_views

LEAST_VISIBLE = 0.05  # share of the points seen by the checked views
EVENLY = 0.5  # median error over tolerance where links are spread evenly; right ones have less


@dataclass(frozen=True)
class Settings:
    """What the checks compare with; all from the training configuration."""

    table: ClassTable | None = None  # None: unknown
    num_views: int = 6  # of a sample
    tolerance: float = 0.04  # m, of the point-pixel links
    grid_size: float = 0.04  # m, voxel edge
    max_views: int = 24  # looked at in each scene, evenly spread


def check_scene(scene, settings):
    """Findings.record() of a scene folder: measures by name, and `problems`."""
    findings = Findings()
    scene = Path(scene)
    manifest = _check_manifest(findings, scene)
    points = check_points(findings, scene, settings.table)
    coord = points.get("coord")
    if coord is not None:
        findings.measures["voxels"] = count_voxels(coord, settings.grid_size)
    check_regions(findings, scene, None if coord is None else len(coord))
    views, frames = check_views(findings, scene, settings.num_views, settings.max_views)
    if views is not None:
        check_view_regions(findings, scene, frames, views.size)
    if coord is not None and len(frames):
        rendered = (manifest.get("rendered_depth") or {}).get("views", ())
        _check_links(findings, scene, points, views, frames, set(rendered), settings)
    table = settings.table
    if table and table.label_file in points and not findings.has("label-range"):
        label = points[table.label_file]
        present = np.unique(label[label >= 0]).astype(int)
        findings.measures["labelled"] = [table.names[i] for i in present]
    findings.measures["bytes"] = sum(p.stat().st_size for p in scene.rglob("*") if p.is_file())
    return findings.record()


def _check_manifest(findings, scene):
    """The manifest of a scene, {} where there is none."""
    try:
        manifest = json.loads((scene / "manifest.json").read_text(encoding="utf-8"))
        rendered = manifest.get("rendered_depth") if isinstance(manifest, dict) else "nowhere"
        if not isinstance(rendered, (dict, type(None))):
            raise ValueError("not as the prepare tools write it")
        return manifest
    except FileNotFoundError:
        what = "manifest.json is missing: the scene was not made by a prepare tool"
        findings.add("missing-manifest", what, f"{PREPARE}, or add one", wasted=False)
    except ValueError as error:
        findings.add("manifest", f"manifest.json cannot be used: {error}", PREPARE)
    return {}


def _check_links(findings, scene, points, views, frames, rendered, settings):
    """What needs points and views together: their fit, visibility, and colours.

    rendered: frames whose depth comes from the points themselves, so says nothing about poses.
    """
    cameras = load_cameras(scene, views, frames)
    finite = np.isfinite(points["coord"]).all(axis=1)
    coord = points["coord"][finite]
    color = points.get("color")
    color = color[finite] if color is not None and len(color) == len(finite) else None
    fits = True
    if rendered >= set(frames):
        findings.drop("depth-8-bit")  # few depths of few points, and no image of a depth camera
        likely_size = not findings.has("spacing", "extent")
        fits = check_photos(findings, scene, coord, color, cameras, views, likely_size)
    if fits:
        measured = cameras if rendered >= set(frames) else cameras.without(rendered)
        fits = check_fit(findings, coord, measured, views, settings.tolerance)
    seen, error = visibility(coord, cameras, settings.tolerance)
    findings.measures.update(
        visible=round(float(seen.mean()), 4),
        link_error=round(error, 4) if np.isfinite(error) else None,
        checked_views=len(cameras),
    )
    if not fits:  # the rest would follow from it
        return
    check_gravity(findings, views)
    if error > EVENLY * settings.tolerance:
        findings.add(
            "links-loose",
            f"median |depth - z| of the links is {error:.3f} m, as by chance within "
            f"{settings.tolerance} m",
            "poses or depth scale may be a little off: look at the overlay pictures",
            wasted=False,
        )
    if seen.mean() < LEAST_VISIBLE:
        findings.add(
            "hardly-visible",
            f"{seen.mean():.1%} of the points are within {settings.tolerance} m of what views see",
            "take more frames, or raise depth_tolerance if images are small",
            wasted=False,
        )
    if color is not None:
        links = linked_colors(scene, coord, color, cameras, settings.tolerance)
        check_colors(findings, *links)


def count_voxels(coord, grid_size):
    """Number of voxels with edge `grid_size` m that points (N, 3) occupy."""
    coord = coord[np.isfinite(coord).all(axis=1)]
    grid = np.floor((coord - coord.min(axis=0)) / grid_size).astype(np.int64)
    extent = grid.max(axis=0) + 1
    if np.prod(extent.astype(np.float64)) > 2**62:  # in a wrong unit
        return len(np.unique(grid, axis=0))
    return len(np.unique((grid[:, 0] * extent[1] + grid[:, 1]) * extent[2] + grid[:, 2]))
