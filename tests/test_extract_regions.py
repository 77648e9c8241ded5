"""Regions of prepared scenes: files, numbers, resume. Two planes, so two regions are the truth."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import raw_scan
from PIL import Image

from pointcept_wsegpc import schema
from pointcept_wsegpc.files import read_json, write_json
from pointcept_wsegpc.metrics import partition_quality
from pointcept_wsegpc.regions import METHODS, report, scenes
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


# --------------------------------------------------------------------------- any method


def test_presets_and_defaults_are_recorded_by_value():
    wypr = {"neighbours": 12, "max_distance": 2.0, "max_angle": 20.0, "min_size": 50}
    by_name = Settings(preset="wypr").resolved()
    assert by_name["points"] == {"method": "growing", **wypr, "fill": True}
    assert by_name["views"] == {**by_name["points"], "depth_noise": 0.0015}
    assert by_name == Settings(points=wypr, views=wypr, fill=True).resolved()
    assert by_name != Settings(preset="wypr", fill=False).resolved()
    with pytest.raises(ValueError, match="no preset 'wipr'"):
        Settings(preset="wipr")


def test_a_record_of_an_older_version_is_not_finished(tmp_path):
    scene = prepared(tmp_path)
    old = {"settings": {"method": "growing"}, "points": {"regions": 2}, "views": {"views": 2}}
    write_json(scene / "regions.json", old)
    assert not is_extracted(scene, Settings())
    for wanted in (None, Settings()):
        assert report.read_records({"train/a": scene}, wanted) == ({}, ["train/a"])
    done = run_tool(tmp_path / "out", "--report-only")
    assert done.returncode == 0 and "no finished scene" in done.stdout


def from_file(cloud, *, path, key=None):
    return cloud.select(np.load(path)).astype(np.int32)


def from_faces(cloud, *, faces=None):
    return np.full(len(cloud), -1 if faces is None else 0, np.int32)


def from_labels(cloud, *, segment, instance=None):
    return cloud.select(segment)


@pytest.fixture
def methods(monkeypatch):
    for name, method in {"file": from_file, "faces": from_faces, "labels": from_labels}.items():
        monkeypatch.setitem(METHODS, name, method)


def test_files_of_regions_are_found_by_the_scene_name(tmp_path, methods):
    scene = prepared(tmp_path)
    ids = np.arange(len(np.load(scene / "coord.npy"))) % 7
    np.save(tmp_path / "train_scene0000_00.npy", ids)
    settings = Settings("file", points={"path": f"{tmp_path}/{{split}}_{{scene}}.npy"})
    record = extract_regions(scene, settings)
    assert (np.load(scene / "region.npy") == ids).all()
    assert record["settings"]["views"]["method"] == "growing"  # there is no file of a view
    assert record["settings"]["points"]["path"].endswith("/{split}_{scene}.npy")
    assert is_extracted(scene, settings)
    assert not is_extracted(scene, Settings("file", points={"path": "other/{scene}.npy"}))
    np.save(tmp_path / "train_scene0000_00.npy", ids[1:])
    with pytest.raises(ValueError, match=rf"{len(ids) - 1} values; the cloud has {len(ids)}"):
        extract_regions(scene, settings)
    assert not is_extracted(scene, settings)
    with pytest.raises(ValueError, match="'file' needs the setting path"):
        Settings("file")
    with pytest.raises(ValueError, match=r"one file for all scenes; write \{scene\}"):
        Settings("file", points={"path": "regions.npy"})


def test_a_mesh_becomes_faces(tmp_path, methods):
    scene = prepared(tmp_path)
    mesh = str(tmp_path / "raw/scans/{scene}/{scene}_vh_clean_2.ply")
    with_mesh = Settings("faces", points={"mesh": mesh})
    assert extract_regions(scene, Settings("faces"))["points"]["unassigned"] == 1
    record = extract_regions(scene, with_mesh)
    assert record["points"]["unassigned"] == 0 and record["views"]["unassigned"] == 1
    assert record["settings"]["points"] == {"method": "faces", "mesh": mesh, "fill": False}
    for key in ("coord", "color", "normal", "segment20"):
        np.save(scene / f"{key}.npy", np.load(scene / f"{key}.npy")[:-5])
    with pytest.raises(ValueError, match=r"vh_clean_2\.ply has 8000 vertices, the scene 7995"):
        extract_regions(scene, with_mesh)
    with pytest.raises(FileNotFoundError, match="mesh none/scene0000_00 is missing"):
        extract_regions(scene, Settings("faces", points={"mesh": "none/{scene}"}))
    with pytest.raises(ValueError, match="'growing' has no setting 'mesh'"):
        Settings(points={"mesh": mesh})


def test_labels_reach_the_method_that_asks_for_them(tmp_path, methods):
    scene = prepared(tmp_path)
    record = extract_regions(scene, Settings("labels"))
    for kind in ("points", "views"):
        assert record[kind]["quality"] == record[kind]["boundary_recall"] == 1, kind
    assert (np.load(scene / "region.npy") == np.load(scene / "segment20.npy")).all()
    (scene / "segment20.npy").unlink()
    with pytest.raises(ValueError, match=r"'labels' needs labels, and .* no segment20\.npy"):
        extract_regions(scene, Settings("labels"))
    record = extract_regions(scene, Settings("growing", view_method="labels"))
    assert record["views"]["quality"] == 1 and "quality" not in record["points"]


def test_a_missing_package_is_one_line(tmp_path, monkeypatch):
    def needs_package(cloud):
        raise ImportError("method 'x' needs the package x; install it")

    monkeypatch.setitem(METHODS, "x", needs_package)
    with pytest.raises(ValueError, match="needs the package x"):
        extract_regions(prepared(tmp_path), Settings("x"))


@pytest.mark.parametrize("workers", [1, 2])
def test_warnings_name_the_scene_once(tmp_path, workers):
    for name in ("scene0000_00", "scene0001_00"):
        scene = prepared(tmp_path / name, name)
        if name == "scene0000_00":
            np.save(scene / "coord.npy", 1000 * np.load(scene / "coord.npy"))
        shutil.move(scene, tmp_path / "root/train" / name)
    done = run_tool(tmp_path / "root", "--workers", workers)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("unit metres?") == 1
    assert "train/scene0000_00: points lie 50 apart" in done.stderr
    assert "! warnings in 1 of 2 scenes, train/scene0000_00: points lie" in done.stdout
    (warning,) = read_json(tmp_path / "root/train/scene0000_00/regions.json")["warnings"]
    assert "millimetres" in warning
    assert read_json(tmp_path / "root/train/scene0001_00/regions.json")["warnings"] == []


def test_logging_is_left_as_it_was(caplog):
    logger = logging.getLogger("pointcept_wsegpc.regions.cloud")
    with scenes.collected_warnings() as messages:
        for text in ("one", "two", "one"):
            logger.warning(text)
        logger.info("not this")
    assert messages == ["one", "two"] and not caplog.records
    logger.warning("afterwards")
    assert messages == ["one", "two"] and caplog.messages == ["afterwards"]


# ------------------------------------------------------------------------------- report


def test_report_of_a_data_set(prepared_root, tmp_path):
    root = shutil.copytree(prepared_root, tmp_path / "root")
    half = run_tool(root, "--shard", "1/2", "--report", tmp_path / "half")
    assert half.returncode == 0, half.stderr
    assert "! 2 scenes are missing, train/scene0001_00 first" in half.stdout
    assert read_json(tmp_path / "half/report.json")["scenes"] == 3
    done = run_tool(root, "--report")
    text = (root / "regions-report/report.txt").read_text()
    assert "2 done, 3 already finished" in done.stdout and text in done.stdout
    times = {p: p.stat().st_mtime_ns for p in root.glob("*/*/region.npy")}
    assert "0 done, 5 already finished" in run_tool(root, "--report").stdout
    assert times == {p: p.stat().st_mtime_ns for p in root.glob("*/*/region.npy")}
    assert (root / "regions-report/report.txt").read_text() == text
    numbers = read_json(root / "regions-report/report.json")
    region, segment = [], []
    for folder in sorted(root.glob("*/*/region.npy")):
        ids = np.load(folder)
        region.append(np.where(ids >= 0, ids + 1000 * len(region), -1))
        segment.append(np.load(folder.with_name("segment20.npy")))
    together = np.concatenate(region), np.concatenate(segment)
    assert numbers["points"]["quality"] == pytest.approx(partition_quality(*together, 20))
    assert numbers["points"]["unassigned"] == pytest.approx((together[0] < 0).mean())
    assert row(text, "majority-vote mIoU")[0] == f"{100 * numbers['points']['quality']:.1f}%"
    sizes = np.concatenate([np.bincount(ids[ids >= 0] % 1000) for ids in region])
    counts = np.bincount(np.floor(np.log2(sizes)).astype(int))
    assert numbers["points"]["sizes"][: len(counts)] == counts.tolist()
    assert sum(numbers["points"]["sizes"]) == len(sizes)
    with Image.open(root / "regions-report/report.png") as picture:
        assert picture.width > 1500 and picture.height > 1300  # three scenes, three columns


def test_report_of_what_is_there(prepared_root, tmp_path):
    root = shutil.copytree(prepared_root, tmp_path / "root")
    done = run_tool(root, "--report-only")
    assert done.returncode == 0 and "already finished" not in done.stdout
    assert "min_size=30" in done.stdout and "regions-report/report.txt" in done.stdout
    extract_regions(root / "train/scene0000_00", Settings())
    assert "2 different settings" in run_tool(root, "--report-only").stdout


def test_list_of_methods():
    done = run_tool("--list-methods")
    assert done.returncode == 0
    for name in METHODS:
        assert f"\n{name}: " in f"\n{done.stdout}"
    assert "max_angle=20.0" in done.stdout and "--preset wypr: " in done.stdout
