"""Tags that a training cannot learn from, and names that look like slips of the pen."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .classes import ClassTable, same, shipped_names

LISTED = 10
MARKS = re.compile(r"[|/\s]+")  # what people write between tags, besides ; and ,
PLURAL = re.compile(r"(?<=[^s])s$|(?<=[sx])es$|(?<=[cs]h)es$")


class Doubt(NamedTuple):
    """Classes that stage one cannot learn, or whose names look wrong."""

    key: str
    names: list[str]
    found: str
    fix: str


def contrast(
    tags: Mapping[str, Collection[str]], names: Iterable[str], removed: Collection[str] = ()
) -> list[Doubt]:
    """What stage one cannot learn from the tags {training scene: classes}: two doubts at most.

    A class is learned from scenes with it and scenes without it; of those in `removed`, structure
    removal makes samples without.
    """
    names, scenes = list(names), [set(found) for found in tags.values()]
    everywhere = [name for name in names if scenes and all(name in found for found in scenes)]
    nowhere = [name for name in names if not any(name in found for found in scenes)]
    always = [name for name in everywhere if name not in removed]
    doubts = []
    if always:
        spared = [name for name in everywhere if name in removed]
        more = f" ({_listed(spared)}, too, but structure removal makes samples without)"
        doubts.append(Doubt(
            "tags-everywhere", always,
            f"{_listed(always)}: in all {len(scenes)} training scenes{more * bool(spared)}; "
            "expected scenes without, or a class cannot be learned",
            "add such scenes, or leave the class out",
        ))  # fmt: skip
    if scenes and nowhere:
        doubts.append(Doubt(
            "tags-unused", nowhere,
            f"{_listed(nowhere)}: the tag of no training scene, so it cannot be learned",
            "tag training scenes with it, or leave the class out",
        ))  # fmt: skip
    return doubts


def name_doubts(names: Collection[str]) -> list[Doubt]:
    """Names that look like one class, and those that look like several."""
    doubts = []
    for group in alike(names):
        fix = "write one of them everywhere, or list the others as its synonyms in classes.json"
        doubts.append(Doubt("tags-alike", group, f"{', '.join(group)} look like one class", fix))
    for name, (parts, _) in joined(names).items():
        fix = f"if it is, write {';'.join(parts)}"
        doubts.append(Doubt("tags-joined", [name], f"{name!r} looks like several classes", fix))
    return doubts


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that look like one class: singular and plural, or known synonyms."""
    synonyms, groups = _synonyms(), defaultdict(list)
    for name in names:
        singular = PLURAL.sub("", same(name))
        groups[synonyms.get(same(name)) or synonyms.get(singular) or singular].append(name)
    return [group for group in groups.values() if len(group) > 1]


def joined(names: Collection[str]) -> dict[str, tuple[list[str], bool]]:
    """{name: (parts, sure)} of names that look like several, written with a blank, | or /.

    sure: it has a |, or all its parts are names themselves; a class of a shipped table is not.
    """
    known, words = set(map(same, names)), defaultdict(set)
    for name in names:
        for word in _parts(name):
            words[word].add(name)
    classes = {spelling for table in _shipped() for spelling in table.spellings}
    found = {}
    for name in names:
        parts = _parts(name)
        if len(parts) < 2 or same(name) in classes:
            continue
        sure = "|" in name or all(part in known for part in parts)
        if sure or "/" in name or all(words[part] - {name} for part in parts):
            found[name] = [part for part in MARKS.split(name) if part], sure
    return found


def _parts(name):
    return [part for part in MARKS.split(same(name)) if part]


def _listed(names):
    return ", ".join(names[:LISTED]) + ", …" * (len(names) > LISTED)


def _shipped() -> list[ClassTable]:
    return [ClassTable.shipped(name) for name in shipped_names()]


def _synonyms():
    """{spelling: one name of its class} as the shipped tables have them."""
    merged = {}
    for table in _shipped():
        for name, others in table.synonyms.items():
            group = {same(word) for word in (name, *others)}
            group = group.union(*(merged.get(word, ()) for word in group))
            merged.update(dict.fromkeys(group, group))
    return {word: min(group) for word, group in merged.items()}
