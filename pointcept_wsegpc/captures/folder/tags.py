"""Tags and classes of own scans, as people write them.

tags.csv or tags.json; optional classes.txt, or classes.json (contracts/classes.py).

scene,tags                    scene,chair,table           {"kitchen": ["chair", "table"],
kitchen,chair;table           kitchen,1,1                  "hall": []}
hall,                         hall,,
"""

from __future__ import annotations

import csv
from pathlib import Path

from ...contracts.classes import CLASSES_FILE, NAMES_FILE, ClassTable, plain, read_class_names
from ...contracts.tags import TAGS_FILE, resolve_tags, write_scene_tags
from ...files import read_json
from ..base import some

TAGS_FILES = ("tags.csv", "tags.json")
PRESENT, ABSENT = {"1", "x", "yes", "true"}, {"", "0", "no", "false", "-"}
EXPECTED = "expected the header scene,tags or scene,CLASS,CLASS,…"


def read_own_tags(raw: str | Path) -> tuple[ClassTable, dict[str, list[str]]]:
    """(class table, {scene: [class names]}) of a folder of own scans, names in NFC.

    The table is classes.json, else the names of classes.txt, else the columns of a table, else all
    tags in alphabetical order. Tags match it in any letter case and by synonym. Raises one line
    for a missing or odd file, and for a tag that is no class.
    """
    raw = Path(raw)
    path = next((raw / name for name in TAGS_FILES if (raw / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{raw} has no {' or '.join(TAGS_FILES)}; {EXPECTED} (`wsegpc prepare scans` "
            "--template DIR writes an example)"
        )
    columns, tags = _read_json(path) if path.suffix == ".json" else _read_csv(path)
    if (raw / CLASSES_FILE).is_file():
        table = ClassTable.read(raw)
    else:
        if (raw / NAMES_FILE).is_file():
            columns = [plain(name) for name in read_class_names(raw / NAMES_FILE)]
        names = columns or sorted({name for names in tags.values() for name in names})
        if not names:
            raise ValueError(f"{path} names no class; write the tags of your scenes into it")
        try:
            table = ClassTable(names)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return table, {scene: resolve_tags(names, table, path, scene) for scene, names in tags.items()}


def write_tags(root: Path, captures: list, table: ClassTable, tags: dict) -> list[str]:
    """Write class table and tags of the data set; lines that say what they lack.

    Both are read anew every time; but a table by which scenes are labeled stays, or is refused.
    """
    labeled = any(root.glob("*/*/segment*.npy"))
    classes = table.write(root, replace=not labeled).names
    names = {capture.name for capture in captures}
    write_scene_tags(root / TAGS_FILE, {scene: tags[scene] for scene in tags if scene in names})
    lines = [f"{len(classes)} classes: {', '.join(classes)}"]
    unused = [name for name in classes if not any(name in found for found in tags.values())]
    if unused:
        lines.append(f"  {len(unused)} are the tag of no scene: {', '.join(unused)}")
    unknown = sorted(set(tags) - names)
    if unknown:
        lines.append(f"  {len(unknown)} tagged scenes have no folder: {some(unknown)}")
    untagged = [c.name for c in captures if c.split == "train" and not tags.get(c.name)]
    if untagged:
        lines.append(
            f"  {len(untagged)} training scenes have no tag: {some(untagged)}; stage one "
            "refuses them: add their tags, or list them in val.txt or test.txt"
        )
    return lines


def _read_json(path):
    try:
        data = read_json(path)
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error})") from error
    lists = isinstance(data, dict) and all(isinstance(names, list) for names in data.values())
    if not lists:
        raise ValueError(f"{path}: expected {{scene: [class names]}}")
    return None, {plain(k): list(dict.fromkeys(map(plain, names))) for k, names in data.items()}


def _read_csv(path):
    """(the class columns of a table or None, tags). Fields by comma, semicolon or tab."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets begin with a mark
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8 ({error.reason}); save it as CSV UTF-8") from None
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
