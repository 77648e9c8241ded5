"""Old keys in the text of a config, rewritten where they stand; everything else stays as it is.

What a dictionary is, and so which names it may have, is told by its `type`, else by where it stands
in the config (`model`, `data.train`, `hooks`). Dictionaries may be written `dict(…)` or `{…}`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from .. import renames
from .old_names import CONFIGS, ENVIRONMENT

TYPES = {**renames.DATASETS, **renames.HOOKS, **renames.MODELS}
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


def upgrade_config(text: str) -> Upgraded:
    """Rename what is old in the text of a config. Raises SyntaxError where it is no Python."""
    done, edits = Upgraded(text), []
    for place, node in _dictionaries(ast.parse(text)):
        entries = list(_entries(node))
        kind = next((_constant(e.value) for e in entries if e.key == "type"), None)
        if kind in TYPES:
            value = next(e.value for e in entries if e.key == "type")
            edits.append((*_span(value), quoted(TYPES[kind])))
            done.renamed.append(f"line {value.lineno}: {kind} is now {TYPES[kind]}")
        table = BY_PLACE.get(place, {}) if kind is None else BY_TYPE.get(TYPES.get(kind, kind), {})
        for entry in entries:
            if entry.key in table:
                edits += _rename(text, entry, table[entry.key], done)
    edits += list(_rename_texts(ast.parse(text), done))
    done.text = _apply(text, edits)
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


def _constant(node):
    return node.value if isinstance(node, ast.Constant) else None


def _rename(text: str, entry: Entry, new: str | tuple[str, ...], done: Upgraded) -> list:
    """Edits that rename an entry; a remark where a person has to."""
    where = f"line {entry.place.lineno}: {entry.key}"
    names = [new] if isinstance(new, str) else list(new)
    value = ast.get_source_segment(text, entry.value)
    if entry.key == "structures":
        value = _removal(entry.value)
    if value is None or not all(name.isidentifier() for name in names):
        done.by_hand.append(f"{where} is now {', '.join(names)}")
        return []
    done.renamed.append(f"{where} is now {', '.join(names)}")
    keys = [quoted(name) + ": " if entry.is_text else name + "=" for name in names]
    begin, end = _span(entry.place)[0], _span(entry.value)[1]
    if len(names) == 1 and entry.key != "structures":  # the value may hold old names, too
        return [(begin, _span(entry.value)[0], keys[0])]
    return [(begin, end, ", ".join(key + value for key in keys))]


def _removal(node: ast.AST) -> str | None:
    """{role: probability} of the old {name: (kind, probability)}; None where it is no literal."""
    try:
        old = ast.literal_eval(node)
        return repr({renames.ROLES.get(kind, kind): prob for kind, prob in old.values()})
    except (ValueError, TypeError, AttributeError):
        return None


def _rename_texts(tree: ast.Module, done: Upgraded) -> Iterator[tuple]:
    """Edits of paths of our configs in `_base_`, and of names of environment variables."""
    bases = [
        node
        for statement in tree.body
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "_base_"
        for node in ast.walk(statement.value)
    ]
    for node in ast.walk(tree):
        old = _constant(node)
        if not isinstance(old, str):
            continue
        new = ENVIRONMENT.get(old, old)
        if node in bases:
            parts = [(part, *part.rpartition(".py")[:1]) for part in old.split("/")]
            new = "/".join(
                CONFIGS[stem] + ".py" if stem in CONFIGS else CONFIGS.get(part, part)
                for part, stem in parts
            )
        if new != old:
            done.renamed.append(f"line {node.lineno}: {old} is now {new}")
            yield *_span(node), quoted(new)


def quoted(text: str) -> str:
    return f'"{text}"'


def _span(node: ast.AST) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where a node begins and ends: (line from 1, column in bytes) each."""
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _apply(text: str, edits: list) -> str:
    """The text with what stands between two places replaced, for each (begin, end, new)."""
    data = text.encode()
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for begin, end, new in sorted(edits, reverse=True):
        first, last = (starts[line - 1] + column for line, column in (begin, end))
        data = data[:first] + new.encode() + data[last:]
    return data.decode()
