"""All checks of one prepared scene. N points, V views."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..camera.fit import MIN_VISIBLE, fit_views, linked_colors
from ..clouds.voxels import voxelize
from ..contracts.classes import ClassTable
from ..contracts.scene import MANIFEST
from ..files import read_json
from .colors import check_colors, check_photos, with_colors
from .findings import Findings
from .fit import check_fit, read_posed_depth
from .points import PREPARE, check_points, is_possible
from .regions import check_regions, check_view_regions
from .views import check_gravity, check_views

EVENLY = 0.5  # median error over tolerance where links are spread evenly; right ones have less


@dataclass(frozen=True)
class Settings:
    """What the checks compare with; all from the training configuration."""

    table: ClassTable | None = None  # None: unknown
    num_views: int = 6  # of a sample
    tolerance: float = 0.04  # m, of the point-pixel links
    grid_size: float = 0.04  # m, voxel edge
    max_views: int = 24  # looked at in each scene, evenly spread


def check_scene(scene: str | Path, settings: Settings) -> dict:
    """Findings.record() of a scene folder: metrics by name, and `problems`."""
    findings = Findings()
    scene = Path(scene)
    manifest = _check_manifest(findings, scene)
    points = check_points(findings, scene, settings.table)
    coord = points.get("coord")
    if coord is not None:
        whole = coord[is_possible(coord)]
        findings.metrics["voxels"] = len(voxelize(whole, settings.grid_size)[1])
    check_regions(findings, scene, None if coord is None else len(coord))
    views, frames = check_views(findings, scene, settings.num_views, settings.max_views)
    if views is not None:
        check_view_regions(findings, scene, frames, views)
    if coord is not None and len(frames):
        rendered = (manifest.get("rendered_depth") or {}).get("views", ())
        _check_links(findings, scene, points, views, frames, set(rendered), settings)
    table = settings.table
    if table and table.label_file in points and not findings.has("label-range"):
        label = points[table.label_file]
        present = np.unique(label[label >= 0]).astype(int)
        findings.metrics["labeled"] = [table.names[i] for i in present]
    findings.metrics["bytes"] = sum(p.stat().st_size for p in scene.rglob("*") if p.is_file())
    return findings.record()


def _check_manifest(findings, scene):
    """The manifest of a scene, {} where there is none."""
    try:
        manifest = read_json(scene / MANIFEST)
        rendered = manifest.get("rendered_depth") if isinstance(manifest, dict) else "nowhere"
        if not isinstance(rendered, (dict, type(None))):
            raise ValueError("not as `wsegpc prepare` writes it")
        return manifest
    except FileNotFoundError:
        what = "manifest.json is missing: the scene was not made by `wsegpc prepare`"
        findings.add("missing-manifest", what, f"{PREPARE}, or add one", wasted=False)
    except ValueError as error:
        findings.add("manifest", f"manifest.json cannot be used: {error}", PREPARE)
    return {}


def _check_links(findings, scene, points, views, frames, rendered, settings):
    """What needs points and views together: their fit, visibility, and colors.

    rendered: frames whose depth comes from the points themselves, so says nothing about poses.
    """
    posed = read_posed_depth(scene, views, frames)
    finite = is_possible(points["coord"])
    coord = points["coord"][finite]
    color = points.get("color")
    color = color[finite] if color is not None and len(color) == len(finite) else None
    fits = True
    if rendered >= set(frames):
        findings.drop("depth-8-bit")  # few depths of few points, and no image of a depth camera
        likely_size = not findings.has("spacing", "extent")
        fits = check_photos(findings, scene, coord, color, posed, views, likely_size)
    if fits:
        measured = [view for view in posed if view.frame not in rendered] or posed
        fits = check_fit(findings, coord, measured, views, settings.tolerance)
    exact = [replace(view, footprint=0.0) for view in posed]  # as training makes its links
    links = fit_views(coord, exact, settings.tolerance)
    visible, error = float(links.visible.mean()), links.link_error
    findings.metrics.update(
        visible=round(visible, 4),
        link_error=None if error is None else round(error, 4),
        checked_views=len(posed),
    )
    if not fits:  # the rest would follow from it
        return
    check_gravity(findings, views)
    if error is not None and error > EVENLY * settings.tolerance:
        findings.add(
            "links-loose",
            f"median |depth - z| of the links is {error:.3f} m, as by chance within "
            f"{settings.tolerance} m",
            "poses or depth scale may be a little off: look at the overlay figures",
            wasted=False,
        )
    if visible < MIN_VISIBLE:
        findings.add(
            "hardly-visible",
            f"{visible:.1%} of the points are within {settings.tolerance} m of what views see",
            "take more frames, or raise depth_tolerance if images are small",
            wasted=False,
        )
    if color is not None:
        colored = with_colors(scene, posed)
        check_colors(findings, *linked_colors(coord, color, colored, settings.tolerance))
