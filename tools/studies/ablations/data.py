"""The data that a table is made from: what they are, whether they are right; other regions."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from pointcept_wsegpc.commands.quickstart_report import read_truth
from pointcept_wsegpc.contracts.classes import CLASSES_FILE, ClassTable
from pointcept_wsegpc.contracts.scene import read_region, scene_dirs
from pointcept_wsegpc.contracts.tags import TAGS_FILE, read_scene_tags
from pointcept_wsegpc.contracts.views import read_views, write_view_image
from pointcept_wsegpc.files import link_or_copy, read_json, write_array
from pointcept_wsegpc.metrics import mean_iou, partition_confusion
from pointcept_wsegpc.regions.scenes.records import NAME as REGIONS
from pointcept_wsegpc.regions.scenes.records import finished_record, read_record
from pointcept_wsegpc.regions.scenes.settings import RegionSettings

from .benchmarks import PRETRAINING, REPOSITORY, Benchmark
from .rows import Table

SPLITS = ("train", "val")
REGION_FILES, REGION_IMAGES = ("region.npy", "regions.json"), ".region.png"
ARRAYS = ("coord", "color", "normal", "region", "segment*")
PIECES, PIECE = 64, 2**14  # bytes of a file that are read: all, or so many pieces of that many


def check_data(benchmark: Benchmark, table: Table) -> None:
    """Raise, in one line, where data or weights are missing or regions are not the benchmark's.

    FileNotFoundError says which, and what makes them. ValueError names the first scene whose
    regions are not those of `wsegpc regions` without options, where the benchmark's are.
    """
    root = REPOSITORY / benchmark.data_root
    try:
        for split in SPLITS:
            scene_dirs(root, split)
        read_scene_tags(root / TAGS_FILE)
    except FileNotFoundError as error:
        found = str(error).partition(";")[0]
        raise FileNotFoundError(f"{found}; this data set is made by {benchmark.make}") from error
    missing = [path for path in weight_files(benchmark, table) if not (REPOSITORY / path).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{', '.join(missing)}: no such file; {weights_hint(missing[0])}, or choose --rows "
            "that need none"
        )
    if benchmark.partition != "growing":
        return
    scenes = scene_dirs(root, SPLITS)
    others = [scene for scene in scenes if finished_record(scene, RegionSettings()) is None]
    if others:
        raise ValueError(
            f"{len(others)} of {len(scenes)} scenes have other regions than the default ones or "
            f"none, {others[0]} first; run `wsegpc regions` {benchmark.data_root}"
        )


def weight_files(benchmark: Benchmark, table: Table) -> list[str]:
    """Files of 2D weights that the rows of a table start from."""
    key = "model.image_encoder.weights"
    used = (row.both.get(key, benchmark.stage_one.get(key)) for row in table.rows)
    return [name for name in dict.fromkeys(used) if name not in (None, "none", "imagenet")]


def weights_hint(path: str) -> str:
    if path in PRETRAINING:
        command = f"tools/studies/pretrain_images.py --out {path} {PRETRAINING[path]}"
        return f"make it with {command.rstrip()}"
    return "docs/ablations.md says where public weights are found"


def fingerprint(benchmark: Benchmark) -> str:
    """12 hex digits of what the data root holds, wherever it is; "" where there are no tags.

    Tags, manifests (settings and counts), settings of the regions, arrays, camera poses, and names
    and sizes of the images. Of an array over 1 MiB, 64 pieces spread over it.
    """
    root = REPOSITORY / benchmark.data_root
    if not (root / TAGS_FILE).is_file():
        return ""
    total = hashlib.sha256((root / TAGS_FILE).read_bytes())
    for scene in scene_dirs(root, SPLITS):
        total.update(f"{scene.parent.name}/{scene.name} {described(scene)}".encode())
        files = {path for name in ARRAYS for path in scene.glob(f"{name}.npy")}
        for path in [*sorted(files), *scene.glob("views.npz")]:
            total.update(f"{path.name} {path.stat().st_size}".encode())
            for piece in pieces(path):
                total.update(piece)
    return total.hexdigest()[:12]


def described(scene: Path) -> str:
    """What a scene's records say that decides its content, and its images' sizes in bytes."""
    manifest = scene / "manifest.json"
    made = read_json(manifest) if manifest.is_file() else {}
    made.pop("source", None)  # where the capture was
    record = read_record(scene) if (scene / REGIONS).is_file() else None
    images = {path.name: path.stat().st_size for path in (scene / "views").glob("[!.]*")}
    return json.dumps([made, record and record["settings"], images], sort_keys=True)


def pieces(path: Path):
    """The bytes of a file; of a large one, pieces from its head to its end."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        if size <= PIECES * PIECE:
            yield file.read()
            return
        for start in np.linspace(0, size - PIECE, PIECES).astype(int):
            file.seek(start)
            yield file.read(PIECE)


# Other regions ------------------------------------------------------------------------------------


def link_scenes(source: Path, root: Path) -> None:
    """Hard-link prepared scenes, class table and tags to another root, without the regions.

    Files are replaced whole, never changed, so neither root sees what happens in the other. On
    another file system they are copied. What is there already stays. The tags come last: they mark
    the root as complete.
    """
    source = source.resolve()
    scenes = scene_dirs(source, SPLITS)
    files = [path for scene in scenes for path in scene.rglob("[!.]*") if path.is_file()]
    own = [path for path in files if not path.name.endswith((*REGION_FILES, REGION_IMAGES))]
    for path in [*own, source / CLASSES_FILE, source / TAGS_FILE]:
        target = root / path.relative_to(source)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(path.resolve(), target)


def leave_unassigned(root: Path) -> None:
    """Write regions in which no point and no pixel is: each votes for itself."""
    for scene in scene_dirs(root, SPLITS):
        views = read_views(scene)
        for frame, size in zip(views.frame, views.size, strict=True):
            write_view_image(scene, frame, "region", np.full(size, -1, np.int32))
        count = len(np.load(scene / "coord.npy", mmap_mode="r"))
        write_array(scene / "region.npy", np.full(count, -1, np.int32))


def quality(root: Path) -> tuple[float, float] | None:
    """mIoU, 0..1, of the regions' majority vote in training; None where no point is labeled.

    First with each point without a region as a region of its own, for it votes for itself in the
    consistency and in the labels: so without regions it is 1. Then with such points as wrong.
    """
    table, total = ClassTable.read(root), 0
    for scene in scene_dirs(root, "train"):
        if (scene / f"{table.label_file}.npy").is_file():
            segment = read_truth(scene, table)
            region = read_region(scene, len(segment))
            alone = np.where(region < 0, region.max() + 1 + np.arange(len(region)), region)
            both = [partition_confusion(ids, segment, len(table)) for ids in (alone, region)]
            total = total + np.stack(both)
    return tuple(map(mean_iou, total)) if np.any(total) else None
