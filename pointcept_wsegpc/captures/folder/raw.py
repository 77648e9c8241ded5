"""Folders of a user's scans: which exist, their splits, and what is said once they are prepared."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ...clouds.spacing import LIKELY_EXTENT
from ...contracts.classes import plain
from ...contracts.scene import MANIFEST, SPLITS
from ...files import read_json, read_text
from ...files.arrays import FileError
from ..base import Capture, report_frames, some
from .world import COARSE_STEP

MIN_AGREEMENT = 0.2  # correlation of brightness between points and the pixels that see them
MAX_LISTED = 40  # notes
ALL_RETURN = "labels return to all"


def list_scenes(raw: Path) -> tuple[dict[str, tuple[str, Path]], list[str]]:
    """{scene: (split, folder)}, sorted, and names in the lists of splits without a folder.

    Raises one line for a listed name that is no plain folder name, or is in two lists.
    """
    split_of = {}
    for split in SPLITS:
        listed = raw / f"{split}.txt"
        lines = read_text(listed).splitlines() if listed.is_file() else ()
        for name in filter(None, map(plain, lines)):
            _check_name(name, listed)
            if split_of.setdefault(name, split) != split:
                raise ValueError(f"{listed}: {name} is in {split_of[name]}.txt, too; keep one")
    scenes = {}
    for path in sorted(raw.iterdir()) if raw.is_dir() else ():
        if not path.is_dir() or path.name.startswith("."):
            continue
        name = plain(path.name)
        _check_name(name, raw)
        if name in scenes:
            raise ValueError(f"{raw} has two folders {name!r}, alike but for their Unicode form")
        scenes[name] = split_of.get(name, "train"), path
    return scenes, sorted(set(split_of) - set(scenes))


def _check_name(name, source):
    """Raise ValueError for a scene's name that is no plain, visible folder name."""
    if name.startswith(".") or set(name) & set("/\\\0") or not name.strip():
        raise ValueError(f"{source}: {name!r} is no name of a scene's folder; give the name alone")


def follow_splits(captures: list) -> list[str]:
    """Move prepared scenes whose split has changed; returns their names."""
    moved = []
    for capture in captures:
        for split in SPLITS:
            old = capture.root / split / capture.name
            if old != capture.target and (old / MANIFEST).is_file():
                if capture.target.exists():
                    raise FileExistsError(f"{old} and {capture.target} are one scene; delete one")
                capture.target.parent.mkdir(parents=True, exist_ok=True)
                old.rename(capture.target)
                moved.append(capture.name)
    return moved


def changed_since(capture) -> bool:
    """Whether a file or folder of the scan is newer than its prepared scene."""
    prepared = (capture.target / MANIFEST).stat().st_mtime
    paths = (capture.folder, *capture.folder.rglob("*"))
    return any(path.stat().st_mtime > prepared for path in paths if path.exists())


def _sources(captures: list) -> dict[str, tuple[str, Path | None]]:
    """{name: (split, folder of the scan)} of all prepared scenes; None where it is not known."""
    found = {}
    for split in SPLITS:
        for path in captures[0].root.glob(f"{split}/*/{MANIFEST}"):
            folder = None
            with contextlib.suppress(FileError, KeyError, TypeError):
                folder = Path(read_json(path)["source"]["capture"])
            found[path.parent.name] = split, folder
    return found


def scenes_of_others(captures: list) -> dict[str, str]:
    """{name: split} of prepared scenes that come from another folder of scans than the captures."""
    names, raw = {capture.name for capture in captures}, captures[0].folder.parent
    sources = {name: found for name, found in _sources(captures).items() if name not in names}
    return {name: split for name, (split, folder) in sources.items() if not _in(raw, folder)}


def left_behind(captures: list) -> list[str]:
    """Prepared scenes, as split/scene, whose folder among the captures' is gone."""
    names, raw = {capture.name for capture in captures}, captures[0].folder.parent
    sources = {name: found for name, found in _sources(captures).items() if name not in names}
    return sorted(f"{split}/{name}" for name, (split, at) in sources.items() if _in(raw, at))


def _in(raw, folder):
    return folder is not None and folder.parent == raw


def check_sources(captures: list) -> None:
    """Raise ValueError for a scan whose prepared scene was made from another folder of its name."""
    sources = _sources(captures)
    for capture in captures:
        folder = sources.get(capture.name, ("", None))[1]
        if folder and folder.is_dir() and not folder.samefile(capture.folder):
            raise ValueError(
                f"{capture.folder} and {folder} would both be the scene {capture.name} of "
                f"{capture.root}; rename one of the folders, or choose another --out"
            )


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
    notes.sort(key=lambda note: ALL_RETURN in note)  # what is no fault comes last
    more = [f"  … and {len(notes) - MAX_LISTED} more"] if len(notes) > MAX_LISTED else []
    return [*lines, *report_frames(prepared), *notes[:MAX_LISTED], *more]


def scene_notes(manifest: dict) -> Iterator[str]:
    """What the owner of a scan should know."""
    fused = manifest.get("fused")
    lost, far = (manifest.get(f"num_{why}", 0) for why in ("without_coordinates", "too_far"))
    placed = manifest["num_scanned"] - lost - far
    if lost:
        yield f"{lost} of {manifest['num_scanned']} points have no coordinates: no label"
    if far:
        row, *place = manifest["too_far"]
        where = " ".join(f"{value:.4g}" for value in place)
        yield (
            f"{far} of {manifest['num_scanned']} points lie farther away than a scan reaches, such "
            f"as point {row} at {where}: no label"
        )
    if placed > manifest["num_points"] and not fused:
        yield (
            f"{manifest['num_points']} of {placed} points, one in {manifest['settings']['spacing']}"
            f" m; {ALL_RETURN}{' of these' * bool(lost + far)}"
        )
    if (step := manifest.get("coordinate_step", 0)) > COARSE_STEP:
        yield coarse(step)
    if not manifest["colored"]:
        yield "its cloud has no colors; gray is stored, and the 3D network sees shape alone"
    if not LIKELY_EXTENT[0] <= manifest["extent"] <= LIKELY_EXTENT[1]:
        yield f"it is {manifest['extent']:.4g} m long; where its unit is no meter, give --scale"
    if fused:
        yield (
            f"it has no cloud; one of {manifest['num_scanned']} points is fused from "
            f"{fused['views']} depth images, in voxels of {fused['voxel']} m"
        )
    rendered = manifest.get("rendered_depth") or {"views": ()}
    if count := len(rendered["views"]):
        told = (
            f"no depth image goes with {count} of {manifest['num_views']} images; their depth is "
            f"rendered from its {rendered['from']}"
        )
        if unused := manifest.get("unused_depth"):
            image = manifest["images"][str(rendered["views"][0])]
            told += (
                f"; {len(unused)} depth files fit none of them, such as {unused[0]} for "
                f"{image}: name them alike, as .png, .tif, .pgm or .npy"
            )
        yield told
    if manifest.get("undone"):
        yield f"the {manifest['undone']} of its poses is undone: its cloud is as before it"
    fit = manifest["fit"] or {}
    if fit.get("depth_error") is not None:
        yield f"measured depth is {1000 * fit['depth_error']:.0f} mm off the cloud's"
    agreement = fit.get("color_agreement")
    if agreement is not None and agreement < MIN_AGREEMENT:
        yield (
            f"colors of points and images hardly agree (correlation {agreement:.2f}); "
            "do the poses fit the cloud?"
        )


def coarse(step: float) -> str:
    """What is wrong with 32-bit coordinates that are `step` m apart."""
    return (
        f"coordinates are 32-bit floats, {step:.2g} m apart so far from the origin; export doubles "
        "or a local frame"
    )
