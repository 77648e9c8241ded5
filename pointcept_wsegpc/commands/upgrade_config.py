"""Old names in the text of a config, rewritten where they stand; everything else stays as it is.

What a dictionary is, and so which names it may have, is told by its `type`, else by where it stands
in the config (`model`, `data.train`, `hooks`). Dictionaries may be written `dict(…)` or `{…}`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .. import renames
from ..contracts.classes import ROLES, same
from .old_names import CONFIGS, ENVIRONMENT, TABLE_IMPORTS

TYPES = {**renames.DATASETS, **renames.HOOKS, **renames.MODELS}
WORDS = {**TYPES, **ENVIRONMENT}
# What a type that is gone had as its default, and its successor has not.
DEFAULTS = {
    "WSegPCS3DISDataset": ("depth_tolerance", "0.05"),
    "WSegPCS3DISPseudoLabelDataset": ("dataset", '"S3DISDataset"'),
}
# Tables of keys, by the type of a dictionary (its new name).
BY_TYPE = {
    "WSegPC": renames.MODEL_KEYS,
    "WSegPCMinkUNet": renames.BACKBONE_KEYS,
    "WSegPCMultiViewDataset": renames.DATASET_KEYS,
    "WSegPCPseudoLabelDataset": renames.DATASET_KEYS,
    "WSegPCPseudoLabelExporter": renames.HOOK_KEYS,
}
# And where none is given, as in a config that changes some keys of its base: by place.
BY_PLACE = {
    ("model",): renames.MODEL_KEYS,
    ("model", "image_encoder"): renames.ENCODER_KEYS,
    ("model", "backbone"): renames.BACKBONE_KEYS,
    ("data", "train"): renames.DATASET_KEYS,
    ("data", "val"): renames.DATASET_KEYS,
    ("data", "test"): renames.DATASET_KEYS,
}
KEYS = {old: new for table in BY_TYPE.values() for old, new in table.items()}
KEYS |= renames.ENCODER_KEYS

Edit = tuple[tuple[int, int], tuple[int, int], str]  # begin, end, what stands there then


@dataclass
class Upgraded:
    """The new text; what was renamed in it, and what needs a hand, a line each."""

    text: str
    renamed: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)


@dataclass
class Entry:
    """`key=value` of a dictionary, with the node whose text is the key."""

    key: str
    place: ast.AST
    value: ast.AST
    is_text: bool  # "key": value

    def spelled(self, key: str, value: str) -> str:
        return f'"{key}": {value}' if self.is_text else f"{key}={value}"


def upgrade_config(text: str, folder: Path | None = None) -> Upgraded:
    """Rename what is old in the text of a config. Raises SyntaxError where it is no Python.

    folder: of the config; bases that are found from there keep their names.
    """
    tree, done, edits, known = ast.parse(text), Upgraded(text), [], set()
    for place, node in _dictionaries(tree):
        entries = list(_entries(node))
        kind = next((e for e in entries if e.key == "type"), None)
        name = kind and _constant(kind.value)
        if name in DEFAULTS:
            edits += _keep_default(node, kind, entries, done)
        table = BY_TYPE.get(TYPES.get(name, name)) if kind else BY_PLACE.get(place)
        if table is not None or kind:
            known.add(node)
        for entry in entries:
            if entry.key in (table or {}):
                edits += _rename(text, entry, table[entry.key], done)
    done.by_hand += _leftovers(tree, known)
    edits += _rename_words(text, tree, done)
    edits += _rename_bases(tree, folder, done)
    edits += _rename_imports(tree, done)
    done.text = _apply(text, edits)
    for remarks in (done.renamed, done.by_hand):
        remarks.sort(key=lambda remark: int(remark.split(":")[0].split()[1]))
    return done


def _dictionaries(tree: ast.Module) -> Iterator[tuple[tuple[str, ...], ast.AST]]:
    """All dictionaries of a config with their place: the keys that lead to them."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield from _inside((statement.targets[0].id,), statement.value)


def _inside(place, node):
    entries = list(_entries(node))
    if entries:
        yield place, node
    for entry in entries:
        yield from _inside((*place, entry.key), entry.value)
    if isinstance(node, (ast.List, ast.Tuple)):
        for child in node.elts:
            yield from _inside((*place, ""), child)


def _entries(node: ast.AST) -> Iterator[Entry]:
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "dict":
        for keyword in node.keywords:
            if keyword.arg:
                yield Entry(keyword.arg, keyword, keyword.value, False)
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None and isinstance(_constant(key), str):
                yield Entry(key.value, key, value, True)


def _is_whole(node: ast.AST) -> bool:
    """Whether a dictionary's entries are all: nothing is unpacked into it."""
    if isinstance(node, ast.Dict):
        return len(node.keys) == len(list(_entries(node)))
    is_dict = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "dict"
    return is_dict and not node.args and len(node.keywords) == len(list(_entries(node)))


def _constant(node):
    return node.value if isinstance(node, ast.Constant) else None


def _rename(text: str, entry: Entry, new: str | tuple[str, ...], done: Upgraded) -> list[Edit]:
    """Edits that rename an entry; a remark where a person has to."""
    names = [new] if isinstance(new, str) else list(new)
    remark = f"line {entry.place.lineno}: {entry.key} is now {', '.join(names)}"
    value = ast.get_source_segment(text, entry.value)
    if entry.key == "structures":
        value = _removal(text, entry.value, done)
    if value is None or not all(name.isidentifier() for name in names):
        done.by_hand.append(remark + ", {role: probability}" * (entry.key == "structures"))
        return []
    done.renamed.append(remark)
    begin, end = _span(entry.place)[0], _span(entry.value)[1]
    if len(names) == 1 and entry.key != "structures":  # the value may hold old names, too
        return [(begin, _span(entry.value)[0], entry.spelled(names[0], ""))]
    return [(begin, end, ", ".join(entry.spelled(name, value) for name in names))]


def _removal(text: str, node: ast.AST, done: Upgraded) -> str | None:
    """The text of {role: probability} for the old {name: (kind, probability)}; None: by hand."""
    roles = {}
    for entry in _entries(node):
        if entry.key == "_delete_":
            roles[entry.key] = entry.spelled(entry.key, "True")
            continue
        pair = entry.value.elts if isinstance(entry.value, ast.Tuple) else ()
        kind = _constant(pair[0]) if len(pair) == 2 else None
        role = renames.ROLES.get(kind, kind)
        if role not in ROLES:
            return None
        spelled = entry.spelled(role, ast.get_source_segment(text, pair[1]))
        if roles.setdefault(role, spelled) != spelled:
            return None
        if same(entry.key) not in ROLES[role]:
            done.by_hand.append(
                f"line {node.lineno}: structure_removal takes the classes of a role; give "
                f"{entry.key!r} the role {role} in classes.json"
            )
    if isinstance(node, ast.Constant):
        return ast.get_source_segment(text, node)
    if not _is_whole(node):
        return None
    inside = ", ".join(roles.values())
    return f"{{{inside}}}" if isinstance(node, ast.Dict) else f"dict({inside})"


def _keep_default(node, kind: Entry, entries: list[Entry], done: Upgraded) -> list[Edit]:
    """Edits that write out a default which the type's successor does not have."""
    key, value = DEFAULTS[kind.value.value]
    if key in [entry.key for entry in entries]:
        return []
    remark = f"line {kind.value.lineno}: {key}={value} was the default of {kind.value.value}"
    if not _is_whole(node):  # what is unpacked may have the key
        done.by_hand.append(f"{remark}; write it there unless another is set")
        return []
    done.renamed.append(f"{remark}, is written there now")
    end = _span(kind.value)[1]
    return [(end, end, ", " + kind.spelled(key, value))]


def _leftovers(tree: ast.Module, known: set[ast.AST]) -> Iterator[str]:
    """Remarks on old keys in dictionaries that nothing tells about, and where they are set."""
    for node in ast.walk(tree):
        found = []
        if isinstance(node, ast.Subscript):
            found = [_constant(node.slice)]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "update":
            found = [keyword.arg for keyword in node.keywords]
        elif node not in known:
            found = [entry.key for entry in _entries(node)]
        for old in found:
            if old in KEYS:
                new = [KEYS[old]] if isinstance(KEYS[old], str) else KEYS[old]
                yield f"line {node.lineno}: {old} is now {', '.join(new)}, if it is ours"


def _rename_words(text: str, tree: ast.Module, done: Upgraded) -> Iterator[Edit]:
    """Edits of the names of registered types and of environment variables."""
    for node in ast.walk(tree):
        if (old := _constant(node)) not in WORDS:
            continue
        remark = f"line {node.lineno}: {old} is now {WORDS[old]}"
        if (ast.get_source_segment(text, node) or "")[1:-1] == old:
            done.renamed.append(remark)
            yield *_span(node), f'"{WORDS[old]}"'
        else:  # in an f-string or of several pieces
            done.by_hand.append(remark)


def _rename_bases(tree: ast.Module, folder: Path | None, done: Upgraded) -> Iterator[Edit]:
    """Edits of the paths of our configs in `_base_`."""
    bases = [
        node
        for statement in tree.body
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "_base_"
        for node in ast.walk(statement.value)
        if isinstance(_constant(node), str)
    ]
    for node in bases:
        stem, dot, suffix = node.value.rpartition(".py")
        new = "/".join(CONFIGS.get(part, part) for part in stem.split("/")) + dot + suffix
        if new != node.value and not (folder and (folder / node.value).is_file()):
            done.renamed.append(f"line {node.lineno}: {node.value} is now {new}")
            yield *_span(node), f'"{new}"'


def _rename_imports(tree: ast.Module, done: Upgraded) -> Iterator[Edit]:
    """Edits of imports of class tables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "pointcept_wsegpc.labels":
            names = [
                alias.name for alias in node.names if alias.name == (alias.asname or alias.name)
            ]
            remark = f"line {node.lineno}: pointcept_wsegpc.labels has no class tables any more"
            if node.col_offset or len(names) < len(node.names) or set(names) - TABLE_IMPORTS.keys():
                done.by_hand.append(f"{remark}; see `wsegpc upgrade --list`")
                continue
            done.renamed.append(f"{remark}; they are in pointcept_wsegpc.contracts.classes")
            yield *_span(node), "\n".join(TABLE_IMPORTS[n].replace("; ", "\n") for n in names)


def _span(node: ast.AST) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where a node begins and ends: (line from 1, column in bytes) each."""
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _apply(text: str, edits: list[Edit]) -> str:
    """The text with what stands between two places replaced, for each edit."""
    data = text.encode()
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for begin, end, new in sorted(edits, reverse=True):
        first, last = (starts[line - 1] + column for line, column in (begin, end))
        data = data[:first] + new.encode() + data[last:]
    return data.decode()
