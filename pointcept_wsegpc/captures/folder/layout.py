"""Where the files of a scan lie, and which of them belong together, whatever they are called.

Names of folders and files are compared in one Unicode form and, where it matters, in any letter
case. Hidden files are skipped.
"""

from __future__ import annotations

import fnmatch
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

IMAGE_FOLDERS = ("color", "images", "image", "rgb")
STREAM_FOLDERS = (*IMAGE_FOLDERS, "lowres_wide", "vga_wide", "wide")
DEPTH_FOLDERS = ("depth", "depths", "depth_images", "lowres_depth")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".pgm", ".ppm")
DEPTH_SUFFIXES = (".png", ".tif", ".tiff", ".npy", ".pgm")
PHOTO_SUFFIXES = (*IMAGE_SUFFIXES, ".heic", ".heif", ".avif", ".dng")  # read or not
TEXT_SUFFIXES = (".txt", ".json", ".csv", ".xml", ".yaml", ".yml", ".pincam", ".md")
# Words of an image's folder or name that tell it from a photograph.
OTHER_IMAGES = re.compile(r"depth|mask|label|confidence|semantic|instance|normal|texture")
KINDS = re.compile(r"colou?r|rgb|depth|pose|frame|image|img")  # words that names may differ in


def plain_form(name: str | Path) -> str:
    """A file's name in the one Unicode form in which names are compared; macOS writes another."""
    return unicodedata.normalize("NFC", str(name))


def loose_form(name: str) -> str:
    """A name without its kind, letter case, separators and leading zeros: frame-01.color is 1."""
    parts = KINDS.sub(" ", plain_form(name).casefold()).split("/")
    words = (filter(None, re.split(r"[\W_]+", part)) for part in parts)
    return "/".join("_".join(re.sub(r"^0+(?=\d+$)", "", word) for word in one) for one in words)


def printable(name: str | Path) -> str:
    """A file's name for messages and manifests, whatever bytes it has."""
    return str(name).encode("utf-8", "backslashreplace").decode("utf-8")


def natural_key(text: str | Path) -> tuple:
    """Sorts 'frame 2' before 'frame 10', and no two names alike: '02' before '2'."""
    parts = re.split(r"(\d+)", str(text))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], str(text)


# ---------------------------------------------------------------------------------- finding


def find(folder: Path, pattern: str) -> list[Path]:
    """Paths below a folder that match a pattern part by part, in any letter case; natural order.

    A pattern that ends with / finds folders alone.
    """
    found = [folder]
    for part in pattern.rstrip("/").split("/"):
        match = re.compile(fnmatch.translate(part.casefold())).match
        listed = (path for parent in found if parent.is_dir() for path in parent.iterdir())
        found = [p for p in listed if match(p.name.casefold()) and not p.name.startswith(".")]
    return sorted((p for p in found if pattern[-1] != "/" or p.is_dir()), key=natural_key)


def list_files(folder: Path | None, suffixes: Iterable[str] = ()) -> list[Path]:
    """Files below a folder in natural order, of some suffixes; [] without the folder.

    What is no regular file, such as a pipe, is among them: its reader refuses it by name.
    """
    found = []
    for parent, folders, names in os.walk(folder or ""):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    chosen = [path for path in found if not suffixes or path.suffix.lower() in suffixes]
    return sorted(chosen, key=lambda path: natural_key(path.relative_to(folder)))


def list_images(folder: Path | None) -> list[Path]:
    """Image files below a folder in natural order."""
    return list_files(folder, IMAGE_SUFFIXES)


def list_photos(scene: Path, beside: bool = False) -> list[Path]:
    """Photographs in the folders below a scene's, by their suffixes and names, readable or not.

    beside: those in the scene's folder itself, too.
    """
    found = list_files(scene, PHOTO_SUFFIXES)
    found = [path for path in found if beside or path.parent != scene]
    return [path for path in found if not OTHER_IMAGES.search(_below(path, scene))]


def list_depth(scene: Path) -> list[Path]:
    """Files that hold depth images, read or not, by the names of their folders or their own."""
    found = [path for path in list_files(scene) if "depth" in _below(path, scene)]
    return [path for path in found if path.suffix.lower() not in TEXT_SUFFIXES]


def image_folder(scene: Path, names: Iterable[str] = IMAGE_FOLDERS) -> Path | None:
    """The first of the folders that has images, else the first that there is, else None."""
    folders = [path for name in names for path in find(scene, f"{name}/")]
    return next(filter(list_images, folders), folders[0] if folders else None)


def what_lies(scene: Path) -> str:
    """How many files of which suffix lie below a scene's folder, and one of each, for messages."""
    files = list_files(scene)
    files = [p for p in files if p.parent != scene or p.suffix.lower() in PHOTO_SUFFIXES]
    kinds = Counter((path.parent, path.suffix) for path in files)
    first = {(path.parent, path.suffix): path for path in reversed(files)}
    told = [
        f"{count} {suffix or 'files'} such as {first[parent, suffix].relative_to(scene)}"
        for (parent, suffix), count in kinds.most_common(6)
    ]
    return printable(", ".join(told)) or "no folder with files"


def _below(path, scene):
    return path.relative_to(scene).as_posix().casefold()


# --------------------------------------------------------------------------------- matching


def pair_up(files: dict[Path, str], others: dict[Path, str]) -> dict[Path, Path]:
    """{file: other} of files by their names without suffix, {path: name} each.

    Those of one name; then, of what is left, those alike but for the words and separators that
    tell a kind, where there is one of each.
    """
    exact = {plain_form(name): path for path, name in reversed(others.items())}
    pairs = {f: exact[plain_form(n)] for f, n in files.items() if plain_form(n) in exact}
    taken = set(pairs.values())
    left = _single({path: name for path, name in files.items() if path not in pairs})
    right = _single({path: name for path, name in others.items() if path not in taken})
    return pairs | {left[form]: right[form] for form in left.keys() & right.keys()}


def _single(files):
    """{loose form: path} of the files that are alone with theirs."""
    forms = {path: loose_form(name) for path, name in files.items()}
    count = Counter(forms.values())
    return {form: path for path, form in forms.items() if count[form] == 1}


def images_with_depth(scene: Path) -> dict[Path, Path | None]:
    """The images of a scene's folder in their order, each with the depth image of its name."""
    folder, depths = image_folder(scene), {}
    for below in (path for name in DEPTH_FOLDERS for path in find(scene, f"{name}/")):
        depths |= _named(below, DEPTH_SUFFIXES)
    images = _named(folder, IMAGE_SUFFIXES)
    return dict.fromkeys(list_images(folder)) | pair_up(images, depths)


def _named(folder, suffixes):
    """{path: name below the folder without suffix}, of the first suffixes first."""
    files = sorted(
        list_files(folder, suffixes), key=lambda path: suffixes.index(path.suffix.lower())
    )
    return {path: path.relative_to(folder).with_suffix("").as_posix() for path in files}


class FileFinder:
    """Finds the files that paths of another machine, or of another program, mean.

    files: what is there to find. Backslashes are separators; the name alone decides where the
    path leads nowhere, and its folders, from the last on, where several have that name. A name may
    lack its suffix, or have another.
    """

    def __init__(self, base: Path, files: Iterable[Path]):
        self.base, self.by_name = base, {}
        for path in files:
            for name in dict.fromkeys((path.name, path.stem)):
                self.by_name.setdefault(plain_form(name).casefold(), []).append(path)

    def find(self, name: str) -> Path | None:
        """The one file that is meant, else None."""
        wanted = PurePosixPath(plain_form(name).replace("\\", "/"))
        for given in (name, wanted):
            if (path := Path(os.path.normpath(self.base / given))).is_file():
                return path
        names = (wanted.name.casefold(), wanted.stem.casefold())
        found = next((self.by_name[n] for n in names if n in self.by_name), [])
        alike = [_common_tail(path.parent, wanted.parent) for path in found]
        best = max(alike, default=0)
        return found[alike.index(best)] if alike.count(best) == 1 else None


def _common_tail(folder, wanted):
    """How many folders two paths share from their ends."""
    pairs = zip(reversed(folder.parts), reversed(wanted.parts), strict=False)
    same = [plain_form(a).casefold() == plain_form(b).casefold() for a, b in pairs]
    return (*same, False).index(False)
