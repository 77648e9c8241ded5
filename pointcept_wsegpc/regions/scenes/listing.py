"""The partition methods with their settings and presets, as text for who runs the tools."""

import re

from ..methods import METHODS, PRESETS
from .settings import FROM_SCENE, POINTS_ONLY, POINTS_ONLY_PRESETS, defaults_of, required_by

NOT_FROM_DATA = ("key",)  # settings that are none, not auto, where nothing is said


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
