"""The report printed after a user's scans are prepared."""

from __future__ import annotations

from collections.abc import Iterator

from ...clouds.spacing import LIKELY_EXTENT
from ..base import Capture, report_frames, some
from .raw import changed_since

MIN_AGREEMENT = 0.2  # correlation of brightness between points and the pixels that see them
MAX_LISTED = 40  # notes
ALL_RETURN = "labels return to all"


def report(prepared: list[tuple[Capture, dict]]) -> list[str]:
    """Closing lines on captures and their manifests."""
    changed = [capture.name for capture, _ in prepared if changed_since(capture)]
    lines = []
    if changed:
        lines.append(
            f"{len(changed)} finished scenes have changed since: {some(changed)}; delete "
            "their prepared folders to prepare them again"
        )
    notes = [f"  {c.name}: {note}" for c, manifest in prepared for note in scene_notes(manifest)]
    notes.sort(key=lambda note: note.endswith(ALL_RETURN))  # what is no fault comes last
    more = [f"  … and {len(notes) - MAX_LISTED} more"] if len(notes) > MAX_LISTED else []
    return [*lines, *report_frames(prepared), *notes[:MAX_LISTED], *more]


def scene_notes(manifest: dict) -> Iterator[str]:
    """What the owner of a scan should know."""
    if manifest["num_scanned"] > manifest["num_points"]:
        spacing = manifest["settings"]["spacing"]
        yield (
            f"{manifest['num_points']} of {manifest['num_scanned']} points, one in {spacing} m; "
            f"{ALL_RETURN}"
        )
    if not manifest["colored"]:
        yield "its cloud has no colors; gray is stored, and the 3D network sees shape alone"
    if not LIKELY_EXTENT[0] <= manifest["extent"] <= LIKELY_EXTENT[1]:
        yield f"it is {manifest['extent']:.4g} m long; where its unit is no meter, give --scale"
    rendered = manifest.get("rendered_depth") or {"views": ()}
    if count := len(rendered["views"]):
        yield (
            f"no depth image goes with {count} of {manifest['num_views']} images; their depth is "
            f"rendered from its {rendered['from']}"
        )
    fit = manifest["fit"] or {}
    if fit.get("depth_error") is not None:
        yield f"measured depth is {1000 * fit['depth_error']:.0f} mm off the cloud's"
    agreement = fit.get("color_agreement")
    if agreement is not None and agreement < MIN_AGREEMENT:
        yield (
            f"colors of points and images hardly agree (correlation {agreement:.2f}); "
            "do the poses fit the cloud?"
        )
