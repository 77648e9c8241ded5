"""One door for partitions: types of settings, what views get, any function of arrays."""

import json
import logging
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pointcept_wsegpc.regions import PARTITIONS, partition, partition_view
from pointcept_wsegpc.regions.scenes.records import is_extracted
from pointcept_wsegpc.regions.scenes.settings import RegionSettings, listing
from pointcept_wsegpc.regions.settings import kinds_of


@pytest.fixture
def registered(monkeypatch):
    """A registry that forgets what the test registers."""
    monkeypatch.setattr(PARTITIONS, "_entries", dict(PARTITIONS._entries))


def test_a_function_of_arrays_sees_clean_points_in_their_order(registered):
    seen = {}

    @PARTITIONS.register("mine", needs=("strength",), uses=("instance",))
    def mine(coord, normal, color, strength, instance=None):
        seen.update(coord=coord, normal=normal, color=color, strength=strength, instance=instance)
        return np.arange(len(coord)) // 2 * 10 - 10

    rng = np.random.default_rng(0)
    coord = rng.uniform(0, 1, (40, 3))
    coord[3], coord[7] = np.nan, coord[5]
    strength = np.arange(40)
    color = rng.integers(0, 256, (40, 3)).astype(np.uint8)
    region = partition(coord, None, color, "mine", strength=strength)
    kept = np.delete(np.arange(40), [3, 7])
    np.testing.assert_array_equal(seen["coord"], coord[kept])
    np.testing.assert_array_equal(seen["strength"], kept)
    np.testing.assert_allclose(seen["color"], color[kept] / 255)
    np.testing.assert_allclose(np.linalg.norm(seen["normal"], axis=1), 1)
    assert seen["instance"] is None
    assert region[3] == -1 and region[7] == region[5]
    np.testing.assert_array_equal(region[kept], np.arange(38) // 2 - 1)
    with pytest.raises(ValueError, match="needs strength"):
        partition(coord, method="mine")
    assert not PARTITIONS.get("mine").can_views(PARTITIONS.get("mine").resolve().settings)


@pytest.mark.parametrize("ids", [np.zeros(3, int), np.zeros(4), np.zeros((4, 1), int), None])
def test_a_wrong_result_is_named(registered, ids):
    PARTITIONS.register("mine")(lambda coord, normal, color: ids)
    with pytest.raises(ValueError, match="'mine' returned"):
        partition(np.random.default_rng(0).uniform(size=(4, 3)), method="mine")


def test_a_function_of_arrays_partitions_views(registered):
    @PARTITIONS.register("near")
    def near(coord, normal, color):
        return (coord[:, 2] < 1.5).astype(int)

    depth = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 2.0]])
    region = partition_view(depth, np.eye(3), method="near")
    np.testing.assert_array_equal(region, [[1, 0, -1], [1, 0, 0]])


@dataclass(frozen=True)
class Every:
    """A setting of each type."""

    whole: int
    number: float | None = None
    switch: bool = False
    path: Path | None = None
    key: str | int | None = None


def test_text_becomes_values_by_type(registered):
    PARTITIONS.register("mine", settings=Every)(lambda coord, normal, color, **_: 0)
    resolve = PARTITIONS.get("mine").resolve
    text = {"whole": "12", "number": "1e-2", "switch": "True", "path": "/x/{scene}", "key": "7"}
    assert resolve(given=text).settings == Every(12, 0.01, True, "/x/{scene}", 7)
    text = {"whole": "3", "number": "none", "switch": "false", "path": "None", "key": "sp"}
    assert resolve(given=text).settings == Every(3, key="sp")


def test_settings_of_another_type_are_no_settings():
    @dataclass
    class Odd:
        sizes: list

    with pytest.raises(TypeError, match="sizes"):
        kinds_of(Odd)


def test_a_method_is_listed_with_settings_and_presets(registered):
    @PARTITIONS.register("mine", settings=Every, presets={"far": {"number": 9.0}}, views=False)
    def mine(coord, normal, color, **_):
        """Things of mine.

        Not listed.
        """

    text = listing()
    assert "\nmine: Things of mine; points only\n    whole=(needed)  number=auto" in text
    assert "path=none" in text and "--preset far: number=9.0" in text and "Not listed" not in text


def test_needed_settings_and_types_are_checked(registered):
    PARTITIONS.register("mine", settings=Every)(lambda coord, normal, color, **_: 0)
    entry = PARTITIONS.get("mine")
    assert entry.resolve(given={"whole": np.int64(3), "path": Path("a")}).settings == Every(
        3, path="a"
    )
    for given, named in (
        ({}, "whole"),
        ({"whole": 1.0}, "whole is 1.0"),
        ({"whole": "1.5"}, "whole is '1.5'"),
        ({"whole": 1, "switch": "yes"}, "switch is 'yes'"),
        ({"whole": 1, "key": 1.5}, "key is 1.5"),
        ({"whole": 1, "number": 1e31}, r"1e\+30"),
    ):
        with pytest.raises(ValueError, match=named):
            entry.resolve(given=given)


# --------------------------------------------------------------------------- settings of data sets


def points(method, **settings):
    return {"method": method, "points": settings}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"method": "growin"}, "'growing'"),
        ({"preset": "wipr"}, "wypr"),
        (points("growing", max_angel=3), "max_angle"),
        ({"views": {"x": 3}}, "'x'"),
        ({"views": {"depth_noise": -1}}, "depth_noise is -1"),
        ({"views": {"depth_noise": "much"}}, "depth_noise is 'much'"),
        (points("oracle", segment=3), "segment"),
        (points("graph", faces=3), "faces"),
        ({"method": "graph", "views": {"mesh": "{scene}.ply"}}, "cannot partition views"),
        (points("file"), "path"),
        (points("file", path="regions.npy"), r"\{scene\}"),
        ({"view_method": "file", "views": {"path": "{scene}.npy"}}, "cannot partition views"),
        ({"method": "graph", "view_preset": "segmentator"}, "cannot partition views"),
        ({"fill": "yes"}, "fill is 'yes'"),
    ],
)
def test_what_no_scene_could_be_partitioned_with_is_refused(options, named):
    with pytest.raises(ValueError, match=named) as caught:
        RegionSettings.resolve(**options)
    assert "\n" not in str(caught.value)


def test_presets_and_defaults_are_recorded_by_value():
    wypr = {"neighbours": 12, "max_distance": 2.0, "max_angle": 20.0, "min_size": 50}
    by_name = RegionSettings.resolve(preset="wypr")
    values = by_name.values()
    assert values["points"] == {"method": "growing", **wypr, "fill": True}
    assert values["views"] == {**values["points"], "depth_noise": 0.0015}
    assert json.loads(json.dumps(values)) == values
    assert by_name == RegionSettings.resolve(points=wypr, views=wypr, fill=True)
    assert by_name != RegionSettings.resolve(preset="wypr", fill=False)
    text = {name: str(value) for name, value in wypr.items()}
    assert by_name == RegionSettings.resolve(points=text, views=text, fill=True)
    noise = RegionSettings.resolve(views={"depth_noise": "0.003"})
    assert noise.depth_noise == 0.003 and noise.values()["views"]["depth_noise"] == 0.003


def test_views_do_without_what_only_points_can_do(caplog):
    caplog.set_level(logging.WARNING)
    settings = RegionSettings.resolve("graph", "segmentator")
    assert settings.points == PARTITIONS.get("graph").resolve("segmentator")
    assert settings.views == PARTITIONS.get("graph").resolve()
    assert "segmentator" in caplog.messages[-1]
    of_file = RegionSettings.resolve("file", points={"path": "{scene}.npy"})
    assert of_file.views.name == "growing" and "'file'" in caplog.messages[-1]
    caplog.clear()
    for options in ({"preset": "wypr"}, {"method": "graph"}, {"view_method": "graph"}):
        RegionSettings.resolve(**options)
    assert not caplog.messages


def test_paths_are_absolute_and_reach_workers(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    for given, path in {
        "../{split}/{scene}.npy": f"{tmp_path.parent}/{{split}}/{{scene}}.npy",
        "~/{scene}.npy": "/home/somebody/{scene}.npy",
        Path("/a/{scene}.npy"): "/a/{scene}.npy",
    }.items():
        settings = RegionSettings.resolve("file", points={"path": given})
        assert settings.values()["points"]["path"] == path
        assert pickle.loads(pickle.dumps(settings)) == settings
        assert not is_extracted(tmp_path, settings)
