"""Registries for whatever users may add, one per kind, the plugins that fill them, and checks of
what settings may be.

A registry object stands in a file below its entries, which import it to register themselves:

    PARTITIONS = Registry("partition")

    @PARTITIONS.register("growing", needs=("normal",))
    def growing(coord, normal, color, **settings): ...
"""

from __future__ import annotations

import difflib
import functools
import math
import os
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

PLUGINS = "pointcept_wsegpc.plugins"  # entry-point group; each entry names a module to import
MODULES = "WSEGPC_PLUGINS"  # environment variable: modules of no installed package, with commas


class Registry:
    """Entries of one kind by name, each with facts about it; ``kind`` is the word for messages."""

    def __init__(self, kind: str):
        self.kind = kind
        self._entries: dict[str, tuple[Any, dict[str, Any]]] = {}

    def register(self, name: str, **facts: Any) -> Callable:
        """Decorator: register an object under ``name``; raises ValueError where another has it."""

        def file(entry):
            known, _ = self._entries.setdefault(name, (entry, facts))
            if known is not entry:
                raise ValueError(
                    f"{self.kind} {name!r} is {known!r} already; expected a name of its own "
                    f"for {entry!r}: rename one of them"
                )
            return entry

        return file

    def get(self, name: str) -> Any:
        """The object of a name; raises ValueError with the known names where there is none."""
        return self._find(name)[0]

    def facts(self, name: str) -> dict[str, Any]:
        """What was registered about an entry besides the object; raises as ``get`` does."""
        return dict(self._find(name)[1])

    def names(self) -> list[str]:
        """All names, in the order of registration, those of installed plugins included."""
        load_plugins()
        return list(self._entries)

    def _find(self, name):
        if name not in self._entries:
            known = self.names()
            near = difflib.get_close_matches(str(name), known, 1)
            if name not in self._entries:
                raise ValueError(
                    f"unknown {self.kind} {name!r}; expected one of {', '.join(known)}"
                    + (f": did you mean {near[0]!r}?" if near else "")
                )
        return self._entries[name]


@functools.cache
def load_plugins() -> None:
    """Import the users' modules, once per process.

    Installed packages name theirs in the entry-point group ``PLUGINS``, the environment variable
    ``MODULES`` names others. Raises ImportError that names the plugin where its import fails.
    """
    named = filter(None, map(str.strip, os.environ.get(MODULES, "").split(",")))
    modules = [EntryPoint(MODULES, module, PLUGINS) for module in named]
    for plugin in [*entry_points(group=PLUGINS), *modules]:
        try:
            plugin.load()
        except Exception as error:
            raise ImportError(
                f"plugin {plugin.name} ({plugin.value}) cannot be imported: {error}; "
                "repair it, or uninstall the package that brings it"
            ) from error


def check_choice(name: str, value: Any, known: Iterable[Any]) -> None:
    """Raise ValueError for a setting whose value is not among the known ones."""
    if value not in known:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(str, known))}")


def check_range(low: float, high: float = math.inf, **values: float) -> None:
    """Raise ValueError for a setting outside low..high, ends included; NaN is outside."""
    for name, value in values.items():
        if not low <= value <= high:
            expected = f"at least {low}" if high == math.inf else f"{low} to {high}"
            raise ValueError(f"{name} is {value}; expected {expected}")
