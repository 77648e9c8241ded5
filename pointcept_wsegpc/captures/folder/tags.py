"""Tags and classes of users' scans, as people write them.

tags.csv or tags.json; optional classes.txt, or classes.json (contracts/classes.py).

scene,tags                    scene,chair,table           {"kitchen": ["chair", "table"],
kitchen,chair;table           kitchen,1,1                  "hall": []}
hall,                         hall,,
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from ...contracts.classes import CLASSES_FILE, NAMES_FILE, ClassTable, plain, read_class_names, same
from ...contracts.tag_doubts import contrast, joined, name_doubts
from ...contracts.tags import TAGS_FILE, read_scene_tags, resolve_tags, write_scene_tags
from ...files import read_or_set_aside, read_text
from ...files.arrays import reading
from ..base import some
from .raw import scenes_of_others

TAGS_FILES = ("tags.csv", "tags.json")
PRESENT, ABSENT = {"1", "x", "yes", "true"}, {"", "0", "no", "false", "-"}
EXPECTED = "expected the header scene,tags or scene,CLASS,CLASS,…"


def read_own_tags(raw: str | Path) -> tuple[ClassTable, dict[str, list[str]]]:
    """(class table, {scene: [class names]}) of a folder of scans, names in NFC.

    The table is classes.json, else the names of classes.txt, else the columns of a table, else all
    tags in alphabetical order. Tags match it in any letter case and by synonym. Raises one line
    for a missing or malformed file, for a tag that is not a class, and for one that is several.
    """
    raw = Path(raw)
    path = next((raw / name for name in TAGS_FILES if (raw / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{raw} has no {' or '.join(TAGS_FILES)}; {EXPECTED} (`wsegpc prepare scans` "
            "--template DIR writes an example)"
        )
    columns, tags = _read_json(path) if path.suffix == ".json" else _read_csv(path)
    table = None
    if (raw / CLASSES_FILE).is_file():
        table = ClassTable.read(raw)
    elif (raw / NAMES_FILE).is_file():
        columns = [plain(name) for name in read_class_names(raw / NAMES_FILE)]
    _check_joined(path, tags, table.spellings if table else {same(name) for name in columns or ()})
    if table is None:
        names = columns or sorted({name for names in tags.values() for name in names})
        if not names:
            raise ValueError(f"{path} names no class; write the tags of your scenes into it")
        try:
            table = ClassTable(names)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return table, {scene: resolve_tags(names, table, path, scene) for scene, names in tags.items()}


def _check_joined(path, tags, classes):
    """Raise ValueError for a tag that is several classes; spellings in `classes` are one each."""
    names = {name: scene for scene, found in tags.items() for name in found}
    for name, (parts, sure) in joined([*names, *classes]).items():
        if sure and name in names and same(name) not in classes:
            raise ValueError(
                f"{path}: scene {names[name]} has the tag {name!r}; did you mean "
                f"{';'.join(parts)}? Separate classes by ;, or, if it is one, put it into "
                f"{NAMES_FILE}"
            )


def write_tags(root: Path, captures: list, table: ClassTable, tags: dict) -> list[str]:
    """Write class table and tags of the data set; lines that say what they lack.

    Both are read anew every time; but a table by which scenes are labeled stays, or is refused.
    Scenes that were prepared from another folder of scans keep their tags, and classes their ids.
    """
    others = scenes_of_others(captures)
    kept, there = _kept(root, others)
    labeled = any(root.glob("*/*/segment*.npy"))
    if kept and there:
        table = there.merged(table)
    classes = table.write(root, replace=bool(kept and there) or not labeled).names
    names = {capture.name for capture in captures}
    own = {scene: [*map(table.resolve, tags[scene])] for scene in tags if scene in names}
    write_scene_tags(root / TAGS_FILE, {**kept, **own})
    lines = [f"{len(classes)} classes: {', '.join(classes)}"]
    if others:
        lines.append(f"  {len(others)} scenes of other folders keep their tags: {some([*others])}")
    unknown = sorted(set(tags) - names)
    if unknown:
        lines.append(f"  {len(unknown)} tagged scenes have no folder: {some(unknown)}")
    training = [c.name for c in captures if c.split == "train"]
    untagged = [name for name in training if not tags.get(name)]
    if untagged:
        lines.append(
            f"  {len(untagged)} training scenes have no tag: {some(untagged)}; stage one "
            "refuses them: add their tags, or list them in val.txt or test.txt"
        )
    training += [scene for scene, split in others.items() if split == "train"]
    read = {scene: found for scene, found in {**kept, **own}.items() if scene in training and found}
    doubts = [*contrast(read, classes, table.structural), *name_doubts(classes)]
    return [*lines, *(f"  {doubt.found}; {doubt.fix}" for doubt in doubts)]


def _kept(root, others):
    """Tags of the scenes of other folders, and the class table that they share."""
    if not others or read_or_set_aside(root / TAGS_FILE) is None:
        return {}, None
    there = ClassTable.read(root) if read_or_set_aside(root / CLASSES_FILE) is not None else None
    tags = read_scene_tags(root / TAGS_FILE, there)
    return {scene: names for scene, names in tags.items() if scene in others}, there


def _read_json(path):
    """(None, tags), as strict as CSV: what JSON readers take and a person did not mean is named."""
    tags = {}
    with reading(path, "JSON {scene: [class names]}", "write it again"):
        text = read_text(path)
        data = json.loads(text, object_pairs_hook=list)  # pairs: a dict would lose the first of two
        if not isinstance(data, list) or not all(isinstance(pair, tuple) for pair in data):
            raise ValueError("it is a list")
        for scene, names in ((plain(scene), names) for scene, names in data):
            if scene in tags:
                raise ValueError(f"it lists the scene {scene} twice; keep one")
            if not isinstance(names, list):
                raise ValueError(f"scene {scene} has {names!r:.40}, no list in brackets")
            if odd := [name for name in names if not isinstance(name, str)]:
                raise ValueError(f"scene {scene} has {odd[0]!r:.40}, no class name in quotes")
            tags[scene] = list(dict.fromkeys(filter(None, map(plain, names))))
    return None, tags


def _read_csv(path):
    """(the class columns of a table or None, tags). Fields by comma, semicolon or tab."""
    text = read_text(path, "CSV in UTF-8", "save it as CSV UTF-8")
    lines = [line for line in text.splitlines() if line.strip() and line[0] != "#"]
    head = lines[0] if lines else ""
    delimiter = next((mark for mark in "\t,;" if mark in head), ",")
    try:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        rows = [[plain(cell) for cell in row] for row in reader]
    except csv.Error as error:
        raise ValueError(
            f"{path}: a quotation mark is not closed, or in a cell ({error})"
        ) from None
    if not rows or len(rows[0]) < 2 or rows[0][0].lower() != "scene":
        raise ValueError(f"{path}: {EXPECTED}; its first line is {head!r:.60}")
    header, *rows = rows
    scenes = [row[0] for row in rows]
    twice = sorted({scene for scene in scenes if scenes.count(scene) > 1})
    if twice:
        raise ValueError(f"{path} lists the scene {twice[0]} twice; keep one line")
    if [name.lower() for name in header[1:] if name] == ["tags"]:
        return None, {row[0]: _names(row[1:]) for row in rows}
    classes = header[1:]
    if "" in classes or len(set(classes)) < len(classes):
        raise ValueError(f"{path}: a class of its header is empty or stands there twice")
    return classes, {row[0]: _marked(path, row, classes) for row in rows}


def _names(cells):
    """Names of a list: further cells, or `;` or `,` inside one."""
    names = (plain(name) for cell in cells for name in cell.replace(",", ";").split(";"))
    return list(dict.fromkeys(filter(None, names)))


def _marked(path, row, classes):
    """Classes whose cell of a table's row is marked."""
    cells = [*row[1:], *[""] * len(classes)][: max(len(classes), len(row) - 1)]
    if len(cells) > len(classes) and any(cells[len(classes) :]):
        raise ValueError(f"{path}: {row[0]} has {len(row) - 1} cells for {len(classes)} classes")
    odd = [cell for cell in cells if cell.lower() not in PRESENT | ABSENT]
    if odd:
        raise ValueError(f"{path}: {row[0]} has the cell {odd[0]!r}; write 1 or 0")
    return [name for name, cell in zip(classes, cells, strict=False) if cell.lower() in PRESENT]
