"""Partition methods by name: their settings, presets, what they need, and how they are run.

N points given, M rows of a Cloud or a DepthView. One call registers a method, ours or yours:

    @dataclass(frozen=True)
    class CubeSettings:
        size: float = 0.5  # meters

    @PARTITIONS.register("cubes", settings=CubeSettings)
    def cubes(coord, normal, color, size):
        '''Cubes of one size.'''
        return np.unique(np.floor(coord / size), axis=0, return_inverse=True)[1]
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..clouds.ids import compact_ids
from ..registry import Registry
from .cloud import Cloud, fill_unassigned
from .depth_view import DepthView
from .settings import NoSettings, check_value, kinds_of, required

OF_VIEWS = {"segment", "normal", "color"}  # arrays that a view can have


@dataclass(frozen=True)
class Method:
    """A partition method and its properties; made by `PARTITIONS.register`.

    on_cloud: the function is called with (cloud, settings), a Cloud or DepthView and the settings
    dataclass, for neighbours and planes; it returns ids without gaps. Otherwise with arrays and
    keywords: see `call_with_arrays`.
    presets {name: {setting: value}}; `fill` in one is the default of `resolve`'s.
    needs: arrays of the scene that it requires; uses: those that it takes if present.
    files: settings that name a file of each scene.
    views: whether it can partition a view; a function of the settings where it depends on them.
    derived: function of (cloud, settings) that gives {setting: value} for settings that are None.
    coarser: settings that make regions larger where raised, the most useful one first.
    available: function that raises ImportError where an optional package is missing.
    """

    name: str
    function: Callable
    settings: type = NoSettings
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    views: bool | Callable[[Any], bool] = True
    derived: Callable[[Any, Any], Mapping[str, float]] = lambda cloud, settings: {}
    coarser: tuple[str, ...] = ()
    available: Callable[[], Any] | None = None
    on_cloud: bool = False

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of what is handed to the function as a whole array, beside colors and normals."""
        return tuple(name for name in (*self.needs, *self.uses) if name not in ("normal", "color"))

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0].rstrip(".")

    def resolve(
        self,
        preset: str | None = None,
        given: Mapping[str, Any] | None = None,
        fill: bool | None = None,
    ) -> Partition:
        """The partition with the settings given, on top of a preset's, on top of the defaults.

        fill: give unassigned points the region of the nearest assigned one; None: as the preset
        says. Values may be text, as on a command line. Raises ValueError for an unknown preset or
        setting, a value of another type than the setting's or out of its range, and a missing one;
        ImportError for a missing package.
        """
        if preset is not None and preset not in self.presets:
            names = ", ".join(self.presets) or "none"
            raise ValueError(f"method {self.name!r} has no preset {preset!r}; known: {names}")
        if fill not in (None, True, False):
            raise ValueError(f"fill is {fill!r}; give True, False or None")
        chosen = {**self.presets.get(preset, {}), **(given or {})}
        filled = chosen.pop("fill", False)
        kinds = kinds_of(self.settings)
        for name in chosen:
            if name not in kinds:
                known = ", ".join((*kinds, *self.arrays)) or "none"
                raise ValueError(f"method {self.name!r} has no setting {name!r}; known: {known}")
        missing = [name for name in required(self.settings) if name not in chosen]
        if missing:
            raise ValueError(f"method {self.name!r} needs the setting {missing[0]}")
        chosen = {name: check_value(name, value, kinds[name]) for name, value in chosen.items()}
        settings = self.settings(**chosen)
        if self.available is not None:
            self.available()
        return Partition(self.name, settings, filled if fill is None else fill)

    def can_views(self, settings: Any) -> bool:
        """Whether a view can be partitioned with these settings."""
        able = self.views(settings) if callable(self.views) else self.views
        return able and set(self.needs) <= OF_VIEWS


@dataclass(frozen=True)
class Partition:
    """A method with all of its settings, checked: what turns a cloud or a view into regions."""

    name: str
    settings: Any  # dataclass of the method
    fill: bool = False  # unassigned points take the region of the nearest assigned one

    @property
    def method(self) -> Method:
        return PARTITIONS.get(self.name)

    @property
    def needs(self) -> tuple[str, ...]:
        """Arrays of a scene that it cannot do without."""
        return self.method.needs

    def __call__(self, cloud: Cloud | DepthView) -> tuple[np.ndarray, dict[str, float]]:
        """Region of all N points of a Cloud, (N,), or all pixels of a DepthView, (H,W), int32.

        Also {setting: value} of what the data decided. Raises ValueError for what is missing.
        """
        method = self.method
        for name in self.needs:
            if cloud.array(name) is None:
                raise ValueError(f"method {self.name!r} needs {name}; give it, or choose another")
        derived = dict(method.derived(cloud, self.settings))
        settings = dataclasses.replace(self.settings, **derived)
        if method.on_cloud:
            region = method.function(cloud, settings)
        else:
            region = call_with_arrays(method, cloud, settings)
        if self.fill:
            region = fill_unassigned(cloud.coord, region)
        return cloud.spread(region), derived

    def values(self) -> dict[str, Any]:
        """{method, every setting, fill} as JSON holds them, None where the data decide.

        A file of each scene is there only where one is named.
        """
        values = dataclasses.asdict(self.settings)
        unnamed = [name for name in self.method.files if values[name] is None]
        values = {name: value for name, value in values.items() if name not in unnamed}
        return {"method": self.name, **values, "fill": self.fill}


def call_with_arrays(method: Method, cloud: Cloud | DepthView, settings: Any) -> np.ndarray:
    """Region (M,) int32 of the rows, by a function that takes arrays.

    It gets coord (M,3) meters, normal (M,3) of length 1 and any sign, estimated where missing, 0
    where there is none, color (M,3) in 0..1 or None, and by name the settings and the arrays that
    it needs or uses: of distinct points with finite coordinates, in the order of the input. It
    returns ids (M,), any integers, below 0 = unassigned.
    """
    order = np.argsort(cloud.rows)
    color = None if cloud.color is None else cloud.color[order]
    arrays = {name: cloud.array(name) for name in method.arrays}
    arrays = {k: cloud.select(v)[order] for k, v in arrays.items() if v is not None}
    normal = cloud.planes(NORMAL_NEIGHBOURS)[0][order]
    ids = method.function(cloud.coord[order], normal, color, **vars(settings), **arrays)
    ids = np.asarray(ids)
    if ids.shape != order.shape or ids.dtype.kind not in "iu":
        raise ValueError(
            f"method {method.name!r} returned {ids.dtype} of shape {ids.shape}; expected an "
            f"integer for each of {len(order)} points"
        )
    region = np.empty(len(order), np.int32)
    region[order] = compact_ids(ids)
    return region


class Partitions(Registry):
    """The registry of partition methods."""

    def register(self, name: str, **facts: Any) -> Callable:
        """Decorator of a partition function; facts: the fields of `Method`.

        The function is called as (coord, normal, color, **settings) -> ids (N,), integers, below 0
        = unassigned; with on_cloud=True as (cloud, settings). Raises ValueError where the name is
        taken.
        """

        def file(function):
            super(Partitions, self).register(name)(Method(name, function, **facts))
            return function

        return file


NORMAL_NEIGHBOURS = 12  # of a point, for its normal where none is given
PARTITIONS = Partitions("partition method")
