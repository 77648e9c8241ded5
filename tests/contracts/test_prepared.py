"""Prepared scenes: whole or absent, one run at a time, one set of settings in a data root."""

import json
import multiprocessing
import os
from dataclasses import dataclass, field

import numpy as np
import pytest

from pointcept_wsegpc.contracts.prepared import (
    MANIFEST,
    ROOT_FILE,
    check_root,
    is_whole,
    staged,
    store_points,
    write_manifest,
)
from pointcept_wsegpc.files.claims import Held


@dataclass
class Settings:
    stride: int = 10
    raw: str = field(default="", metadata={"source": True})


def write_scene(root, name="a", settings=None, value=0.0):
    with staged(root, "train", name) as folder:
        store_points(folder, {"coord": np.full((50, 3), value, np.float32)})
        (folder / "views").mkdir()
        (folder / "views" / "000000.jpg").write_bytes(b"x")
        write_manifest(folder, source={}, settings=settings or Settings())
    return root / "train" / name


def test_a_scene_that_another_run_makes_is_left_to_it(tmp_path):
    with staged(tmp_path, "train", "08/a") as folder, pytest.raises(Held):
        assert not any((tmp_path / "train").glob("**/*"))
        with staged(tmp_path, "train", "08/a"):
            pass
    assert not folder.exists()
    assert (tmp_path / "train/08/a").is_dir()
    assert not any((tmp_path / ".partial").glob("**/a*"))


def _make(root, barrier, value, held):
    barrier.wait()
    for name in "abcdef":
        try:
            write_scene(root, name, value=value)
        except Held:
            held.value += 1


def test_runs_into_one_root_leave_whole_scenes(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, held = context.Barrier(3), context.Value("i", 0)
    runs = [context.Process(target=_make, args=(tmp_path, barrier, v, held)) for v in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0, 0]
    for name in "abcdef":
        assert is_whole(tmp_path / "train" / name)
        assert len(set(np.load(tmp_path / "train" / name / "coord.npy").ravel())) == 1
    assert not list((tmp_path / ".partial").glob("*/*"))


@pytest.mark.parametrize(
    "harm",
    [
        lambda scene: (scene / "coord.npy").unlink(),
        lambda scene: os.truncate(scene / "coord.npy", 200),
        lambda scene: os.truncate(scene / MANIFEST, 0),
        lambda scene: (scene / "views/000000.jpg").unlink(),
    ],
)
def test_finished_means_that_all_is_there(tmp_path, harm):
    scene = write_scene(tmp_path)
    assert is_whole(scene)
    harm(scene)
    assert not is_whole(scene)
    assert is_whole(write_scene(tmp_path))


def test_a_root_keeps_to_its_settings(tmp_path):
    check_root(tmp_path, "scans", Settings())
    check_root(tmp_path, "scans", Settings(raw="elsewhere"))
    for kind, stride in ("scans", 5), ("scannet", 10):
        with pytest.raises(ValueError, match=r"stride|capture"):
            check_root(tmp_path, kind, Settings(stride))
    assert json.loads((tmp_path / ROOT_FILE).read_text())["settings"] == {"stride": 10}
    check_root(tmp_path, "scans", Settings(5), replace=True)
    with pytest.raises(ValueError, match="stride 5 there, 10 now"):
        check_root(tmp_path, "scans", Settings())


def test_the_scenes_of_an_earlier_release_say_their_settings(tmp_path):
    write_scene(tmp_path, settings=Settings(5))
    with pytest.raises(ValueError, match="stride 5 there, 10 now"):
        check_root(tmp_path, "scans", Settings())
    check_root(tmp_path, "scans", Settings(5))


def test_a_scene_that_another_run_finished_meanwhile_stays(tmp_path):
    scene = write_scene(tmp_path, value=1.0)
    with staged(tmp_path, "train", "a", lambda: is_whole(scene)) as folder:
        assert folder is None
    assert (np.load(scene / "coord.npy") == 1).all()
