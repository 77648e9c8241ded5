"""The benchmark at tiny sizes: a complete report, and both versions do the same work.

Times are reported, never judged: they depend on what else the machine does.
"""

import functools
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import inputs, measure, region_cases, textbook
from benchmarks.cases import CASES
from pointcept_wsegpc.regions import cgal

ROOT = Path(__file__).parents[2]
CGAL = importlib.util.find_spec("CGAL") is not None
NUMBERS = ("seconds", "other_seconds", "other_parts", "bytes", "other_bytes")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture(scope="module")
def build(cache):
    """build(name) -> the quick case, in this process."""
    return functools.cache(lambda name: CASES[name](inputs.QUICK, cache))


@pytest.mark.slow
def test_report_has_every_row(cache):
    target = cache / "report.json"
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "studies" / "benchmark.py", "--quick", "--repeat", "1",
         "--cache", cache, "--json", target],
        capture_output=True, text=True, cwd=cache,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    report = json.loads(target.read_text())
    assert len(report["rows"]) == 11 and report["machine"]["threads"] == 1
    for row in report["rows"]:
        assert row["name"] in run.stdout and row["seconds"] > 0 and set(NUMBERS) <= row.keys()
        assert row["other_seconds"] or (not CGAL and "cgal" in row["name"])


@pytest.mark.parametrize("name", ["rpc_3d", "rpc_2d"])
def test_consistency_is_the_same(build, name):
    case = build(name)
    loss, grad, count, kept = case.ours()
    plain_loss, plain_grad, plain_count = case.other()
    assert 0.25 < kept < 0.75
    assert loss.item() == pytest.approx(plain_loss.item(), rel=1e-4)
    np.testing.assert_allclose(grad, plain_grad, atol=1e-8, rtol=1e-3)
    assert count.tolist() == plain_count.tolist()


@pytest.mark.parametrize("name", ["guidance", "ema"])
def test_loss_and_teacher_are_the_same(build, name):
    ours, plain = build(name).ours(), build(name).other()
    if name == "ema":
        assert ours.keys() == plain.keys()
        ours, plain = ours.values(), plain.values()
    for own, other in zip(ours, plain, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-6)


def test_export_is_the_same(build):
    case = build("export")
    (label, confidence), (plain_label, plain_confidence) = case.ours(), case.other()
    np.testing.assert_array_equal(label, plain_label)
    np.testing.assert_allclose(confidence, plain_confidence, rtol=1e-4)


def test_samples_have_the_same_entries(build):
    """Random draws differ; names, kinds, widths and rough sizes do not."""
    case = build("sample")
    ours, plain = case.ours(), case.other()
    assert ours.keys() == plain.keys()
    for name in ours.keys() - {"name"}:
        assert ours[name].ndim == plain[name].ndim, name
        assert ours[name].shape[1:] == plain[name].shape[1:], name
        assert 0.5 < len(ours[name]) / len(plain[name]) < 2, name


def test_plain_region_growing_finds_two_planes():
    grid = np.stack(np.meshgrid(range(12), range(12)), axis=-1).reshape(-1, 2) * 0.05
    floor = np.column_stack([grid, np.zeros(len(grid))])
    wall = np.column_stack([np.zeros(len(grid)), grid[:, 0], grid[:, 1] + 0.3])
    region = textbook.grow_regions(np.concatenate([floor, wall]), k=8)
    majority = [np.bincount(part[part >= 0]).argmax() for part in np.split(region, 2)]
    assert majority[0] != majority[1]
    for part, own in zip(np.split(region, 2), majority, strict=True):
        assert (part == own).mean() > 0.8


@pytest.mark.skipif(not CGAL, reason="the optional package cgal is not installed")
def test_cgal_finds_the_same_either_way(build):
    rng = np.random.default_rng(0)
    coord = rng.uniform(0, 1, (400, 3)).astype(np.float32)
    normal = np.tile(np.float32([0, 0.6, 0.8]), (400, 1))
    settings = {**region_cases.SETTINGS, "min_size": 5}
    by_file = cgal.grow_by_cgal(coord, normal, **settings)
    by_point = cgal.detect_regions(textbook.cgal_points(coord, normal), **settings)
    np.testing.assert_array_equal(by_file, by_point)
    assert by_file.max() > 3
    found = build("regions_cgal_40k").findings({"seconds": 1.0, "other_seconds": 2.5}, 1)
    assert found["faster"] == 2.5
    assert 0 < found["rand_index"] <= 1 and 0 < found["quality"] <= 1


def test_without_cgal_there_is_no_other_time(build, monkeypatch):
    monkeypatch.setitem(sys.modules, "CGAL", None)
    case = build.__wrapped__("regions_cgal_150k")
    assert case.other is None and case.ours().max() >= 0
    assert measure.peak_memory(lambda: case, "other") is None


def test_a_building_is_no_copies(build, cache):
    case = build("regions_growth")
    coord, normal = inputs.building(cache, inputs.QUICK)
    sizes = inputs.QUICK
    assert coord.shape == normal.shape == (sizes.room * sizes.rooms, 3)
    assert len(case.ours()) == len(coord) and len(case.other()) == sizes.room
    np.testing.assert_array_equal(inputs.building(cache, sizes)[0], coord)
    np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1, atol=1e-3)
    rooms = coord.reshape(sizes.rooms, sizes.room, 3).astype(float)
    low, high = rooms.min(axis=1)[:, :2], rooms.max(axis=1)[:, :2]
    for i in range(sizes.rooms):
        for j in range(i):
            assert (low[i] > high[j]).any() or (low[j] > high[i]).any()  # side by side
            assert np.ptp(rooms[i] - rooms[j], axis=0).max() > 0.002
    found = case.findings({"seconds": 2.0, "other_seconds": 1.8, "bytes": 100 * len(coord)}, 1)
    assert found["growth"] == pytest.approx(2.0 / 0.18)
    assert found["bytes_per_point"] == 100
