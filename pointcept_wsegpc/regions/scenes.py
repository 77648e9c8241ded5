"""Regions of a prepared scene: of its points and of every view, with the numbers about them.

N points, V views of H x W pixels.
"""

import contextlib
import inspect
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from ..files import read_json, write_array, write_json
from ..schema import read_view_image, read_views, view_path, write_view_image
from . import METHODS, fill_unassigned, resolve, settings_of
from .cloud import Cloud
from .inputs import read_inputs
from .methods import from_data
from .quality import add_up, boundary_of, measure
from .views import DepthView

FROM_SCENE = ("segment", "instance", "faces")  # settings that are arrays of each scene
NO_DEFAULT = inspect.Parameter.empty
POINTS_ONLY = ("file",)  # methods that cannot partition a view

logger = logging.getLogger(__name__)


def defaults_of(method):
    """Settings of a method with their default values; those without one have None."""
    return {name: None if v is NO_DEFAULT else v for name, v in _defaults(method).items()}


def required_by(method):
    """Settings that a method cannot do without and that scenes do not have."""
    missing = [name for name, value in _defaults(method).items() if value is NO_DEFAULT]
    return [name for name in missing if name not in FROM_SCENE]


def _defaults(method):
    parameters = inspect.signature(METHODS[method]).parameters
    return {name: parameters[name].default for name in settings_of(method)}


@dataclass(frozen=True)
class Settings:
    """How points and views are partitioned; other values mean doing it again.

    In the text values of `points`, such as the path of `file`, {scene} and {split} stand for the
    names of the scene and of its folder. mesh: path of a triangle `.ply` whose vertices are the
    scene's points, for a method with the setting `faces`.
    """

    method: str = "growing"
    preset: str | None = None
    points: dict = field(default_factory=dict)  # settings of the method
    view_method: str | None = None  # None: the method of the points, where it can do views
    view_preset: str | None = None  # None: the preset of the points, for the same method
    views: dict = field(default_factory=dict)  # settings of the views' method, and depth_noise
    fill: bool | None = None  # unassigned ones take the nearest region; None: as the preset says

    def __post_init__(self):
        """Raise ValueError for an unknown method or setting, before the first scene is read."""
        self.resolved()
        for name, value in self.points.items():
            if name in ("path", "mesh") and "{scene}" not in str(value):
                raise ValueError(
                    f"{name}={value} is one file for all scenes; write {{scene}} where the name "
                    "of the scene comes in"
                )

    def of_points(self):
        """(method, preset, settings) of the points."""
        return self.method, self.preset, self.points

    def of_views(self):
        """(method, preset, settings) of the views, without depth_noise."""
        method = self.view_method or ("growing" if self.method in POINTS_ONLY else self.method)
        preset = self.preset if method == self.method else None
        settings = {key: value for key, value in self.views.items() if key != "depth_noise"}
        return method, self.view_preset or preset, settings

    @property
    def depth_noise(self):
        return self.views.get("depth_noise", 0.0015)

    def resolved(self):
        """All settings by value, for JSON: presets and defaults are written out.

        None: the method decides, by the points.
        """
        views = written_out(*self.of_views(), self.fill)
        return {
            "points": written_out(*self.of_points(), self.fill),
            "views": {**views, "depth_noise": self.depth_noise},
        }


def written_out(method, preset, settings, fill):
    """{method, every setting, fill} as JSON holds them."""
    mesh = {key: settings[key] for key in ("mesh",) if key in settings}
    if mesh and "faces" not in settings_of(method):
        raise ValueError(f"method {method!r} has no setting 'mesh'")
    others = {key: value for key, value in settings.items() if key not in mesh}
    _, given, filled = resolve(method, preset, others)
    for name in required_by(method):
        if name not in given:
            raise ValueError(f"method {method!r} needs the setting {name}")
    values = {**defaults_of(method), **given, **mesh}
    values = {k: v for k, v in values.items() if k not in FROM_SCENE}
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    return {"method": method, **values, "fill": filled if fill is None else fill}


def is_extracted(scene, settings):
    """Whether the scene's regions are there, made with the same settings."""
    record = Path(scene) / "regions.json"
    return record.is_file() and read_json(record).get("settings") == settings.resolved()


def extract_regions(scene, settings):
    """Write region.npy and views/*.region.png of a scene; returns what regions.json records.

    regions.json is written last: it marks a scene as finished.
    """
    scene = Path(scene)
    (scene / "regions.json").unlink(missing_ok=True)
    for killed in (*scene.glob(".region.npy.*"), *scene.glob("views/.*.region.png.*")):
        killed.unlink()  # what an atomic write leaves behind when its process dies
    with collected_warnings() as warnings:
        record = {
            "settings": settings.resolved(),
            "points": extract_points(scene, settings),
            "views": extract_views(scene, settings),
            "warnings": warnings,
        }
    write_json(scene / "regions.json", record)
    for warning in warnings:
        logger.warning("%s/%s: %s", scene.parent.name, scene.name, warning)
    return record


@contextlib.contextmanager
def collected_warnings():
    """A list to which every message that the methods log as a warning is added, once."""
    messages = []

    def collect(record):
        if record.getMessage() not in messages:
            messages.append(record.getMessage())

    handler = logging.Handler(logging.WARNING)
    handler.emit = collect
    methods = logging.getLogger(__package__)
    propagate, methods.propagate = methods.propagate, False
    methods.addHandler(handler)
    try:
        yield messages
    finally:
        methods.removeHandler(handler)
        methods.propagate = propagate


def extract_points(scene, settings):
    """Partition the points of a scene into region.npy; returns the numbers."""
    points, given = read_inputs(scene, settings.method, settings.points)
    started = time.perf_counter()
    cloud = Cloud(points["coord"], points["normal"], points["color"])
    region = run(cloud, settings.method, settings.preset, given, settings.fill)
    seconds = time.perf_counter() - started
    cloud.check_unit()
    write_array(scene / "region.npy", region)
    segment = points.get("segment20")
    boundary = (0, 0) if segment is None else boundary_of(cloud, region, segment)
    tally = measure(region, segment, boundary, seconds)
    return {
        "spacing": cloud.spacing,
        "derived": from_data(cloud, **settings.resolved()["points"]),
        **tally.summary(),
        "counts": tally.to_json(),
    }


def extract_views(scene, settings):
    """Partition every view of a scene into views/*.region.png; returns the numbers."""
    views = read_views(scene)
    tallies, found = [], {}
    for frame, intrinsic in zip(views.frame, views.intrinsic, strict=True):
        images = {k: read_view_image(scene, frame, k, views.size) for k in ("depth", "color")}
        if view_path(scene, frame, "label").is_file():
            images["label"] = read_view_image(scene, frame, "label", views.size)
        region, tally, found = partition_images(images, intrinsic, settings)
        write_view_image(scene, frame, "region", region)
        tallies.append(tally)
    total = add_up(tallies)
    return {"views": len(views), "derived": found, **total.summary(), "counts": total.to_json()}


def partition_images(images, intrinsic, settings):
    """Regions (H,W) of one view, the Tally of its pixels with depth, and `from_data` of it.

    images: depth (H,W) m, color (H,W,3), and where there are labels label (H,W).
    """
    method, preset, given = settings.of_views()
    label = images.get("label")
    if "segment" in settings_of(method):
        if label is None:
            raise ValueError(f"method {method!r} needs labels, and a view has no label image")
        given = {**given, "segment": label}
    started = time.perf_counter()
    view = DepthView(images["depth"], intrinsic, images["color"], settings.depth_noise)
    region = run(view, method, preset, given, settings.fill)
    seconds = time.perf_counter() - started
    # Pixels without depth have no region by definition; the partition is not to blame.
    segment = None if label is None else view.select(label)
    boundary = (0, 0) if label is None else boundary_of(view, region, label)
    tally = measure(view.select(region), segment, boundary, seconds)
    return region, tally, from_data(view, **settings.resolved()["views"])


def run(cloud, method, preset, settings, fill):
    """Regions of all points of a Cloud, (N,), or all pixels of a DepthView, (H,W)."""
    function, settings, filled = resolve(method, preset, settings)
    try:
        region = function(cloud, **settings)
    except ImportError as error:  # a package that only this method needs
        raise ValueError(str(error)) from error
    if filled if fill is None else fill:
        region = fill_unassigned(cloud.coord, region)
    return cloud.spread(region)
