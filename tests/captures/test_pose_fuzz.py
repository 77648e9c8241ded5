"""Damaged files of poses and cameras: read, or refused in one line that names them.

`python tests/captures/test_pose_fuzz.py COUNT [CONVENTION …]` prints a table over COUNT of each.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import fuzz_files
import numpy as np
import other_poses
import own_scan
import pytest

from pointcept_wsegpc.captures.folder.frames import FolderFrames
from pointcept_wsegpc.captures.folder.poses import read_trajectory

WRITERS = {**own_scan.WRITERS, **other_poses.WRITERS}
TEXTS = (".txt", ".json", ".bin", ".traj", ".pincam")


def read_all(scene):
    """The poses of a scene, and its images as far as these lead to any."""
    trajectory = read_trajectory(scene)[1]
    scale = trajectory.depth_scale
    return list(FolderFrames(trajectory, lambda pose: pose, (12, 16), 1, scale, None))


def fuzz(convention, count, folder, seed=0):
    """[(number, what)] of the surprises of `count` damages to one file each of a scan."""
    scene, surprises = folder / "scan", []
    WRITERS[convention](scene, 2)
    files = sorted(path for path in scene.rglob("*") if path.suffix in TEXTS)
    assert read_all(scene)
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        path = files[number % len(files)]
        whole = path.read_bytes()
        path.write_bytes(fuzz_files.damaged(whole, rng))
        found = fuzz_files.surprise(lambda damaged: _named(scene, damaged), path)
        path.write_bytes(whole)
        if found:
            surprises.append((number, path.name, found))
    return surprises


def _named(scene, path):
    """`read_all`, whose refusal of poses without images may name the scene alone."""
    try:
        read_all(scene)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} {path}" * str(error).startswith(str(scene))) from None


@pytest.mark.parametrize("convention", WRITERS)
def test_damaged_poses_are_read_or_named(convention, tmp_path):
    assert fuzz(convention, 40, tmp_path) == []


def main(count, *conventions):
    for convention in conventions or WRITERS:
        folder = Path(tempfile.mkdtemp())
        found = fuzz(convention, int(count), folder)
        print(f"| {convention} | {count} | {len(found)} |", *found[:8], sep="\n  ", flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
