"""The text and mesh files of a scene in ScanNet's raw layout, written from a synthetic scan."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...captures.scannet.sens import SensHeader
from .room import Room
from .surface import ScanMesh

STRAY = "stray fragment"

# raw category: (category, NYU40 id, NYU40 class)
RAW_CATEGORIES = {
    "wall": ("wall", 1, "wall"),
    "floor": ("floor", 2, "floor"),
    "cabinet": ("cabinet", 3, "cabinet"),
    "wardrobe closet": ("wardrobe", 3, "cabinet"),
    "bed": ("bed", 4, "bed"),
    "chair": ("chair", 5, "chair"),
    "office chair": ("chair", 5, "chair"),
    "sofa": ("couch", 6, "sofa"),
    "couch": ("couch", 6, "sofa"),
    "sofa chair": ("armchair", 6, "sofa"),
    "table": ("table", 7, "table"),
    "dining table": ("table", 7, "table"),
    "coffee table": ("coffee table", 7, "table"),
    "door": ("door", 8, "door"),
    "doorframe": ("doorframe", 8, "door"),
    "window": ("window", 9, "window"),
    "bookshelf": ("bookshelf", 10, "bookshelf"),
    "bookcase": ("bookshelf", 10, "bookshelf"),
    "picture": ("picture", 11, "picture"),
    "poster": ("picture", 11, "picture"),
    "counter": ("counter", 12, "counter"),
    "kitchen counter": ("counter", 12, "counter"),
    "desk": ("desk", 14, "desk"),
    "curtain": ("curtain", 16, "curtain"),
    "books": ("book", 23, "books"),
    "refrigerator": ("refrigerator", 24, "refridgerator"),
    "monitor": ("monitor", 25, "television"),
    "shower curtain": ("shower curtain", 28, "shower curtain"),
    "box": ("box", 29, "box"),
    "toilet": ("toilet", 33, "toilet"),
    "sink": ("sink", 34, "sink"),
    "bathroom sink": ("sink", 34, "sink"),
    "lamp": ("lamp", 35, "lamp"),
    "bathtub": ("bathtub", 36, "bathtub"),
    "trash can": ("trash can", 39, "otherfurniture"),
    "ottoman": ("ottoman", 39, "otherfurniture"),
    "coat rack": ("coat rack", 39, "otherfurniture"),
    "laundry rack": ("rack", 39, "otherfurniture"),
    STRAY: ("object", 50, ""),  # an id outside the NYU40 table, as ScanNet has a few
}

# Of crowded rooms alone.
CROWDED_CATEGORIES = {"rug": ("rug", 20, "floor mat")}


def write_annotation(folder: Path, name: str, room: Room, mesh: ScanMesh, rng) -> None:
    """Write the segments and their owners: 1 in 50 has none, two form a stray object."""
    segments, first = np.unique(mesh.segment, return_index=True)
    owner = mesh.object[first].copy()
    order = rng.permutation(len(segments))
    owner[order[:2]] = len(room.objects)
    owner[order[2 : 2 + len(segments) // 50]] = -1
    groups = []
    for number, label in enumerate([*(model.label for model in room.objects), STRAY]):
        own = segments[owner == number].tolist()
        if own:
            groups.append({"id": number, "objectId": number, "segments": own, "label": label})
    stem = f"{name}_vh_clean_2.0.010000.segs.json"
    segs = {"params": {}, "sceneId": name, "segIndices": mesh.segment.tolist()}
    (folder / stem).write_text(json.dumps(segs))
    whole = {
        "sceneId": f"scannet.{name}",
        "appId": "synthetic",
        "segGroups": groups,
        "segmentsFile": f"scannet.{stem}",
    }
    (folder / f"{name}.aggregation.json").write_text(json.dumps(whole))


def meta_text(header: SensHeader, alignment: np.ndarray, theme: str) -> str:
    """SCENE.txt: one `key = value` per line."""
    lines = {"axisAlignment": _numbers(alignment)}
    for kind in ("color", "depth"):
        matrix = getattr(header, f"intrinsic_{kind}")
        lines[f"{kind}Height"] = getattr(header, f"{kind}_height")
        lines[f"{kind}Width"] = getattr(header, f"{kind}_width")
        lines |= {f"f{axis}_{kind}": f"{matrix[i, i]:.6f}" for i, axis in enumerate("xy")}
        lines |= {f"m{axis}_{kind}": f"{matrix[i, 2]:.6f}" for i, axis in enumerate("xy")}
    lines["colorToDepthExtrinsics"] = _numbers(np.eye(4))
    lines |= {"numColorFrames": header.num_frames, "numDepthFrames": header.num_frames}
    lines |= {"numIMUmeasurements": 0, "sceneType": theme}
    return "".join(f"{key} = {value}\n" for key, value in sorted(lines.items()))


def _numbers(matrix: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in matrix.ravel())


def label_table(crowded: bool = False) -> str:
    categories = RAW_CATEGORIES | CROWDED_CATEGORIES if crowded else RAW_CATEGORIES
    rows = [("id", "raw_category", "category", "nyu40id", "nyu40class")]
    for number, (raw, (category, nyu40, name)) in enumerate(categories.items(), 1):
        rows.append((str(number), raw, category, str(nyu40), name))
    return "".join("\t".join(row) + "\n" for row in rows)
