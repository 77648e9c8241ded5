"""The benchmark at tiny sizes: a complete report, and both versions do the same work.

Times are reported, never judged: they depend on what else the machine does.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import pointcept_wsegpc.register  # noqa: F401

ROOT = Path(__file__).parents[1]
NUMBERS = ("seconds", "textbook_seconds", "textbook_parts", "bytes", "textbook_bytes")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture
def build(cache, monkeypatch):
    """build(name) -> the quick case, in this process."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    cases, inputs = (importlib.import_module(f"benchmarks.{name}") for name in ("cases", "inputs"))
    return lambda name: cases.CASES[name](inputs.QUICK, cache)


@pytest.mark.slow
def test_report_has_every_row(cache):
    target = cache / "report.json"
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "benchmark.py", "--quick", "--repeat", "1",
         "--cache", cache, "--json", target],
        capture_output=True, text=True, cwd=cache,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    report = json.loads(target.read_text())
    names = [row["name"] for row in report["rows"]]
    assert names == [
        "sample", "rpc_3d", "rpc_2d", "guidance", "ema", "regions_3d", "regions_2d", "export"
    ]  # fmt: skip
    for row in report["rows"]:
        assert row["work"] in run.stdout and row["name"] in run.stdout
        assert row["seconds"] > 0 and row["textbook_seconds"] > 0
        assert set(NUMBERS) <= row.keys()
    assert report["machine"]["threads"] == 1
    assert torch.__version__ in run.stdout


@pytest.mark.parametrize("name", ["rpc_3d", "rpc_2d"])
def test_consistency_is_the_same(build, name):
    case = build(name)
    loss, grad, count, kept = case.ours()
    plain_loss, plain_grad, plain_count = case.textbook()
    assert 0.25 < kept < 0.75
    assert loss.item() == pytest.approx(plain_loss.item(), rel=1e-4)
    np.testing.assert_allclose(grad, plain_grad, atol=1e-8, rtol=1e-3)
    assert count.tolist() == plain_count.tolist()


def test_guidance_is_the_same(build):
    case = build("guidance")
    for ours, plain in zip(case.ours(), case.textbook(), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-7)


def test_ema_is_the_same(build):
    case = build("ema")
    ours, plain = case.ours(), case.textbook()
    assert ours.keys() == plain.keys()
    for name, value in ours.items():
        np.testing.assert_allclose(value, plain[name], rtol=1e-5, atol=1e-6)


def test_export_is_the_same(build):
    case = build("export")
    (label, confidence), (plain_label, plain_confidence) = case.ours(), case.textbook()
    np.testing.assert_array_equal(label, plain_label)
    np.testing.assert_allclose(confidence, plain_confidence, rtol=1e-4)


def test_samples_have_the_same_entries(build):
    """Random draws differ; names, kinds, widths and rough sizes do not."""
    case = build("sample")
    ours, plain = case.ours(), case.textbook()
    assert ours.keys() == plain.keys()
    for name in ours.keys() - {"name"}:
        assert ours[name].ndim == plain[name].ndim, name
        assert ours[name].shape[1:] == plain[name].shape[1:], name
        assert 0.5 < len(ours[name]) / len(plain[name]) < 2, name


def test_plain_region_growing_finds_two_planes(build):
    build("guidance")  # puts tools/ on the path
    textbook = importlib.import_module("benchmarks.textbook")
    grid = np.stack(np.meshgrid(range(12), range(12)), axis=-1).reshape(-1, 2) * 0.05
    floor = np.column_stack([grid, np.zeros(len(grid))])
    wall = np.column_stack([np.zeros(len(grid)), grid[:, 0], grid[:, 1] + 0.3])
    region = textbook.grow_regions(np.concatenate([floor, wall]), k=8)
    majority = [np.bincount(part[part >= 0]).argmax() for part in np.split(region, 2)]
    assert majority[0] != majority[1]
    for part, own in zip(np.split(region, 2), majority, strict=True):
        assert (part == own).mean() > 0.8
