"""A capture from outside the package: raw arrays and photographs become a prepared scene."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import raw_scan
from PIL import Image

from pointcept_wsegpc.captures.base import (
    CAPTURES,
    Capture,
    Scene,
    ViewSettings,
    choices_of,
    setting,
)
from pointcept_wsegpc.captures.frames import BadFrame, Frames, make_view
from pointcept_wsegpc.captures.images import read_color
from pointcept_wsegpc.captures.preparing import estimate_bytes, find_captures, prepare
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.prepared import is_prepared
from pointcept_wsegpc.contracts.scene import read_points, scene_dirs, scene_key
from pointcept_wsegpc.contracts.tags import assemble_tags, read_scene_tags
from pointcept_wsegpc.contracts.views import read_view_image, read_views
from pointcept_wsegpc.files import read_json

TABLE = ClassTable(["floor", "wall", "lamp"], label_file="label", ignore=(99,))
SIZE, INTRINSIC = raw_scan.DEPTH_SIZE, raw_scan.DEPTH_INTRINSIC[:3, :3].astype(float)


@dataclass(frozen=True)
class ToySettings(ViewSettings):
    height: int = setting(24, "pixels", minimum=1)
    width: int = setting(32, "pixels", minimum=1)
    unit: str = setting("m", "of the points", choices={"m": "m", "mm": "mm"})
    photos: Path | None = setting(None, "folder of the photographs", source=True)


@pytest.fixture
def toy(monkeypatch):
    """The capture, registered for one test."""
    monkeypatch.setattr(CAPTURES, "_entries", dict(CAPTURES._entries))

    @CAPTURES.register("toy")
    @dataclass(frozen=True)
    class ToyCapture(Capture):
        folder: Path

        settings, classes, layout = ToySettings, TABLE, "AREA/ROOM/points.npy"

        @classmethod
        def find(cls, raw, root, settings):
            paths = sorted(raw.glob("*/*/points.npy"))
            names = [path.parent.relative_to(raw).as_posix() for path in paths]
            return [cls(name, "train", root, raw / name) for name in names]

        def num_points(self):
            return len(np.load(self.folder / "points.npy", mmap_mode="r"))

        def read(self, settings):
            coord = np.load(self.folder / "points.npy").astype(np.float32)
            label = np.load(self.folder / "label.npy")

            def view(number):
                color = read_color(self.folder / f"{number}.png")
                depth, _ = raw_scan.render(INTRINSIC, SIZE, raw_scan.pose(number))
                return make_view(
                    number, color, depth, INTRINSIC, raw_scan.pose(number), settings.size
                )

            frames = Frames(settings.size, range(3), view)
            return Scene({"coord": coord, "label": label}, frames, about={"by": "toy"})

    return ToyCapture


def write_raw(folder):
    """Two rooms of floor and wall, without colors; the second photograph of each is broken."""
    coord, surface, _ = raw_scan.room()
    for name in ("08/000123", "09/000123"):
        (folder / name).mkdir(parents=True)
        np.save(folder / name / "points.npy", coord)
        np.save(folder / name / "label.npy", np.where(coord[:, 0] < 2, 99, surface))
        for number in (0, 1, 2):
            _, seen = raw_scan.render(INTRINSIC, SIZE, raw_scan.pose(number))
            Image.fromarray(raw_scan.color_of(seen)).save(folder / name / f"{number}.png")
        (folder / name / "1.png").write_bytes(b"no png")
    return coord, surface


def test_a_capture_from_outside_becomes_prepared_scenes(toy, tmp_path):
    coord, surface = write_raw(tmp_path / "raw")
    captures = find_captures("toy", tmp_path / "raw", tmp_path / "out")
    assert [capture.name for capture in captures] == ["08/000123", "09/000123"]
    assert estimate_bytes(captures, ToySettings()) > 2 * 12 * len(coord)
    manifests = [prepare(capture, ToySettings()) for capture in captures]
    scenes = scene_dirs(tmp_path / "out")
    assert scenes == [capture.target for capture in captures]
    assert scenes == scene_dirs(tmp_path / "out", "train")
    assert scene_key(scenes[0], tmp_path / "out") == "08/000123"
    points = read_points(scenes[0], ("coord", "normal", "label"))
    assert np.array_equal(points["coord"], coord.astype(np.float32))
    assert not (scenes[0] / "color.npy").exists()
    # Estimated normals look at the cameras, away from the corner of floor and wall.
    inner = (coord[:, 1] < 2.7) & (surface == 0) | (coord[:, 2] > 0.3) & (surface == 1)
    expected = np.array([[0, 0, 1], [0, -1, 0]])[surface]
    assert np.allclose(points["normal"][inner], expected[inner], atol=1e-3)
    views = read_views(scenes[0])
    assert views.frame.tolist() == [0, 2] and (views.size == (24, 32)).all()
    assert manifests[0]["frames"]["bad"] == {"unreadable color image": [1]}
    label = read_view_image(scenes[0], 0, "label")  # rendered from the points' labels
    assert set(np.unique(label)) == {-1, 0, 1}
    assert manifests[0]["by"] == "toy" and manifests[0]["version"]
    assert ClassTable.read(tmp_path / "out") == TABLE
    path, added, _ = assemble_tags(tmp_path / "out")
    assert added == 2
    tags = read_scene_tags(path)
    assert tags == {capture.name: ["floor", "wall"] for capture in captures}
    lines = toy.report(list(zip(captures, manifests, strict=True)))
    assert lines[0].startswith("4 frames kept, 2 skipped")


def test_what_decides_a_scene_is_recorded(toy, tmp_path):
    write_raw(tmp_path / "raw")
    capture = find_captures("toy", tmp_path / "raw", tmp_path / "out")[0]
    settings = ToySettings(unit="mm", photos=tmp_path)
    manifest = prepare(capture, settings)
    assert manifest == read_json(capture.target / "manifest.json")
    assert manifest["settings"] == {"height": 24, "width": 32, "stride": 1, "unit": "mm"}
    assert is_prepared(capture, dataclasses.replace(settings, photos=None))
    assert not is_prepared(capture, ToySettings())

    @dataclass(frozen=True)
    class Later(ToySettings):
        added: int = setting(3, "a setting of a later version")

    assert is_prepared(capture, Later(unit="mm")) and not is_prepared(capture, Later(4, unit="mm"))


def test_a_failed_capture_leaves_nothing(toy, tmp_path, monkeypatch):
    write_raw(tmp_path / "raw")
    capture = find_captures("toy", tmp_path / "raw", tmp_path / "out")[0]
    np.save(capture.folder / "label.npy", np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="differ in length"):
        prepare(capture, ToySettings())
    coord = np.load(capture.folder / "points.npy")
    np.save(capture.folder / "label.npy", np.zeros(len(coord), np.int64))
    coord[7, 1:] = np.inf, np.nan
    np.save(capture.folder / "points.npy", coord)
    unusable = f"{capture.key}: 1 of {len(coord)} points have no usable coord"
    with pytest.raises(ValueError, match=unusable):
        prepare(capture, ToySettings())
    assert not capture.target.exists() and not list((tmp_path / "out/.partial").rglob("*.*"))
    for name in ("../evil", "a//b", "/etc"):
        with pytest.raises(ValueError, match="scene key"):
            prepare(dataclasses.replace(capture, name=name), ToySettings())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw"]


def test_every_setting_can_become_an_option():
    """A type, a default and a help text; what is out of bounds names its option."""
    for name in CAPTURES.names():
        cls = CAPTURES.get(name).settings
        for field in dataclasses.fields(cls):
            if field.init:
                assert field.metadata["help"] and field.default is not dataclasses.MISSING
                choices = choices_of(field)
                given = field.default if isinstance(field.default, tuple) else (field.default,)
                assert choices is None or set(given) <= set(choices.values())
        with pytest.raises(ValueError, match="--stride 0"):
            cls(stride=0)
    with pytest.raises(ValueError, match=r"--unit ell: .*m, mm"):
        ToySettings(unit="ell")
    with pytest.raises(ValueError, match="nan"):
        ToySettings(height=float("nan"))


def test_frames_of_a_plain_list(caplog):
    caplog.set_level(logging.WARNING)
    frames = Frames((2, 2), [1, 2, 3], lambda n: n if n != 2 else _bad(), name="frame {}".format)
    assert list(frames) == [1, 3] and frames.log.read == 3
    assert frames.log.bad == {"blurred": ["frame 2"]}


def _bad():
    raise BadFrame("blurred")
