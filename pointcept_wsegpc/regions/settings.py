"""Settings of a partition method: the fields of a dataclass, read and checked by their types.

A field has a type of KINDS, several of them, or also None, which stands for "the data decide".
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import os
import types
import typing
from pathlib import Path
from typing import Any

import numpy as np

MAX_INT, MAX_FLOAT = 2**31 - 1, 1e30  # the largest values that a setting may have
KINDS = {  # tried in this order on a text
    type(None): "None",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    Path: "a path",
    str: "text",
}
WORDS = {"none": None, "true": True, "false": False}


@dataclasses.dataclass(frozen=True)
class NoSettings:
    """Of a method that has none."""


def kinds_of(settings: type) -> dict[str, list[type]]:
    """{field: its types} of a settings dataclass; TypeError for one that is not in KINDS."""
    kinds = {}
    for name, hint in typing.get_type_hints(settings).items():
        union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
        members = typing.get_args(hint) if union else (hint,)
        if not set(members) <= KINDS.keys():
            known = ", ".join(kind.__name__ for kind in KINDS)
            raise TypeError(f"{settings.__name__}.{name} is {hint}; expected types of: {known}")
        kinds[name] = [kind for kind in KINDS if kind in members]
    return kinds


def required(settings: type) -> list[str]:
    """Fields of a settings dataclass without a default."""
    fields = dataclasses.fields(settings)
    return [f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING]


def check_value(name: str, value: Any, kinds: list[type]) -> Any:
    """The value of a setting, from text as a command line has it, or a number of numpy's.

    kinds: the types that the setting may have. Raises ValueError where none of them fits.
    """
    if isinstance(value, str):
        value = _from_text(value, kinds)
    elif isinstance(value, np.generic):
        value = value.item()
    fits = [kind for kind in kinds if _fits(value, kind)]
    if not fits:
        told = " or ".join(KINDS[kind] for kind in kinds if kind is not type(None))
        raise ValueError(f"{name} is {value!r}; give {told}")
    largest = {int: MAX_INT, float: MAX_FLOAT}.get(fits[0])
    if largest and abs(value) > largest and abs(value) != math.inf:
        raise ValueError(f"{name} is {value}; give a number up to {largest}")
    return os.fspath(value) if fits[0] is Path else value


def _from_text(text: str, kinds: list[type]) -> Any:
    word = text.strip().lower()
    for kind in kinds:
        if word in WORDS and isinstance(WORDS[word], kind) and kind not in (int, float):
            return WORDS[word]
        if kind is int or kind is float:
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def _fits(value: Any, kind: type) -> bool:
    if kind in (int, float):
        real = numbers.Integral if kind is int else numbers.Real
        return isinstance(value, real) and not isinstance(value, bool)
    return isinstance(value, (str, os.PathLike) if kind is Path else kind)
