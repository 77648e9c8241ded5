"""How the scenes of a data set are partitioned: methods, presets and settings, checked."""

from __future__ import annotations

import inspect
import os
import re
from dataclasses import dataclass, field

import numpy as np

from .. import apply
from ..cloud import Cloud
from ..depth_view import DEPTH_NOISE, DepthView
from ..methods import METHODS, PRESETS, needed_by, resolve, settings_of

NOT_FROM_DATA = ("key",)  # settings that are none, not auto, where nothing is said
SIDE = 6  # points, pixels
SPACING = 0.001  # metres; far below any length that makes sense for a scene
FROM_FILES = ("file",)  # methods whose settings only mean something together with a scene

FROM_SCENE = ("segment", "instance", "faces")  # settings that are arrays of each scene
FILES = ("path", "mesh")  # settings that name a file of each scene
POINTS_ONLY = ("file",)  # methods that cannot partition a view
# Presets that cannot either: convex edges take normals with a sign, or faces.
POINTS_ONLY_PRESETS = (("graph", "segmentator"),)


def defaults_of(method):
    """Settings of a method with their default values; those without one have None."""
    parameters = inspect.signature(METHODS[method]).parameters
    defaults = {name: parameters[name].default for name in settings_of(method)}
    return {**defaults, **dict.fromkeys(needed_by(method))}


def required_by(method):
    """Settings that a method cannot do without and that scenes do not have."""
    return [name for name in needed_by(method) if name not in FROM_SCENE]


@dataclass(frozen=True)
class Settings:
    """How points and views are partitioned; other values mean doing it again.

    In the text values of `points`, such as the path of `file`, {scene} and {split} stand for the
    names of the scene and of its folder; paths are made absolute. mesh: path of a triangle `.ply`
    whose vertices are the scene's points, for a method with the setting `faces`; normals come from
    it, too. Raises ValueError for what no scene could be partitioned with.
    """

    method: str = "growing"
    preset: str | None = None
    points: dict = field(default_factory=dict)  # settings of the method
    view_method: str | None = None  # None: the method of the points, where it can do views
    view_preset: str | None = None  # None: that of the points, for the same method, where it can
    views: dict = field(default_factory=dict)  # settings of the views' method, and depth_noise
    fill: bool | None = None  # unassigned ones take the nearest region; None: as the preset says

    def __post_init__(self):
        files = {key: absolute(self.points[key]) for key in FILES if key in self.points}
        object.__setattr__(self, "points", {**self.points, **files})
        if self.view_method in POINTS_ONLY:
            raise ValueError(f"method {self.view_method!r} cannot partition views; choose another")
        if self.of_views()[:2] in POINTS_ONLY_PRESETS:
            raise ValueError(f"preset {self.view_preset!r} cannot partition views; choose another")
        if "mesh" in self.views:
            raise ValueError("views have no mesh; give mesh as a setting of the points")
        self.resolved()
        for key, path in files.items():
            if "{scene}" not in path:
                raise ValueError(
                    f"{key}={path} is one file for all scenes; write {{scene}} where the name "
                    "of the scene comes in"
                )
        try_on_points(*self.of_points(), self.fill)
        try_on_a_view(*self.of_views(), self.fill, self.depth_noise)

    def of_points(self):
        """(method, preset, settings) of the points."""
        return self.method, self.preset, self.points

    def of_views(self):
        """(method, preset, settings) of the views, without depth_noise."""
        method = self.view_method or ("growing" if self.method in POINTS_ONLY else self.method)
        inherits = method == self.method and (method, self.preset) not in POINTS_ONLY_PRESETS
        settings = {key: value for key, value in self.views.items() if key != "depth_noise"}
        return method, self.view_preset or (self.preset if inherits else None), settings

    @property
    def depth_noise(self):
        return self.views.get("depth_noise", DEPTH_NOISE)

    def note_on_views(self):
        """How views are not partitioned as the points are for want of ability, or ''."""
        method, preset, _ = self.of_views()
        if method != (self.view_method or self.method):
            return f"method {self.method!r} cannot partition views; they get {method!r}"
        if method == self.method and preset is None and self.preset is not None:
            return f"preset {self.preset!r} cannot partition views; they get {method!r} without it"
        return ""

    def resolved(self):
        """All settings by value, for JSON: presets and defaults are written out.

        None: the method decides, by the points.
        """
        views = written_out(*self.of_views(), self.fill)
        return {
            "points": written_out(*self.of_points(), self.fill),
            "views": {**views, "depth_noise": self.depth_noise},
        }


def absolute(path):
    """The path from the root on; {scene} and {split} may be anywhere in it."""
    return os.path.abspath(os.path.expanduser(str(path)))


def written_out(method, preset, settings, fill):
    """{method, every setting, fill} as JSON holds them; ValueError for what cannot be set."""
    for name in set(FROM_SCENE) & set(settings):
        hint = "name a file with mesh" if name == "faces" else "leave it out"
        raise ValueError(f"{name} comes from each scene and cannot be set; {hint}")
    mesh = {key: settings[key] for key in ("mesh",) if key in settings}
    others = {key: value for key, value in settings.items() if key not in mesh}
    _, given, filled = resolve(method, preset, others)
    if mesh and "faces" not in settings_of(method):
        raise ValueError(f"method {method!r} has no setting 'mesh'")
    for name in required_by(method):
        if name not in given:
            raise ValueError(f"method {method!r} needs the setting {name}")
    values = {**defaults_of(method), **given, **mesh}
    values = {k: plain(v) for k, v in values.items() if k not in FROM_SCENE}
    return {"method": method, **values, "fill": filled if fill is None else fill}


def plain(value):
    """A tuple as the list, a number of numpy as the number that JSON makes of it."""
    if isinstance(value, np.generic):
        return value.item()
    return list(value) if isinstance(value, tuple) else value


def listing():
    """Every method: what it makes, its settings, its presets."""
    lines = ["Settings with the values that they have by default; auto: by the data."]
    for method in METHODS:
        points_only = "; points only" if method in POINTS_ONLY else ""
        lines += ["", f"{method}: {summary(method)}{points_only}"]
        lines.append(f"    {words(settings_to_list(method)) or 'no settings'}")
        for preset, values in PRESETS.get(method, {}).items():
            points_only = "; points only" if (method, preset) in POINTS_ONLY_PRESETS else ""
            lines.append(f"    --preset {preset}: {words(values)}{points_only}")
    return "\n".join(lines)


def summary(method):
    """The first line of a method's docstring, for who does not know the code."""
    line = (METHODS[method].__doc__ or "").strip().splitlines()[0].rstrip(".")
    line = line.replace(" (M,)", "").replace("Cloud", "cloud").replace("DepthView", "view")
    return re.sub(r": see `\w+`", "", re.sub(r"`partition_(\w+)`", r"\1", line))


def settings_to_list(method):
    """What can be set, by name; `mesh` stands for faces, and what scenes have is left out."""
    settings = defaults_of(method)
    for name, value in settings.items():
        if value is None:
            settings[name] = "none" if name in NOT_FROM_DATA else "auto"
    settings |= dict.fromkeys(required_by(method), "(needed)")
    if "faces" in settings:
        settings["mesh"] = "none"
    return {name: value for name, value in settings.items() if name not in FROM_SCENE}


def words(settings):
    return "  ".join(f"{name}={value}" for name, value in settings.items())


def try_on_points(method, preset, settings, fill):
    """Raise ValueError where a method cannot do with its settings, or lacks a package."""
    i, j = np.indices((SIDE, SIDE)).reshape(2, -1)
    floor = np.stack([i, j, 0 * i], axis=1)
    coord = np.concatenate([floor, floor[:, [2, 1, 0]] + [0, 0, 1]])
    normal = np.repeat([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], len(floor), axis=0)
    settings = dict(settings)
    if settings.pop("mesh", None) is not None:
        settings["faces"], normal = np.array([[0, SIDE, 1]]), None
    cloud = Cloud(SPACING * coord, normal, np.full(coord.shape, 0.5))
    _try(cloud, method, preset, settings, fill)


def try_on_a_view(method, preset, settings, fill, depth_noise):
    """The same for the settings of views."""
    intrinsic = np.array([[SIDE, 0, SIDE / 2], [0, SIDE, SIDE / 2], [0, 0, 1.0]])
    color = np.full((SIDE, SIDE, 3), 0.5)
    view = DepthView(np.ones((SIDE, SIDE)), intrinsic, color, depth_noise)
    _try(view, method, preset, settings, fill)


def _try(cloud, method, preset, settings, fill):
    if method in FROM_FILES:
        return
    if "segment" in settings_of(method):
        settings = {**settings, "segment": np.zeros(cloud.shape, np.int32)}
    try:
        apply(cloud, method, preset, settings, fill)
    except (ImportError, OverflowError, TypeError) as error:
        raise ValueError(" ".join(str(error).split())) from error
