"""Where the parts of a scene are in the layouts that can be converted.

wsegpc      SRC/scannet_3d/{train,val}/SCENE.pth (dictionary) · SRC/scannet_2d/SCENE/ ·
            SRC/scannet_3d/initial_superpoints_wypr/SCENE_superpoint.npz
openscene   SRC/scannet_3d/{train,val}/SCENE.pth or SCENE_vh_clean_2.pth (tuple) ·
            SRC/scannet_2d/SCENE/; BPNet's own: SRC/{train,val}/… and SRC/2D/SCENE/
concerto    SRC/{train,val,test}/SCENE/*.npy · SRC/images/{train,val,test}/SCENE/
"""

from dataclasses import dataclass, replace
from pathlib import Path

from ...contracts.scene import outside
from ..scannet.raw import BYTES_PER_PIXEL

SPLITS = ("train", "val", "test")
FORMATS = ("wsegpc", "openscene", "concerto")
MESH = "_vh_clean_2"
SUPERPOINTS = "initial_superpoints_wypr"


@dataclass(frozen=True)
class Capture:
    """One scene of another layout, and where its prepared scene goes."""

    name: str
    split: str
    root: Path  # of the prepared data set
    format: str
    points: Path  # file, or folder of arrays
    images: Path | None = None
    regions: Path | None = None

    @property
    def target(self):
        return self.root / self.split / self.name


def find_captures(source, root, layout, splits=SPLITS, points=None, images=None, regions=None):
    """Captures of a layout in `source`, sorted by split and name.

    points, images, regions: folders to take instead of the layout's own. Raises one line where
    nothing is found, and for an output folder inside the source.
    """
    if layout not in FORMATS:
        raise ValueError(f"unknown format {layout!r}; known: {', '.join(FORMATS)}")
    for split in splits:
        if Path(split).name != split or split in ("", ".."):
            raise ValueError(f"split {split!r}: give the name of a folder, such as {SPLITS[0]}")
    root, source = outside(root, source)
    folders = [None if p is None else Path(p).expanduser().resolve() for p in (points, images)]
    find = _concerto if layout == "concerto" else _scannet
    captures = find(source, root, layout, splits, *folders)
    if not captures:
        raise FileNotFoundError(
            f"no scene of split {'/'.join(splits)} in {source}; expected for {layout}: "
            f"{_expected(layout)}"
        )
    folder = regions or _first(source, f"scannet_3d/{SUPERPOINTS}", SUPERPOINTS)
    return [_with_regions(capture, folder) for capture in captures]


def _expected(layout):
    lines = {
        "wsegpc": "scannet_3d/{train,val}/SCENE.pth and scannet_2d/SCENE/{color,depth,pose}",
        "openscene": "scannet_3d/{train,val}/SCENE*.pth and scannet_2d/SCENE/{color,depth,pose}",
        "concerto": "{train,val}/SCENE/coord.npy and images/{train,val}/SCENE/{color,pose,…}",
    }
    return f"{lines[layout]}; give --points and --images where folders have other names"


def _scannet(source, root, layout, splits, points, images):
    points = points or _first(source, "scannet_3d") or source
    images = images or _first(source, "scannet_2d", "2D")
    captures = []
    for split in splits:
        seen = set()
        for path in sorted((points / split).glob("*.pth")):
            name = path.stem.removesuffix(MESH)
            if name in ("", ".", ".."):
                raise ValueError(f"{path}: {name!r} is no name of a scene; move it away")
            if name in seen:
                raise ValueError(f"{path}: a second file of scene {name}; move one of them away")
            seen.add(name)
            folder = images / name if images and (images / name).is_dir() else None
            captures.append(Capture(name, split, root, layout, path, folder))
    return captures


def _concerto(source, root, layout, splits, points, images):
    points, images = points or source, images or source / "images"
    captures = []
    for split in splits:
        for path in sorted((points / split).glob("*/coord.npy")):
            folder = images / split / path.parent.name
            folder = folder if folder.is_dir() else None
            captures.append(Capture(path.parent.name, split, root, layout, path.parent, folder))
    return captures


def _first(source, *names):
    """The first of the folders that is there, None if none is."""
    return next((source / name for name in names if (source / name).is_dir()), None)


def _with_regions(capture, folder):
    path = Path(folder) / f"{capture.name}_superpoint.npz" if folder else None
    if path is None or not path.is_file():
        return capture
    return replace(capture, regions=path)


def estimate_bytes(captures, size):
    """Bytes that the converted scenes will take, about, if every image is taken."""
    total = 0
    for capture in captures:
        if capture.format != "concerto":  # there the arrays are hard links
            total += capture.points.stat().st_size
        images = len(list((capture.images / "color").glob("*"))) if capture.images else 0
        total += images * size[0] * size[1] * BYTES_PER_PIXEL
    return int(total)
