"""Regions of prepared scenes: files, numbers, resume. Two planes, so two regions are the truth."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import raw_scan

from pointcept_wsegpc import schema
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.metrics import partition_quality
from pointcept_wsegpc.regions import scenes
from pointcept_wsegpc.regions.scenes import Settings, extract_regions, is_extracted
from pointcept_wsegpc.scans.capture import Capture
from pointcept_wsegpc.scans.scannet import Settings as PrepareSettings
from pointcept_wsegpc.scans.scannet import prepare_scene

ROOT = Path(__file__).resolve().parents[1]


def prepared(tmp_path, name="scene0000_00", split="train", **options):
    raw = tmp_path / "raw"
    raw_scan.write_lists(raw, **{split: [name]})
    capture = Capture(name, split, raw_scan.write_scan(raw, name, **options), tmp_path / "out")
    prepare_scene(capture, PrepareSettings(stride=4, height=48, width=64))
    return capture.target


def run_tool(*arguments):
    command = [sys.executable, ROOT / "tools/extract_regions.py", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def row(text, title):
    """The cells of the table's row with this title."""
    (line,) = (line for line in text.splitlines() if line.startswith(title))
    return line.removeprefix(title).split()


def test_two_planes_are_two_regions(tmp_path):
    scene = prepared(tmp_path)
    record = extract_regions(scene, Settings())
    segment = np.load(scene / "segment20.npy")
    region = schema.read_region(scene, len(segment))
    assert region.dtype == np.int32 and region.max() == 1
    assert record["points"]["regions"] == 2
    assert record["points"]["unassigned"] == pytest.approx((region < 0).mean())
    assert record["points"]["unassigned"] < 0.02
    assert record["points"]["quality"] == pytest.approx(partition_quality(region, segment, 20))
    assert record["points"]["quality"] > 0.97
    views = schema.read_views(scene)
    counts, unassigned, seen = [], 0, 0
    for frame in views.frame:
        image = schema.read_view_image(scene, frame, "region", views.size)
        depth = schema.read_view_image(scene, frame, "depth", views.size)
        assert (image[depth == 0] == -1).all()
        counts.append(image.max() + 1)
        unassigned, seen = unassigned + (image[depth > 0] < 0).sum(), seen + (depth > 0).sum()
    assert record["views"]["views"] == 2
    assert record["views"]["regions"] == np.mean(counts)
    assert record["views"]["unassigned"] == pytest.approx(unassigned / seen)
    assert record["views"]["quality"] > 0.95
    assert read_json(scene / "regions.json") == record


def test_a_scene_without_labels_has_no_quality(tmp_path):
    scene = prepared(tmp_path, split="test", labels=False)
    record = extract_regions(scene, Settings())
    for kind in ("points", "views"):
        assert {"regions", "unassigned"} < set(record[kind])
        assert not {"quality", "boundary_recall"} & set(record[kind])


def test_settings_reach_the_methods(tmp_path):
    scene = prepared(tmp_path)
    nothing = extract_regions(
        scene, Settings(points={"min_size": 10**6}, views={"min_size": 10**6})
    )
    assert nothing["points"]["unassigned"] == 1 and nothing["points"]["quality"] == 0
    assert nothing["views"]["unassigned"] == 1 and nothing["views"]["regions"] == 0
    coarse = {"points": {"min_size": 4000}, "views": {"min_size": 1000}}
    some = extract_regions(scene, Settings(**coarse))
    assert some["points"]["regions"] == 1
    filled = extract_regions(scene, Settings(**coarse, fill=True))
    assert filled["points"]["unassigned"] == 0 < some["points"]["unassigned"]
    assert filled["views"]["unassigned"] == 0 < some["views"]["unassigned"]


def test_unknown_settings_are_refused_before_the_start():
    with pytest.raises(ValueError, match=r"unknown partition method 'magic'; known: .*growing"):
        Settings(method="magic")
    with pytest.raises(ValueError, match=r"no setting 'max_angel'; known: .*max_angle"):
        Settings(points={"max_angel": 3})
    with pytest.raises(ValueError, match="method 'growing' has no setting 'x'"):
        Settings(views={"x": 3})


def test_resume_and_what_a_killed_run_leaves(tmp_path, monkeypatch):
    scene = prepared(tmp_path)
    assert not is_extracted(scene, Settings())
    extract_regions(scene, Settings())
    assert is_extracted(scene, Settings())
    assert not is_extracted(scene, Settings(fill=True))

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(scenes, "extract_views", killed)
    with pytest.raises(KeyboardInterrupt):
        extract_regions(scene, Settings(fill=True))
    assert not is_extracted(scene, Settings()) and not is_extracted(scene, Settings(fill=True))
    monkeypatch.undo()
    for leftover in (scene / ".region.npy.x.npy", scene / "views/.000000.region.png.x.png"):
        leftover.touch()
    extract_regions(scene, Settings(fill=True))
    hidden = list(scene.rglob(".*"))
    assert is_extracted(scene, Settings(fill=True)) and not hidden


def test_regions_of_hard_linked_points_stay_ours(tmp_path):
    scene = prepared(tmp_path)
    before = {p.name: p.read_bytes() for p in scene.glob("*.npy")}
    extract_regions(scene, Settings())
    assert {p.name for p in scene.glob("*.npy")} == {*before, "region.npy"}
    assert all((scene / name).read_bytes() == data for name, data in before.items())


def test_the_tool(tmp_path):
    first = prepared(tmp_path)
    prepared(tmp_path, "scene0001_00", "val")
    root = tmp_path / "out"
    done = run_tool(root, "--workers", 2, "--set", "max_angle=15", "min_size=40")
    assert done.returncode == 0, done.stderr
    assert "2 done, 0 already finished, 0 failed" in done.stdout
    assert row(done.stdout, "number") == ["2", "4"]
    assert row(done.stdout, "regions each")[0] == "2.0"
    stored = read_json(first / "regions.json")["settings"]["points"]
    assert (stored["max_angle"], stored["min_size"], stored["neighbours"]) == (15, 40, 12)
    again = ("--set", "max_angle=15", "--set", "min_size=40")
    assert "0 done, 2 already finished" in run_tool(root, *again).stdout
    assert "2 done, 0 already finished" in run_tool(root, *again, "--force").stdout
    np.save(first / "color.npy", np.zeros((3, 3), np.uint8))
    failed = run_tool(root)
    assert failed.returncode == 1
    assert "1 done, 0 already finished, 1 failed" in failed.stdout
    assert "failed train/scene0000_00" in failed.stdout and "differ in length" in failed.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no scene of split train/val/test in"),
        (("--set", "max_angle"), "expected KEY=VALUE"),
        (("--set", "angle=3"), "has no setting 'angle'"),
        (("--method", "magic"), "unknown partition method 'magic'"),
    ],
)
def test_bad_arguments_get_one_line(tmp_path, arguments, message):
    result = run_tool(tmp_path, *arguments)
    assert result.returncode != 0 and message in result.stderr
    assert "Traceback" not in result.stderr
