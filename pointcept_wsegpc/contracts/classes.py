"""The class table of a data set, `classes.json` in its data root, and the label "no label".

{"names": ["wall", "floor", …],                  in the order of the label ids, from 0
 "label_file": "segment20",                      point labels are SCENE/segment20.npy
 "ignore": [255],                                label ids that mean "no label", besides -1
 "colors": [[174, 199, 232], …],                 RGB 0..255, one a class; or null
 "roles": {"ground": ["floor"], "wall": ["wall"], "ceiling": []},     for structure removal
 "synonyms": {"refridgerator": ["refrigerator", "fridge"]}}           other names of a class

All but the names may be absent. N points, C classes.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..files import read_json, read_or_set_aside, read_text, write_json
from .scene import MANIFEST

NO_LABEL = (255, -100)  # what other data sets write for no label

IGNORE = -1  # on points; Pointcept's ignore_index
IGNORE_PIXEL = 65535  # the same in 16-bit label and region images
CLASSES_FILE = "classes.json"  # of a data root
NAMES_FILE = "classes.txt"  # its short form beside raw scans: names alone, one a line
SHIPPED = Path(__file__).parent / "tables"
# What structure removal asks for, and the classes that have the role where a table gives no roles.
ROLES = {"ground": ("floor", "ground"), "wall": ("wall",), "ceiling": ("ceiling",)}
KEYS = ("names", "label_file", "ignore", "colors", "roles", "synonyms")


def plain(name: str) -> str:
    """A name in the one Unicode form in which names are compared, without outer spaces."""
    return unicodedata.normalize("NFC", str(name)).strip()


def same(name: str) -> str:
    """A name in the form that is compared: ignores letter case and spaces."""
    return " ".join(plain(name).casefold().split())


@dataclass(frozen=True)
class ClassTable:
    """Names, label file, ignored ids, colors, roles and synonyms of C classes.

    Args:
        names: of the classes, in the order of their ids 0..C-1.
        label_file: name of the scenes' point labels, without `.npy`.
        ignore: further ids in label files that mean "no label"; IGNORE always does.
        colors: (C, 3), RGB 0..255, or None.
        roles: {"ground" | "wall" | "ceiling": class names}; None: by the names themselves.
        synonyms: {class name: its other names}.
    Raises ValueError, in one line, for a table that contradicts itself.
    """

    names: tuple[str, ...]
    label_file: str = "segment"
    ignore: tuple[int, ...] = ()
    colors: tuple[tuple[int, int, int], ...] | None = None
    roles: Mapping[str, tuple[str, ...]] | None = None
    synonyms: Mapping[str, tuple[str, ...]] | None = None

    def __post_init__(self):
        put = object.__setattr__
        put(self, "names", _texts(self.names, "names"))
        if not self.names:
            raise ValueError("the class table has no names; expected at least one class")
        _check_label_file(self.label_file)
        put(self, "ignore", _ignored(self.ignore, len(self.names)))
        put(self, "colors", _colors(self.colors, len(self.names)))
        put(self, "synonyms", _lists(self.synonyms or {}, "synonyms"))
        put(self, "_index", self._spellings())
        roles = {} if self.roles is None else _lists(self.roles, "roles")
        if unknown := sorted(set(roles) - set(ROLES)):
            raise ValueError(f"role {unknown[0]!r} is unknown; expected {', '.join(ROLES)}")
        if self.roles is None:
            roles = {role: tuple(filter(self.find, likely)) for role, likely in ROLES.items()}
        roles = {role: tuple(map(self.resolve, roles.get(role, ()))) for role in ROLES}
        put(self, "roles", roles)

    def _spellings(self) -> dict[str, int]:
        """{spelling: id} of all names and synonyms; refuses one that means two classes."""
        index: dict[str, int] = {}
        for number, name in enumerate(self.names):
            if (other := index.setdefault(same(name), number)) != number:
                raise ValueError(
                    f"{self.names[other]!r} and {name!r} are two classes, alike but for letter "
                    "case or spaces; write one of them everywhere"
                )
        of_name = dict(index)
        for name, others in self.synonyms.items():
            if (number := of_name.get(same(name))) is None:
                raise ValueError(f"synonyms of {name!r}, no class; known: {_listed(self.names)}")
            for other in others:
                if (owner := index.setdefault(same(other), number)) != number:
                    raise ValueError(
                        f"synonym {other!r} of {name!r} also means {self.names[owner]!r}; "
                        "keep one of them"
                    )
        return index

    def __len__(self) -> int:
        return len(self.names)

    @property
    def spellings(self) -> Iterable[str]:
        """All names and synonyms in the form of `same`."""
        return self._index.keys()

    def merged(self, other: ClassTable) -> ClassTable:
        """This table with what only the other one has: its classes at the end, roles, synonyms.

        Raises ValueError for tables that contradict each other.
        """
        added = tuple(name for name in other.names if self.find(name) is None)
        table = replace(self, names=self.names + added, colors=None if added else self.colors)
        roles = {r: [*self.roles[r], *map(table.resolve, other.roles[r])] for r in ROLES}
        synonyms = {name: list(words) for name, words in self.synonyms.items()}
        for name, words in other.synonyms.items():
            synonyms.setdefault(table.resolve(name), []).extend(words)
        lists = roles, synonyms
        roles, synonyms = ({k: list(dict.fromkeys(v)) for k, v in given.items()} for given in lists)
        return replace(table, roles=roles, synonyms=synonyms)

    # ------------------------------------------------------------------------------- names

    def find(self, name: str) -> str | None:
        """The class that a name means, by any letter case and by synonym; None: no class."""
        number = self._index.get(same(name))
        return None if number is None else self.names[number]

    def resolve(self, name: str) -> str:
        """The class that a name means; raises as `index` does."""
        return self.names[self.index(name)]

    def index(self, name: str) -> int:
        """Id of the class that a name means; ValueError, naming the nearest, if there is none."""
        if (number := self._index.get(same(name))) is not None:
            return number
        near = difflib.get_close_matches(same(name), self._index, 1)
        hint = (
            f"did you mean {self.names[self._index[near[0]]]!r}?"
            if near
            else f"the class table has {_listed(self.names)}"
        )
        raise ValueError(f"{name!r} is no class; {hint}")

    def role(self, role: str) -> tuple[int, ...]:
        """Ids of the classes that have a role: "ground", "wall" or "ceiling"."""
        return tuple(map(self.names.index, self.roles[role]))

    @property
    def structural(self) -> tuple[str, ...]:
        """The classes that have a role, of which structure removal makes samples without."""
        return tuple(dict.fromkeys(name for names in self.roles.values() for name in names))

    def clean(self, label: np.ndarray, path: str | Path) -> np.ndarray:
        """Labels of any shape as int64, IGNORE where there is none; ValueError outside the table.

        path: of the file that they are from, for the error.
        """
        return clean_labels(label, len(self), path, self.ignore)

    # ------------------------------------------------------------------------------- files

    @classmethod
    def read(cls, path: str | Path) -> ClassTable:
        """The table of a data root, or of a JSON file."""
        path = Path(path).expanduser().resolve()
        root, path = path, path / CLASSES_FILE if path.suffix != ".json" or path.is_dir() else path
        if not path.is_file():
            raise FileNotFoundError(
                f"class table {path} is missing; `wsegpc upgrade {root}` adds it to a data root of "
                "an earlier version, and preparing the data writes it"
            )
        data = read_json(path, "write it again, or prepare the data again, which makes it anew")
        if not isinstance(data, dict) or "names" not in data:
            raise ValueError(f'{path}: expected {{"names": [class names], …}}')
        if unknown := sorted(set(data) - set(KEYS)):
            raise ValueError(f"{path}: unknown key {unknown[0]!r}; expected {', '.join(KEYS)}")
        try:
            return cls(**data)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def of_scene(cls, scene: str | Path) -> ClassTable:
        """The table of the data root that a scene's folder is in, however deep."""
        return cls.read(root_of(scene))

    def write(self, root: str | Path, replace: bool = False) -> ClassTable:
        """Put the table into a data root; returns the one that is there then.

        A table of the same names, label file and ignored ids stays as it is there: its colors,
        roles and synonyms may be edited. Another one is refused by ValueError unless `replace`. A
        damaged file is moved aside, and the log says so.
        """
        path = Path(root) / CLASSES_FILE
        if any(path.parent.glob(f"*/*/{MANIFEST}")):  # so the file is ours
            read_or_set_aside(path)
        if path.is_file():
            there = self.read(path)
            differing = [key for key in KEYS[:3] if getattr(there, key) != getattr(self, key)]
            if not differing:
                return there
            if not replace:
                raise ValueError(
                    f"{path} is another class table ({_difference(there, self, differing[0])}); "
                    "choose another data root, or move that file away"
                )
        write_json(path, {key: getattr(self, key) for key in KEYS})
        return self

    @classmethod
    def shipped(cls, name: str) -> ClassTable:
        """A table that comes with the package: one of `shipped_names()`."""
        if name not in shipped_names():
            raise ValueError(
                f"no class table {name!r} is shipped; expected {', '.join(shipped_names())}"
            )
        return cls.read(SHIPPED / f"{name}.json")


def root_of(scene: str | Path) -> Path:
    """The data root that a scene's folder is in, however deep: where its class table lies."""
    roots = Path(scene).expanduser().resolve().parents[1:]  # <root>/<split>/<scene>
    return next((root for root in roots if (root / CLASSES_FILE).is_file()), roots[0])


def shipped_names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.json")))


def given_table(text: str) -> ClassTable:
    """The table that an option names: a shipped one, a data root, a `.json` or `.txt` file, or
    class names with commas.
    """
    if text in shipped_names():
        return ClassTable.shipped(text)
    path = Path(text).expanduser()
    if path.is_dir() or path.suffix == ".json":
        return ClassTable.read(path)
    if path.is_file():
        return ClassTable(read_class_names(path))
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(names) < 2:
        raise ValueError(
            f"class table {text!r}: expected names with commas, a file ({CLASSES_FILE}, or names "
            f"one a line), a data root, or one of {', '.join(shipped_names())}"
        )
    return ClassTable(names)


def read_class_names(path: str | Path) -> list[str]:
    """Class names of a text file, one a line; lines that begin with `#` do not count."""
    path = Path(path).expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(f"class names {path} are missing; expected one a line")
    lines = (line.strip() for line in read_text(path).splitlines())
    names = [line for line in lines if line and not line.startswith("#")]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{path}: expected class names, one a line, none twice; got {names}")
    return names


def clean_labels(
    label: np.ndarray, num_classes: int, path: str | Path, ignore: Iterable[int] = NO_LABEL
) -> np.ndarray:
    """Labels as int64 with IGNORE for the ids `ignore`; ValueError outside the class table."""
    label = np.array(label, np.int64)  # a copy; in uint8 there is no -1
    label[np.isin(label, list(ignore))] = IGNORE
    low, high = label.min(initial=IGNORE), label.max(initial=IGNORE)
    if low < IGNORE or high >= num_classes:
        raise ValueError(
            f"{path} holds labels {low} to {high}; expected 0 to {num_classes - 1}, and "
            f"{', '.join(map(str, (IGNORE, *ignore)))} for none: is this another data set?"
        )
    return label


# -------------------------------------------------------------------------------- validation


def _texts(values, what) -> tuple[str, ...]:
    if not isinstance(values, (list, tuple)):
        raise ValueError(f"{what}: expected a list of texts, got {values!r}")
    odd = [v for v in values if not isinstance(v, str) or not v or v != v.strip()]
    if odd:
        raise ValueError(f"{what}: expected texts without outer spaces, got {odd[0]!r}")
    return tuple(values)


def _lists(given, what) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, Mapping) or not all(
        isinstance(v, (list, tuple)) for v in given.values()
    ):
        raise ValueError(f"{what}: expected {{name: [names]}}, got {given!r}")
    return {key: _texts(values, f"{what} of {key!r}") for key, values in given.items()}


def _check_label_file(name):
    if not isinstance(name, str) or not name or Path(name).name != name or name.endswith(".npy"):
        raise ValueError(f'label_file is {name!r}; expected a name such as "segment", no path')


def _ignored(ids, num_classes) -> tuple[int, ...]:
    listed = isinstance(ids, (list, tuple))
    if not listed or not all(isinstance(i, int) and not isinstance(i, bool) for i in ids):
        raise ValueError(f"ignore: expected label ids, got {ids!r}")
    if inside := [i for i in ids if 0 <= i < num_classes]:
        raise ValueError(
            f"ignore has {inside[0]}, the id of a class; expected ids outside 0..{num_classes - 1}"
        )
    return tuple(ids)


def _colors(colors, num_classes):
    if colors is None:
        return None
    try:
        array = np.array(colors)
    except ValueError:  # rows of several lengths
        array = np.empty(0)
    whole = array.dtype.kind in "iu" and array.shape == (num_classes, 3)
    if not whole or array.min() < 0 or array.max() > 255:
        raise ValueError(f"colors: expected {num_classes} times [R, G, B], each from 0 to 255")
    return tuple(map(tuple, array.tolist()))


def _difference(there, given, key) -> str:
    theirs, ours = getattr(there, key), getattr(given, key)
    if key != "names":
        return f"{key} {theirs!r} there, {ours!r} given"
    if len(theirs) != len(ours):
        return f"{len(theirs)} names there, {len(ours)} given"
    number = next(i for i, name in enumerate(ours) if name != theirs[i])
    return f"class {number} is {theirs[number]!r} there, {ours[number]!r} given"


def _listed(names, most=20) -> str:
    return ", ".join(names[:most]) + (f" … ({len(names)} classes)" if len(names) > most else "")
