"""Own scans on disk: which there are, and where each goes. folder.py says what is in them."""

from dataclasses import dataclass
from pathlib import Path

from ...clouds.read import find_cloud
from ...contracts.scene import outside
from ..scannet.raw import BYTES_PER_PIXEL
from .poses.base import STREAM_FOLDERS, image_folder, list_images
from .tags import plain

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class FolderCapture:
    """One own scan, and where its prepared scene goes."""

    name: str
    split: str
    folder: Path
    root: Path  # of the prepared data set

    @property
    def target(self):
        return self.root / self.split / self.name


def find_scans(raw, root):
    """Captures of all scenes' folders, sorted, and names in the lists of splits without a folder.

    Raises one line where there is none, for an output inside the raw data, and for a listed name
    that is no plain folder name.
    """
    root, raw = outside(root, raw)
    split_of = {}
    for split in SPLITS:
        listed = raw / f"{split}.txt"
        lines = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else ()
        for name in filter(None, map(plain, lines)):
            check_name(name, listed)
            if split_of.setdefault(name, split) != split:
                raise ValueError(f"{listed}: {name} is in {split_of[name]}.txt, too; keep one")
    captures = {}
    for path in sorted(raw.iterdir()) if raw.is_dir() else ():
        if not path.is_dir() or path.name.startswith("."):
            continue
        name = plain(path.name)
        check_name(name, raw)
        if name in captures:
            raise ValueError(f"{raw} has two folders {name!r}, alike but for their Unicode form")
        captures[name] = FolderCapture(name, split_of.get(name, "train"), path, root)
    if not captures:
        raise FileNotFoundError(
            f"no scene in {raw}; expected a folder per scene with a cloud, images and poses: check "
            "--raw, or begin with --template DIR"
        )
    return list(captures.values()), sorted(set(split_of) - set(captures))


def check_name(name, source):
    """Raise ValueError for a scene's name that is no plain, visible folder name."""
    if name.startswith(".") or set(name) & set("/\\\0") or not name.strip():
        raise ValueError(f"{source}: {name!r} is no name of a scene's folder; give the name alone")


def estimate_bytes(captures, settings):
    """Bytes that the prepared scenes will take, about: of the clouds' files and of the views.

    A scan without its cloud counts as nothing: it will fail with its own line.
    """
    total = 0
    for capture in captures:
        try:
            total += find_cloud(capture.folder).stat().st_size
        except (OSError, ValueError):
            continue
        images = list_images(image_folder(capture.folder, STREAM_FOLDERS))
        views = -(-len(images) // settings.stride)
        total += views * settings.height * settings.width * BYTES_PER_PIXEL
    return int(total)


def follow_splits(captures):
    """Move prepared scenes whose split has changed; returns their names."""
    moved = []
    for capture in captures:
        for split in SPLITS:
            old = capture.root / split / capture.name
            if old != capture.target and (old / "manifest.json").is_file():
                if capture.target.exists():
                    raise FileExistsError(f"{old} and {capture.target} are one scene; delete one")
                capture.target.parent.mkdir(parents=True, exist_ok=True)
                old.rename(capture.target)
                moved.append(capture.name)
    return moved


def changed_since(capture):
    """Whether a file or folder of the scan is newer than its prepared scene."""
    prepared = (capture.target / "manifest.json").stat().st_mtime
    paths = (capture.folder, *capture.folder.rglob("*"))
    return any(path.stat().st_mtime > prepared for path in paths if path.exists())


def left_behind(captures):
    """Prepared scenes, as split/scene, that are of none of the captures."""
    root, names = captures[0].root, {capture.name for capture in captures}
    found = (path.parent for split in SPLITS for path in root.glob(f"{split}/*/manifest.json"))
    return sorted(f"{path.parent.name}/{path.name}" for path in found if path.name not in names)
