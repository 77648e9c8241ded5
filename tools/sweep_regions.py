#!/usr/bin/env python3
"""Show what a setting of a partition method does: one cloud, a picture for every value.

    tools/sweep_regions.py data/train/scene0000_00 --vary max_angle=10,20,40 --out angles.png
    tools/sweep_regions.py room.ply --method graph --vary threshold=0.01,0.1 min_size=5,50,500
    tools/sweep_regions.py room.ply --vary method=growing,growing:wypr,supervoxel

Each setting that varies is one row of the picture, the others stay as --set and --preset say.
The cloud is a prepared scene or a .ply file of points or of a mesh, in metres with z up. Normals
that it does not have are estimated, or come from the faces of the mesh.
"""

import argparse
import sys
from pathlib import Path
from time import perf_counter

from key_value import key_value
from pointcept_wsegpc.clouds.normals import vertex_normals
from pointcept_wsegpc.clouds.ply import read_ply
from pointcept_wsegpc.regions import apply, settings_of
from pointcept_wsegpc.regions.cloud import Cloud
from pointcept_wsegpc.regions.methods import from_data
from pointcept_wsegpc.regions.scenes.inputs import from_files, read_inputs
from pointcept_wsegpc.regions.scenes.quality import measure
from pointcept_wsegpc.regions.scenes.report_text import caption
from pointcept_wsegpc.regions.scenes.settings import try_on_points, written_out
from pointcept_wsegpc.visualize.regions import Scene, draw_grid


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cloud", type=Path, help="folder of a prepared scene, or a .ply file")
    parser.add_argument(
        "--vary", nargs="+", type=key_value, action="extend", required=True, metavar="KEY=A,B,C",
        help="a setting and its values; None is what the method takes by itself. "
        "method=A,B:PRESET compares methods",
    )  # fmt: skip
    parser.add_argument("--method", default="growing", help="default growing")
    parser.add_argument("--preset", help="settings of the method known by a name")
    parser.add_argument(
        "--set", nargs="+", type=key_value, action="extend", default=[], metavar="KEY=VALUE",
        help="settings that stay",
    )  # fmt: skip
    parser.add_argument(
        "--fill", action=argparse.BooleanOptionalAction,
        help="give unassigned points the nearest region; default: as the preset says",
    )  # fmt: skip
    parser.add_argument("--out", type=png, default="sweep.png", help="default sweep.png")
    return parser.parse_args()


def png(text):
    """The path of a picture; told before the work starts where it is none that is written."""
    path = Path(text).expanduser()
    if path.suffix.lower() != ".png" or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: the picture is a .png; give such a name")
    return path


def values_of(text):
    """'10,20' has become (10, 20); 'a,b' and a single value have not."""
    if isinstance(text, str):
        return text.split(",")
    return list(text) if isinstance(text, (tuple, list)) else [text]


def read_cloud(path, method, settings):
    """Point arrays by name, and the settings of the method with what files fill in."""
    path = path.expanduser().resolve()
    if is_ply(path):
        points = read_points(path)
        if "mesh" in settings:
            points["normal"] = None
        return points, from_files(settings, len(points["coord"]), path.stem, path.parent.name)
    return read_inputs(path, method, settings)


def is_ply(path):
    return path.suffix.lower() == ".ply"


def read_points(path):
    """coord (N,3), and color, normal (N,3) where the file or its faces give them, of a .ply."""
    cloud = read_ply(path)
    if cloud.normal is None and cloud.face is not None:
        cloud.normal = vertex_normals(cloud.coord, cloud.face)
    arrays = {"coord": cloud.coord, "color": cloud.color, "normal": cloud.normal}
    return {name: array for name, array in arrays.items() if array is not None}


def choices(args, key, value):
    """(method, preset, settings) with one value of what varies."""
    settings = dict(args.set)
    if key != "method":
        return args.method, args.preset, {**settings, key: value} if value is not None else settings
    method, _, preset = str(value).partition(":")
    return method, preset or None, settings


def check_choice(cloud, method, preset, settings, fill):
    """Raise ValueError, before anything is read, for what no cloud could be partitioned with."""
    written_out(method, preset, settings, fill)
    try_on_points(method, preset, settings, fill)
    if is_ply(cloud) and "segment" in settings_of(method):
        raise ValueError(f"method {method!r} needs labels, which {cloud} has not; take a scene")


def cloud_of(points):
    return Cloud(points["coord"], points.get("normal"), points.get("color"))


def sweep(args, key, text, cloud):
    """(title, numbers, region) of each value of a setting that varies."""
    for value in values_of(text):
        method, preset, settings = choices(args, key, value)
        used = written_out(method, preset, settings, args.fill)
        points, given = read_cloud(args.cloud, method, settings)
        own = cloud_of(points) if "mesh" in settings else cloud  # whose normals are the mesh's
        started = perf_counter()
        region = apply(own, method, preset, given, args.fill)
        tally = measure(region, points.get("segment"), seconds=perf_counter() - started)
        shown = {**used, **from_data(cloud, **used)}.get(key, value) if key != "method" else value
        title = f"{key}={shown:.3g}" if isinstance(shown, float) else f"{key}={shown}"
        yield title + " (default)" * (value is None), tally.summary(), region


def main():
    args = parse_arguments()
    for key, text in args.vary:
        for value in values_of(text):
            check_choice(args.cloud, *choices(args, key, value), args.fill)
    points, _ = read_cloud(args.cloud, args.method, {})
    cloud, scene = cloud_of(points), Scene(points["coord"], points.get("normal"))
    rows = []
    for key, text in args.vary:
        title = f"{args.cloud.name}\n{args.method * (key != 'method')}"
        row = [(scene.in_colors(points.get("color")), title)]
        for title, numbers, region in sweep(args, key, text, cloud):
            print(f"{title:<28} {caption(numbers)}", flush=True)
            row.append((scene.in_regions(region), f"{title}\n{caption(numbers)}"))
        rows.append(row)
    cloud.check_unit()
    draw_grid(args.out, rows)
    print(f"written: {args.out}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"sweep_regions: {error}")
    except KeyboardInterrupt:
        sys.exit("sweep_regions: interrupted")
