"""How the scenes of a data set are partitioned: one plan, resolved and checked before the start."""

from __future__ import annotations

import dataclasses
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...contracts.classes import root_of
from ...contracts.scene import split_key
from .. import PARTITIONS, Partition
from ..depth_view import DEPTH_NOISE
from ..registry import Method
from ..settings import check_value, kinds_of, required

DEFAULT = "growing"

logger = logging.getLogger(__name__)


def default_partition() -> Partition:
    return PARTITIONS.get(DEFAULT).resolve()


@dataclass(frozen=True)
class RegionSettings:
    """How points and views are partitioned; other values mean doing it again."""

    points: Partition = field(default_factory=default_partition)
    views: Partition = field(default_factory=default_partition)
    depth_noise: float = DEPTH_NOISE  # of views

    def __post_init__(self):
        if not 0 <= self.depth_noise < float("inf"):
            raise ValueError(
                f"depth_noise is {self.depth_noise}; give a noise per meter of at least 0"
            )
        for key, path in files_of(self.points).items():
            if "{scene}" not in path:
                raise ValueError(
                    f"{key}={path} is one file for all scenes; write {{scene}} where the name "
                    "of the scene comes in"
                )
        if not self.views.method.can_views(self.views.settings):
            raise ValueError(
                f"method {self.views.name!r} with {words(self.views.values())} cannot partition "
                "views; choose another for them"
            )

    @classmethod
    def resolve(
        cls,
        method: str = DEFAULT,
        preset: str | None = None,
        points: dict[str, Any] | None = None,
        view_method: str | None = None,
        view_preset: str | None = None,
        views: dict[str, Any] | None = None,
        fill: bool | None = None,
    ) -> RegionSettings:
        """The settings from names and values, as a user gives them; values may be text.

        Views take the method and the preset of the points where they are given none and can be
        partitioned so; a warning in the log says where they cannot. views: settings of their
        method, and depth_noise. In files of scenes, such as the path of `file`, {scene} and {split}
        stand for the names of the scene and of its folder; paths are made absolute. Raises
        ValueError for what no scene could be partitioned with, ImportError for a missing package.
        """
        views = dict(views or {})
        noise = check_value("depth_noise", views.pop("depth_noise", DEPTH_NOISE), [float])
        of_points, of_views = PARTITIONS.get(method), method_of_views(method, view_method)
        if view_method is None and of_views is not of_points:
            logger.warning("method %r cannot partition views; they get %r", method, of_views.name)
        inherited = preset if of_views is of_points and view_preset is None else None
        if inherited and not of_views.can_views(of_views.resolve(inherited).settings):
            inherited = None
            logger.warning(
                "preset %r cannot partition views; they get %r without it", preset, method
            )
        return cls(
            of_points.resolve(preset, with_absolute_paths(of_points, points or {}), fill),
            of_views.resolve(view_preset or inherited, views, fill),
            noise,
        )

    def values(self) -> dict[str, dict[str, Any]]:
        """All settings by value, for JSON: presets and defaults are written out.

        None: the method decides, by the points.
        """
        views = {**self.views.values(), "depth_noise": self.depth_noise}
        return {"points": self.points.values(), "views": views}


def method_of_views(method: str, view_method: str | None) -> Method:
    """The method that views get: the one asked for, that of the points, or the default."""
    if view_method is not None:
        return PARTITIONS.get(view_method)
    of_points = PARTITIONS.get(method)
    return of_points if of_points.views else PARTITIONS.get(DEFAULT)


def files_of(partition: Partition) -> dict[str, str]:
    """{setting: path} of what names a file of each scene."""
    paths = {key: getattr(partition.settings, key) for key in partition.method.files}
    return {key: path for key, path in paths.items() if path is not None}


def with_absolute_paths(method: Method, given: dict[str, Any]) -> dict[str, Any]:
    """The settings with paths from the root on; {scene} and {split} may be anywhere in them."""
    return {
        key: os.path.abspath(os.path.expanduser(str(value))) if key in method.files else value
        for key, value in given.items()
    }


def of_scene(partition: Partition, scene: Path) -> Partition:
    """The partition of one scene: its names stand in the paths of its files."""
    split, _, name = split_key(scene.resolve(), root_of(scene)).partition("/")
    paths = {
        key: path.replace("{scene}", name).replace("{split}", split)
        for key, path in files_of(partition).items()
    }
    settings = dataclasses.replace(partition.settings, **paths)
    return dataclasses.replace(partition, settings=settings)


def listing() -> str:
    """Every method: what it makes, its settings, its presets."""
    lines = ["Settings with the values that they have by default; auto: by the data."]
    for name in PARTITIONS.names():
        method = PARTITIONS.get(name)
        lines += ["", f"{name}: {method.summary}{points_only(method.views is not False)}"]
        lines.append(f"    {words(settings_to_list(method)) or 'no settings'}")
        for preset, values in method.presets.items():
            able = not method.views or method.can_views(method.resolve(preset).settings)
            told = words(values) or "the defaults"
            lines.append(f"    --preset {preset}: {told}{points_only(able)}")
    return "\n".join(lines)


def points_only(able: bool) -> str:
    return "" if able else "; points only"


def settings_to_list(method: Method) -> dict[str, Any]:
    """{setting: its default}, in words where it has none or the data decide."""
    kinds, needed = kinds_of(method.settings), required(method.settings)
    defaults = {f.name: f.default for f in dataclasses.fields(method.settings)}
    for name, value in defaults.items():
        if name in needed:
            defaults[name] = "(needed)"
        elif value is None:  # numbers follow the data, files and names do not
            defaults[name] = "auto" if {int, float} & set(kinds[name]) else "none"
    return defaults


def words(settings: dict[str, Any]) -> str:
    return "  ".join(f"{name}={value}" for name, value in settings.items())
