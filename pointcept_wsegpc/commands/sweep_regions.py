"""`wsegpc sweep-regions`: what a setting of a partition does to one cloud, as a figure."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import click
import numpy as np

from ..clouds.normals import vertex_normals
from ..clouds.ply import read_ply
from ..regions import PARTITIONS, Partition
from ..regions.cloud import Cloud
from ..regions.scenes.inputs import OPTIONAL, read_inputs
from ..regions.scenes.quality import measure
from ..regions.scenes.report_text import caption
from ..regions.scenes.settings import of_scene, with_absolute_paths
from ..regions.settings import kinds_of
from ..visualize.grid import draw_grid
from ..visualize.regions import Scene
from .arguments import KEY_VALUE, PATH, PathType, subcommand
from .regions import setting_options

EXAMPLES = """
wsegpc sweep-regions data/train/scene0000_00 --vary max_angle=10,20,40 --out angles.png
wsegpc sweep-regions room.ply --method graph --vary threshold=0.01,0.1 min_size=5,50,500
wsegpc sweep-regions room.ply --vary method=growing,growing:wypr,supervoxel
"""


class Png(PathType):
    """The path of a figure; refused before the work starts if it cannot be written."""

    def convert(self, value, param, ctx):
        path = super().convert(value, param, ctx)
        if path.suffix.lower() != ".png" or path.is_dir():
            self.fail(f"{value!r}: the figure is a .png; give such a name", param, ctx)
        return path


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

    CLOUD is a prepared scene or a .ply file of points or of a mesh, in meters with z up. Each
    setting that varies is one row of the figure, the others stay as --set and --preset say.
    Normals that the cloud does not have are estimated, or come from the faces of the mesh.
    """
    path, base = cloud, (method, preset, dict(given), fill)
    varied = [(key, [choice(path, base, key, v) for v in text.split(",")]) for key, text in vary]
    partitions = [partition for _, values in varied for _, partition in values]
    points = read_points(path, partitions)
    more = {key: array for key, array in points.items() if key not in ("coord", *OPTIONAL)}
    cloud = Cloud(points["coord"], points["normal"], points["color"], **more)
    scene = Scene(points["coord"], points["normal"])
    rows = []
    for key, values in varied:
        title = f"{path.name}\n{method * (key != 'method')}"
        row = [(scene.in_colors(points["color"]), title)]
        for value, partition in values:
            title, numbers, region = sweep(cloud, key, value, partition)
            click.echo(f"{title:<28} {caption(numbers)}")
            row.append((scene.in_regions(region), f"{title}\n{caption(numbers)}"))
        rows.append(row)
    cloud.check_unit()
    draw_grid(out, rows)
    click.echo(f"written: {out}")


def choice(path: Path, base: tuple, key: str, value: str) -> tuple[str | None, Partition]:
    """One value of what varies, None for the default, and the partition of this cloud with it."""
    method, preset, settings, fill = base
    if key == "method":
        method, _, preset = value.partition(":")
    else:
        settings = settings | {key: value}
    entry = PARTITIONS.get(method)
    default = value.strip().lower() == "none"
    if default and key in kinds_of(entry.settings):
        del settings[key]
    partition = entry.resolve(preset or None, with_absolute_paths(entry, settings), fill)
    return None if default else value, of_scene(partition, path.with_suffix(""))


def read_points(path: Path, partitions: list[Partition]) -> dict[str, np.ndarray | None]:
    """Arrays of a scene or a .ply by name, with all that the partitions take."""
    needs = tuple({name: None for partition in partitions for name in partition.needs})
    uses = tuple({name: None for partition in partitions for name in partition.method.arrays})
    if not is_ply(path):
        return read_inputs(path, needs, uses)
    points = {**dict.fromkeys(OPTIONAL), **read_cloud(path)}
    for partition in partitions:
        if any(points.get(name) is None for name in partition.needs):
            needs = " and ".join(partition.needs)
            raise ValueError(
                f"method {partition.name!r} needs {needs}, and {path} has none; take a scene"
            )
    return points


def is_ply(path):
    return path.suffix.lower() == ".ply"


def read_cloud(path: Path) -> dict[str, np.ndarray]:
    """coord (N,3), and color, normal (N,3) where the file or its faces give them, of a .ply."""
    cloud = read_ply(path)
    if cloud.normal is None and cloud.face is not None:
        cloud.normal = vertex_normals(cloud.coord, cloud.face)
    arrays = {"coord": cloud.coord, "color": cloud.color, "normal": cloud.normal}
    return {name: array for name, array in arrays.items() if array is not None}


def sweep(cloud: Cloud, key: str, value: str | None, partition: Partition) -> tuple:
    """(title, numbers, region) of one value of a setting that varies."""
    started = perf_counter()
    region, derived = partition(cloud)
    segment, seconds = cloud.array("segment"), perf_counter() - started
    shown = {**partition.values(), **derived}.get(key) if key != "method" else value
    title = f"{key}={shown:.3g}" if isinstance(shown, float) else f"{key}={shown}"
    numbers = measure(region, segment, seconds=seconds).summary()
    return title + " (default)" * (value is None), numbers, region
