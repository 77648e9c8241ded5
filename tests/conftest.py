"""What tests of several areas share: the engine on the import path, and one small data set."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cli import wsegpc

from pointcept_wsegpc import host
from pointcept_wsegpc.captures.preparing import find_captures, prepare
from pointcept_wsegpc.captures.scannet.scene import ScanNetSettings
from pointcept_wsegpc.contracts.tags import assemble_tags
from pointcept_wsegpc.regions.scenes.extract import extract_regions
from pointcept_wsegpc.regions.scenes.settings import RegionSettings
from pointcept_wsegpc.synthetic.scans import generate_dataset

# In this process everything runs on the stand-in, also where there is a Pointcept: what concerns
# Pointcept has a process of its own (contract/test_on_pointcept.py, test_configs.py).
if "CONTRACT_ENGINE" not in os.environ:
    engine = host.find_engine()
    if engine is not None and not engine.is_standin:
        os.environ.setdefault("POINTCEPT_ROOT", str(engine.path))
    sys.path.insert(0, str(host.STANDIN_ROOT))


torch.set_num_threads(1)  # more only get in each other's way on networks and clouds so small


@pytest.fixture(autouse=True)
def seeded():
    """The same draws in every run: a data set without an announced epoch, layers' weights."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def prepared_root(tmp_path_factory):
    """Three training and two validation scenes of about 3000 points, with regions: read only."""
    folder = tmp_path_factory.mktemp("synthetic")
    sizes = {"points": 3000, "frames": 12, "color_size": (80, 60), "depth_size": (64, 48)}
    generate_dataset(folder / "raw", num_train=3, num_val=2, **sizes)
    root = folder / "prepared"
    points = {"min_size": 30, "max_distance": 0.1}
    regions = RegionSettings.resolve(points=points, views={"min_size": 20})
    settings = ScanNetSettings(stride=2, height=36, width=48, split=("train", "val"))
    for capture in find_captures("scannet", folder / "raw", root, settings):
        prepare(capture, settings)
        extract_regions(capture.target, regions)
    assemble_tags(root)
    return root


@pytest.fixture
def root_copy(prepared_root, tmp_path):
    """The same data set, to be changed."""
    return shutil.copytree(prepared_root, tmp_path / "prepared")


@pytest.fixture
def run_tool(caplog):
    """run_tool(*words): (exit status, all that is said) of a sub-command, in this process."""

    def call(*words):
        caplog.clear()
        result = wsegpc(*words)
        return result.exit_code, result.output + caplog.text

    return call


@pytest.fixture(scope="session")
def wheel_site(tmp_path_factory):
    """A read-only folder in which a wheel of this checkout is installed, without what it needs."""
    folder, repository = tmp_path_factory.mktemp("wheel"), Path(__file__).resolve().parents[1]
    source, site, pip = folder / "source", folder / "site", [sys.executable, "-m", "pip"]
    for name in ("pointcept_wsegpc", "configs"):
        unwanted = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(repository / name, source / name, ignore=unwanted)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, source)
    options = ["-q", "--no-deps", "--no-index"]
    build = [*pip, "wheel", *options, "--no-build-isolation", "-w", folder, source]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", *options, "--target", site, wheel], check=True)
    paths = [site, *site.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield site
    for path in paths:
        path.chmod(0o755)


@pytest.fixture(scope="session")
def wheel_environment(wheel_site):
    """Function: the environment of a process that imports the wheel, and what lies in folders."""

    def environment(*folders, **variables):
        path = os.pathsep.join(map(str, (wheel_site, *folders)))
        values = {k: v for k, v in os.environ.items() if k != "POINTCEPT_ROOT"} | variables
        return {**values, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    return environment
