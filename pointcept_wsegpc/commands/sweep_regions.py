"""`wsegpc sweep-regions`: what a setting of a partition does to one cloud, as a figure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import click
import numpy as np

from ..clouds.normals import vertex_normals
from ..regions import apply, settings_of
from ..regions.cloud import Cloud
from ..regions.methods import from_data
from ..regions.scenes.inputs import from_files, read_inputs
from ..regions.scenes.quality import measure
from ..regions.scenes.report_text import caption
from ..regions.scenes.settings import try_on_points, written_out
from ..visualize.regions import Scene, draw_grid, normals_inwards
from .arguments import KEY_VALUE, PATH, PathType, subcommand
from .regions import setting_options

EXAMPLES = """
wsegpc sweep-regions data/train/scene0000_00 --vary max_angle=10,20,40 --out angles.png
wsegpc sweep-regions room.ply --method graph --vary threshold=0.01,0.1 min_size=5,50,500
wsegpc sweep-regions room.ply --vary method=growing,growing:wypr,supervoxel
"""


class Png(PathType):
    """The path of a figure; told before the work starts where none can be written."""

    def convert(self, value, param, ctx):
        path = super().convert(value, param, ctx)
        if path.suffix.lower() != ".png" or path.is_dir():
            self.fail(f"{value!r}: the figure is a .png; give such a name", param, ctx)
        return path


class Choice(NamedTuple):
    """A method with its preset and settings."""

    method: str
    preset: str | None
    settings: dict


@subcommand("sweep-regions", EXAMPLES, resumes="no figure is written")
@click.argument("cloud", type=PATH)
@click.option(
    "--vary",
    type=KEY_VALUE,
    multiple=True,
    required=True,
    metavar="KEY=A,B,C …",
    help="A setting and its values; None is what the method takes by itself. method=A,B:PRESET "
    "compares methods.",
)
@setting_options
@click.option("--out", type=Png(), default="sweep.png")
def command(cloud, vary, method, preset, given, fill, out):
    """Show what a setting of a partition does to one cloud: a panel for every value.

    CLOUD is a prepared scene or a .ply file of points or of a mesh, in metres with z up. Each
    setting that varies is one row of the figure, the others stay as --set and --preset say.
    Normals that the cloud does not have are estimated, or come from the faces of the mesh.
    """
    path, base = cloud, Choice(method, preset, dict(given))
    for key, text in vary:
        for value in values_of(text):
            check_choice(path, choices(base, key, value), fill)
    points, _ = read_cloud(path, method, {})
    cloud, normal = cloud_of(points), points.get("normal")
    scene = Scene(points["coord"], normals_inwards(cloud) if normal is None else normal)
    rows = []
    for key, text in vary:
        title = f"{path.name}\n{method * (key != 'method')}"
        row = [(scene.in_colors(points.get("color")), title)]
        for title, numbers, region in sweep(path, base, fill, key, text, cloud):
            click.echo(f"{title:<28} {caption(numbers)}")
            row.append((scene.in_regions(region), f"{title}\n{caption(numbers)}"))
        rows.append(row)
    cloud.check_unit()
    draw_grid(out, rows)
    click.echo(f"written: {out}")


def values_of(text):
    """'10,20' has become (10, 20); 'a,b' and a single value have not."""
    if isinstance(text, str):
        return text.split(",")
    return list(text) if isinstance(text, (tuple, list)) else [text]


def read_cloud(path, method, settings):
    """Point arrays by name, and the settings of the method with what files fill in."""
    if is_ply(path):
        points = read_ply(path)
        if "mesh" in settings:
            points["normal"] = None
        return points, from_files(settings, len(points["coord"]), path.stem, path.parent.name)
    return read_inputs(path, method, settings)


def is_ply(path):
    return path.suffix.lower() == ".ply"


def read_ply(path):
    """coord (N,3), and color, normal (N,3) where the file or its faces give them, of a .ply."""
    from plyfile import PlyData, PlyParseError

    try:
        ply = PlyData.read(str(path))
        vertex = ply["vertex"].data
        coord = np.stack([vertex[axis].astype(np.float64) for axis in "xyz"], axis=1)
    except (PlyParseError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected vertices with x y z ({error})") from error
    points = {"coord": coord}
    for key, names in {"color": ("red", "green", "blue"), "normal": ("nx", "ny", "nz")}.items():
        if set(names) <= set(vertex.dtype.names):
            points[key] = np.stack([vertex[name] for name in names], axis=1)
    if "normal" not in points and "face" in ply and len(ply["face"].data):
        try:
            points["normal"] = vertex_normals(coord, triangles(ply["face"].data, len(coord)))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}; mend its faces, or leave them out") from error
    return points


def triangles(face, num_points):
    """Triangles (F,3) of the polygons of a .ply, each a fan from its first corner."""
    names = [name for name in ("vertex_indices", "vertex_index") if name in face.dtype.names]
    if not names:
        raise ValueError("expected faces with vertex_indices")
    polygons = [np.asarray(polygon, np.int64) for polygon in face[names[0]]]
    fans = [np.empty((0, 3), np.int64)]
    for sides in {len(polygon) for polygon in polygons} - {0, 1, 2}:
        corner = np.stack([polygon for polygon in polygons if len(polygon) == sides])
        fans += [corner[:, [0, i, i + 1]] for i in range(1, sides - 1)]
    fans = np.concatenate(fans)
    if fans.size and not 0 <= fans.min() <= fans.max() < num_points:
        raise ValueError(f"faces name the points {fans.min()} to {fans.max()} of {num_points}")
    return fans


def choices(base: Choice, key: str, value) -> Choice:
    """The choice with one value of what varies."""
    _, preset, settings = base
    if key != "method":
        return Choice(base.method, preset, settings | ({} if value is None else {key: value}))
    method, _, preset = str(value).partition(":")
    return Choice(method, preset or None, settings)


def check_choice(cloud: Path, choice: Choice, fill: bool | None) -> None:
    """Raise ValueError, before anything is read, for what no cloud could be partitioned with."""
    written_out(*choice, fill)
    try_on_points(*choice, fill)
    if is_ply(cloud) and "segment" in settings_of(choice.method):
        raise ValueError(
            f"method {choice.method!r} needs labels, which {cloud} has not; take a scene"
        )


def cloud_of(points):
    return Cloud(points["coord"], points.get("normal"), points.get("color"))


def sweep(path: Path, base: Choice, fill: bool | None, key: str, text, cloud: Cloud) -> Iterator:
    """(title, numbers, region) of each value of a setting that varies."""
    for value in values_of(text):
        method, preset, settings = choices(base, key, value)
        used = written_out(method, preset, settings, fill)
        points, given = read_cloud(path, method, settings)
        own = cloud_of(points) if "mesh" in settings else cloud  # whose normals are the mesh's
        started = perf_counter()
        region = apply(own, method, preset, given, fill)
        tally = measure(region, points.get("segment"), seconds=perf_counter() - started)
        shown = {**used, **from_data(cloud, **used)}.get(key, value) if key != "method" else value
        title = f"{key}={shown:.3g}" if isinstance(shown, float) else f"{key}={shown}"
        yield title + " (default)" * (value is None), tally.summary(), region
