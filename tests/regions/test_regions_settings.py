"""Settings of a whole data set: what is refused before the start, what views inherit, listing."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from pointcept_wsegpc.regions import METHODS, PRESETS
from pointcept_wsegpc.regions.scenes.settings import POINTS_ONLY_PRESETS, Settings, listing


def points(method, **settings):
    return {"method": method, "points": settings}


def views(**settings):
    return {"views": settings}


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"cgal", "file"}))
def test_defaults_and_presets_are_accepted(method):
    for preset in (None, *PRESETS.get(method, ())):
        resolved = Settings(method, preset).resolved()
        assert json.loads(json.dumps(resolved)) == resolved


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, r"unknown partition method 'magic'; known: .*growing"),
        ({"preset": "wipr"}, "no preset 'wipr'"),
        (points("growing", max_angel=3), r"no setting 'max_angel'; known: .*max_angle"),
        (views(x=3), "method 'growing' has no setting 'x'"),
        (points("growing", max_angle=500), "max_angle is 500; give an angle"),
        (points("growing", min_size=-1), "min_size is -1"),
        (points("growing", max_distance="near"), "max_distance is 'near'; give a number"),
        (views(max_angle=500), "max_angle is 500"),
        (views(depth_noise=-1), "depth_noise is -1"),
        (views(depth_noise="much"), "depth_noise is much"),
        (points("graph", threshold=-1), "threshold is -1"),
        (points("graph", mesh="{scene}.ply", threshold=-1), "threshold is -1"),
        (points("supervoxel", voxel_size=0.05, seed_spacing=0.02), "less than the voxel_size"),
        (points("oracle", neighbours=0), "neighbours is 0"),
        (points("oracle", segment=3), "segment comes from each scene and cannot be set"),
        (points("oracle", instance=3), "instance comes from each scene"),
        (points("graph", faces=3), "faces comes from each scene .* file with mesh"),
        (points("growing", mesh="{scene}.ply"), "'growing' has no setting 'mesh'"),
        ({"method": "graph", "views": {"mesh": "{scene}.ply"}}, "views have no mesh"),
        (points("file"), "'file' needs the setting path"),
        (points("file", path="regions.npy"), r"one file for all scenes; write \{scene\}"),
        (points("file", path=3), "one file for all scenes"),
        ({"view_method": "file"}, "method 'file' cannot partition views"),
        ({"method": "graph", "view_preset": "segmentator"}, "'segmentator' cannot partition views"),
        ({"fill": "yes"}, "fill is 'yes'"),
    ],
)
def test_what_no_scene_could_be_partitioned_with_is_refused(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        Settings(**options)
    assert "\n" not in str(caught.value)


def test_settings_for_dense_scenes_and_for_sparse_ones_are_accepted():
    for size in (0.002, 10.0):  # a few points a millimetre apart are tried
        Settings("supervoxel", points={"seed_spacing": size})
        Settings("supervoxel", points={"voxel_size": size})
        Settings(points={"max_distance": size, "min_size": 10**6, "neighbours": 500})


def test_a_missing_package_is_told_before_the_start(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "CGAL"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "CGAL", None)
    for options in ({"method": "cgal"}, {"view_method": "cgal"}):
        with pytest.raises(ValueError, match=r"needs the package CGAL .*pip install cgal"):
            Settings(**options)


def test_presets_and_defaults_are_recorded_by_value():
    wypr = {"neighbours": 12, "max_distance": 2.0, "max_angle": 20.0, "min_size": 50}
    by_name = Settings(preset="wypr").resolved()
    assert by_name["points"] == {"method": "growing", **wypr, "fill": True}
    assert by_name["views"] == {**by_name["points"], "depth_noise": 0.0015}
    assert by_name == Settings(points=wypr, views=wypr, fill=True).resolved()
    assert by_name != Settings(preset="wypr", fill=False).resolved()
    numbers = Settings(points={"max_angle": np.float64(5), "min_size": np.int64(9)}).resolved()
    assert json.loads(json.dumps(numbers)) == numbers


def test_views_do_without_a_preset_that_only_points_can_do():
    assert POINTS_ONLY_PRESETS
    for method, preset in POINTS_ONLY_PRESETS:
        settings = Settings(method, preset)
        assert (
            settings.resolved()["points"]
            == Settings(method, points=PRESETS[method][preset]).resolved()["points"]
        )
        assert settings.resolved()["views"] == Settings(method).resolved()["views"]
        assert settings.note_on_views() == (
            f"preset {preset!r} cannot partition views; they get {method!r} without it"
        )
    of_file = Settings("file", points={"path": "{scene}.npy"})
    assert of_file.of_views()[0] == "growing"
    assert of_file.note_on_views() == "method 'file' cannot partition views; they get 'growing'"
    for settings in (Settings(preset="wypr"), Settings("graph"), Settings(view_method="graph")):
        assert settings.note_on_views() == ""


def test_paths_are_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    for given, path in {
        "{scene}.npy": f"{tmp_path}/{{scene}}.npy",
        "../{split}/{scene}.npy": f"{tmp_path.parent}/{{split}}/{{scene}}.npy",
        "~/{scene}.npy": "/home/somebody/{scene}.npy",
        Path("/a/{scene}.npy"): "/a/{scene}.npy",
    }.items():
        settings = Settings("file", points={"path": given})
        assert settings.points["path"] == settings.resolved()["points"]["path"] == path
        assert pickle.loads(pickle.dumps(settings)) == settings  # as workers get it
    mesh = Settings("graph", points={"mesh": "{scene}.ply"})
    assert mesh.resolved()["points"]["mesh"] == f"{tmp_path}/{{scene}}.ply"


def test_the_listing_is_for_who_does_not_know_the_code():
    text = listing()
    for name in METHODS:
        assert f"\n{name}: " in text
    assert "max_angle=20.0" in text and "--preset wypr: " in text
    assert "max_distance=auto" in text and "key=none" in text and "path=(needed)" in text
    assert "mesh=none" in text and "convex=True; points only" in text
    for word in ("Cloud", "DepthView", "(M,)", "`", "faces=", "segment=", "key=auto"):
        assert word not in text
