"""Regions of prepared scenes: files, numbers, resume. Two planes, so two regions are the truth."""

import copy
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import raw_scan
from cli import wsegpc
from PIL import Image

from pointcept_wsegpc.captures.preparing import prepare
from pointcept_wsegpc.captures.scannet.scene import ScanNetCapture, ScanNetSettings
from pointcept_wsegpc.clouds.ids import compact_ids
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import read_region
from pointcept_wsegpc.contracts.views import read_view_image, read_views, write_view_image
from pointcept_wsegpc.files import read_json, write_json
from pointcept_wsegpc.files.claims import Held, claim
from pointcept_wsegpc.metrics import partition_quality
from pointcept_wsegpc.regions import PARTITIONS, partition
from pointcept_wsegpc.regions.scenes import extract, report
from pointcept_wsegpc.regions.scenes.extract import extract_regions
from pointcept_wsegpc.regions.scenes.records import finished_record, is_extracted
from pointcept_wsegpc.regions.scenes.settings import RegionSettings

SCANNET20 = ClassTable.shipped("scannet20")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def planes(tmp_path_factory):
    """A data root with a raw scan of two planes beside it, and its prepared scene: read only."""
    folder = tmp_path_factory.mktemp("planes")
    name = "scene0000_00"
    raw_scan.write_lists(folder / "raw", train=[name])
    scan = raw_scan.write_scan(folder / "raw", name)
    capture = ScanNetCapture(name, "train", folder / "out", scan)
    prepare(capture, ScanNetSettings(stride=4, height=48, width=64))
    return folder


@pytest.fixture
def scene(planes, tmp_path):
    """The scene of two planes in a data root of its own, to be changed."""
    shutil.copytree(planes / "out", tmp_path / "out")
    return tmp_path / "out/train/scene0000_00"


@pytest.fixture
def some_scene(prepared_root, tmp_path):
    """A scene with regions in a data root of its own, to be changed."""
    root = tmp_path / "prepared"
    shutil.copytree(prepared_root / "train/scene0000_00", root / "train/scene0000_00")
    shutil.copy(prepared_root / "classes.json", root)
    return root / "train/scene0000_00"


@pytest.fixture
def no_figure(monkeypatch):
    """Reports without report.png, which takes most of their time."""
    monkeypatch.setattr("pointcept_wsegpc.commands.regions.draw_report", lambda *_: None)


def regions(*arguments):
    return wsegpc("regions", *arguments)


def row(text, title):
    """The cells of the table's row with this title."""
    (line,) = (line for line in text.splitlines() if line.startswith(title))
    return line.removeprefix(title).split()


def test_two_planes_are_two_regions(scene):
    before = {p.name: p.read_bytes() for p in scene.glob("*.npy")}
    record = extract_regions(scene, RegionSettings.resolve())
    segment = np.load(scene / "segment20.npy")
    region = read_region(scene, len(segment))
    assert region.dtype == np.int32 and region.max() == 1
    assert record["points"]["regions"] == 2
    assert record["points"]["unassigned"] == pytest.approx((region < 0).mean())
    assert record["points"]["unassigned"] < 0.02
    assert record["points"]["quality"] == pytest.approx(partition_quality(region, segment, 20))
    assert record["points"]["quality"] > 0.97
    views = read_views(scene)
    counts, unassigned, seen = [], 0, 0
    for frame in views.frame:
        image = read_view_image(scene, frame, "region", views.size[0])
        depth = read_view_image(scene, frame, "depth", views.size[0])
        assert (image[depth == 0] == -1).all()
        counts.append(image.max() + 1)
        unassigned, seen = unassigned + (image[depth > 0] < 0).sum(), seen + (depth > 0).sum()
    assert record["views"]["views"] == 2
    assert record["views"]["regions"] == np.mean(counts)
    assert record["views"]["unassigned"] == pytest.approx(unassigned / seen)
    assert record["views"]["quality"] > 0.95
    assert read_json(scene / "regions.json") == record
    assert {p.name for p in scene.glob("*.npy")} == {*before, "region.npy"}
    assert all((scene / name).read_bytes() == data for name, data in before.items())


def test_settings_reach_the_methods_and_labels_are_optional(scene):
    for path in (scene / "segment20.npy", *scene.glob("views/*.label.png")):
        path.unlink()
    coarse = {"points": {"min_size": 4000}, "views": {"min_size": 1000}}
    some = extract_regions(scene, RegionSettings.resolve(**coarse))
    filled = extract_regions(scene, RegionSettings.resolve(**coarse, fill=True))
    assert some["points"]["regions"] == 1
    for kind in ("points", "views"):
        assert filled[kind]["unassigned"] == 0 < some[kind]["unassigned"]
        assert not {"quality", "boundary_recall"} & set(some[kind])


def test_resume_and_what_a_killed_run_leaves(scene, monkeypatch):
    assert not is_extracted(scene, RegionSettings.resolve())
    extract_regions(scene, RegionSettings.resolve())
    assert is_extracted(scene, RegionSettings.resolve())
    assert not is_extracted(scene, RegionSettings.resolve(fill=True))

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(extract, "extract_views", killed)
    with pytest.raises(KeyboardInterrupt):
        extract_regions(scene, RegionSettings.resolve(fill=True))
    assert not is_extracted(scene, RegionSettings.resolve()) and not is_extracted(
        scene, RegionSettings.resolve(fill=True)
    )
    monkeypatch.undo()
    for leftover in (scene / ".region.npy.x.npy", scene / "views/.000000.region.png.x.png"):
        leftover.touch()
    extract_regions(scene, RegionSettings.resolve(fill=True))
    hidden = list(scene.rglob(".*"))
    assert is_extracted(scene, RegionSettings.resolve(fill=True)) and not hidden


def test_the_tool(scene, caplog):
    root, other = scene.parents[1], scene.parents[1] / "val/scene0001_00"
    shutil.copytree(scene, other)
    np.save(other / "coord.npy", 1000 * np.load(other / "coord.npy"))
    given = ("--set", "max_angle=15", "min_size=40")
    done = regions(root, *given)
    assert done.exit_code == 0, done.stderr
    assert "2 done, 0 already finished, 0 failed" in done.stdout
    assert row(done.stdout, "number") == ["2", "4"]
    stored = read_json(scene / "regions.json")
    points = stored["settings"]["points"]
    assert (points["max_angle"], points["min_size"], points["neighbours"]) == (15, 40, 12)
    assert caplog.text.count("unit meters?") == 1  # one line a scene that has warnings
    assert "val/scene0001_00: points lie 50 apart" in caplog.text
    assert "! warnings in 1 of 2 scenes, val/scene0001_00: points lie" in done.stdout
    (warning,) = read_json(other / "regions.json")["warnings"]
    assert "millimeters" in warning and stored["warnings"] == []
    assert "0 done, 2 already finished" in regions(root, *given).stdout
    np.save(scene / "color.npy", np.zeros((3, 3), np.uint8))
    failed = regions(root, *given, "--force")
    assert failed.exit_code == 1
    assert "1 done, 0 already finished, 1 failed" in failed.stdout
    assert "failed train/scene0000_00" in failed.stdout and "differ in length" in failed.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no scene of"),
        (("--set", "max_angle"), "expected KEY=VALUE"),
        (("--method", "magic"), "unknown partition method 'magic'"),
    ],
)
def test_bad_arguments_get_one_line(tmp_path, arguments, message):
    result = regions(tmp_path, *arguments)
    assert result.exit_code != 0 and message in result.stderr
    assert "Traceback" not in result.stderr


# --------------------------------------------------------------------------- any method


def test_files_of_regions_are_found_by_the_scene_name(scene, tmp_path):
    ids = np.arange(len(np.load(scene / "coord.npy"))) % 7
    np.save(tmp_path / "train_scene0000_00.npy", ids)
    settings = RegionSettings.resolve(
        "file", points={"path": f"{tmp_path}/{{split}}_{{scene}}.npy"}
    )
    record = extract_regions(scene, settings)
    assert (np.load(scene / "region.npy") == ids).all()
    assert record["settings"]["views"]["method"] == "growing"  # there is no file of a view
    assert record["settings"]["points"]["path"].endswith("/{split}_{scene}.npy")
    assert is_extracted(scene, settings)
    assert not is_extracted(
        scene, RegionSettings.resolve("file", points={"path": "other/{scene}.npy"})
    )
    source = tmp_path / "train_scene0000_00.npy"
    np.save(source, ids[::-1])
    os.utime(source, (1, 1))
    assert not is_extracted(scene, settings)  # the source has changed
    assert finished_record(scene) is not None  # for a report on what is there
    extract_regions(scene, settings)
    assert (np.load(scene / "region.npy") == ids[::-1]).all()
    source.unlink()  # nothing newer to read
    assert is_extracted(scene, settings)
    np.save(source, ids[1:])
    with pytest.raises(ValueError, match=rf"{len(ids) - 1} region ids, the scene has {len(ids)}"):
        extract_regions(scene, settings)
    assert not is_extracted(scene, settings)


def test_with_a_mesh_the_normals_are_those_of_the_mesh(planes, scene):
    coord, color = (np.load(scene / f"{name}.npy") for name in ("coord", "color"))
    rng = np.random.default_rng(0)
    np.save(scene / "normal.npy", rng.normal(size=coord.shape).astype(np.float32))
    mesh = planes / "raw/scans/{scene}/{scene}_vh_clean_2.ply"
    settings = RegionSettings.resolve("graph", "segmentator", {"mesh": mesh})
    extract_regions(scene, settings)
    faces = raw_scan.room()[2]
    expected = partition(coord, None, color, "graph", preset="segmentator", faces=faces)
    assert (np.load(scene / "region.npy") == expected).all()
    for key in ("coord", "color", "normal", "segment20"):  # the mesh is another scene's
        np.save(scene / f"{key}.npy", np.load(scene / f"{key}.npy")[:-5])
    with pytest.raises(ValueError, match=r"vh_clean_2\.ply has 8000 vertices, the scene 7995"):
        extract_regions(scene, settings)
    gone = RegionSettings.resolve("graph", points={"mesh": "/none/{scene}.ply"})
    with pytest.raises(FileNotFoundError, match="/none/scene0000_00"):
        extract_regions(scene, gone)


def test_labels_reach_the_method_that_asks_for_them(scene, monkeypatch):
    monkeypatch.setattr(PARTITIONS, "_entries", dict(PARTITIONS._entries))
    PARTITIONS.register("labels", needs=("segment",))(lambda coord, normal, color, segment: segment)
    record = extract_regions(scene, RegionSettings.resolve("labels"))
    for kind in ("points", "views"):
        assert record[kind]["quality"] == record[kind]["boundary_recall"] == 1, kind
    labels = np.load(scene / "segment20.npy")
    np.testing.assert_array_equal(np.load(scene / "region.npy"), compact_ids(labels))
    (scene / "segment20.npy").unlink()
    table = ClassTable([f"class {i}" for i in range(37)], "truth", ignore=[255])
    table.write(scene.parents[1], replace=True)
    np.save(scene / "truth.npy", np.where(labels < 0, 255, labels)[:, None] + 0)
    extract_regions(scene, RegionSettings.resolve("labels", view_method="growing"))
    np.testing.assert_array_equal(np.load(scene / "region.npy"), compact_ids(labels))
    (scene / "truth.npy").unlink()
    with pytest.raises(ValueError, match="no labels"):
        extract_regions(scene, RegionSettings.resolve("labels"))
    record = extract_regions(scene, RegionSettings.resolve("growing", view_method="labels"))
    assert record["views"]["quality"] == 1 and "quality" not in record["points"]


def test_logging_is_left_as_it_was(caplog):
    logger = logging.getLogger("pointcept_wsegpc.regions.cloud")
    with extract.collected_warnings() as messages:
        for text in ("one", "two", "one"):
            logger.warning(text)
        logger.info("not this")
    assert messages == ["one", "two"] and not caplog.records
    logger.warning("afterwards")
    assert messages == ["one", "two"] and caplog.messages == ["afterwards"]


# --------------------------------------------------------------------- finished or not


def test_a_record_that_makes_no_sense_is_that_of_an_unfinished_scene(some_scene):
    scene = some_scene
    for content in (
        "", "[]", "null", "3", '{"settings": ', "\0", '{"settings": {}}', "[" * 100_000,
        # what the first version wrote
        '{"settings": {"method": "growing", "points": {}, "views": {}, "fill": false},'
        ' "points": {"regions": 71, "counts": {"intersection": [3], "target": [4]}},'
        ' "views": {"views": 18, "regions": 19.5, "counts": {}}}',
    ):  # fmt: skip
        (scene / "regions.json").write_text(content)
        assert not is_extracted(scene, RegionSettings.resolve())
        for wanted in (None, RegionSettings.resolve()):
            assert report.read_records({"train/a": scene}, wanted) == ({}, ["train/a"])


def test_a_record_without_one_of_its_parts_is_none(some_scene):
    scene = some_scene
    record = read_json(scene / "regions.json")
    assert finished_record(scene) == record
    parts = [("settings",), ("warnings",), ("settings", "views"), ("settings", "points", "method")]
    for kind in ("points", "views"):
        parts += [(kind,), (kind, "counts"), (kind, "derived"), (kind, "counts", "sizes")]
    parts += [("points", "spacing"), ("views", "views"), ("points", "counts", "seconds")]
    for *path, last in parts:
        for odd in ([], "odd", None, "gone", {"a": "b"}):
            broken = copy.deepcopy(record)
            part = broken
            for key in path:
                part = part[key]
            if odd == "gone":
                del part[last]
            elif (last, odd) in (("warnings", []), ("method", "odd")):  # as good as any
                continue
            else:
                part[last] = odd
            write_json(scene / "regions.json", broken)
            assert finished_record(scene) is None, (path, last, odd)
    write_json(scene / "regions.json", record)
    assert finished_record(scene) == record
    del record["sources"]  # not recorded before there were any
    write_json(scene / "regions.json", record)
    assert finished_record(scene) == {**record, "sources": {}}
    record["points"]["counts"]["sizes"][3] += 1  # contradicts the number of regions
    write_json(scene / "regions.json", record)
    assert finished_record(scene) is None


def test_a_scene_is_finished_only_with_all_its_files(some_scene):
    scene = some_scene
    region = np.load(scene / "region.npy")

    def damage():
        yield (scene / "region.npy").unlink()
        yield np.save(scene / "region.npy", region[1:])
        yield (scene / "region.npy").write_bytes(b"")
        yield (scene / "region.npy").write_bytes((scene / "coord.npy").read_bytes()[:-9])
        yield np.save(scene / "region.npy", np.array(3))
        np.save(scene / "region.npy", region)
        image = next(scene.glob("views/*.region.png"))
        yield image.rename(scene / "away")
        (scene / "away").rename(image)
        yield (scene / "views.npz").write_bytes((scene / "views.npz").read_bytes()[:99])

    assert finished_record(scene) is not None
    for _ in damage():
        assert finished_record(scene) is None
        assert report.read_records({"a": scene}) == ({}, ["a"])


def test_what_fails_leaves_the_old_regions_and_their_record(some_scene):
    scene = some_scene
    record, region = read_json(scene / "regions.json"), np.load(scene / "region.npy")
    color = (scene / "color.npy").read_bytes()
    (scene / "color.npy").write_bytes(color[:-5])
    with pytest.raises(ValueError, match=r"color\.npy cannot be read"):
        extract_regions(scene, RegionSettings.resolve())
    assert finished_record(scene) == record and (np.load(scene / "region.npy") == region).all()
    (scene / "color.npy").write_bytes(color)
    next(scene.glob("views/*.depth.png")).write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"depth\.png"):
        extract_regions(scene, RegionSettings.resolve())
    assert finished_record(scene) is None  # the points' regions are new, the views' are old


# --------------------------------------------------------------------- damaged, missing


def spoil_array(name, change):
    def spoil(scene):
        np.save(scene / f"{name}.npy", change(np.load(scene / f"{name}.npy")))

    return spoil


def cut_off(pattern, count=100):
    def spoil(scene):
        path = sorted(scene.glob(pattern))[0]
        path.write_bytes(path.read_bytes()[:count])

    return spoil


def change_label_image(value):
    def spoil(scene):
        views = read_views(scene)
        image = read_view_image(scene, views.frame[0], "label")
        image[3, 4] = value
        write_view_image(scene, views.frame[0], "label", image)

    return spoil


def change_views(**changes):
    def spoil(scene):
        with np.load(scene / "views.npz") as stored:
            arrays = {**stored, **changes}
        np.savez(scene / "views.npz", **arrays)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "file", "message"),
    [
        (cut_off("coord.npy"), "coord.npy", "cannot be read"),
        (spoil_array("coord", lambda a: a[0, 0]), "coord.npy", "cannot be read"),
        (spoil_array("coord", lambda a: a[:, :2]), "coord.npy", r"shape \(\d+, 2\); expected"),
        (spoil_array("color", lambda a: a[:, 0]), "color.npy", "expected numbers"),
        (spoil_array("segment20", np.float32), "segment20.npy", "expected integers"),
        (spoil_array("segment20", lambda a: np.stack([a, a], 1)), "segment20.npy", "expected int"),
        (spoil_array("segment20", lambda a: np.where(a == 0, 255, a)), "segment20.npy",
         "holds labels -1 to 255; expected 0 to 19, and -1 for none"),
        (change_label_image(255), ".label.png", "holds labels -1 to 255"),
        (cut_off("views/*.depth.png"), ".depth.png", "cannot be read"),
        (cut_off("views/*.jpg", 500), ".jpg", "cannot be read"),
        (cut_off("views.npz"), "views.npz", "cannot be read"),
        (change_views(intrinsic=np.eye(3)), "views.npz", "cannot be read"),
        (change_views(frame=np.array(3)), "views.npz", "cannot be read"),
        (change_views(size=np.array([36, 48])), "views.npz", "wsegpc upgrade"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named_in_one_line(some_scene, spoil, file, message):
    spoil(some_scene)
    with pytest.raises(ValueError, match=message) as caught:
        extract_regions(some_scene, RegionSettings.resolve())
    assert file in str(caught.value) and str(some_scene) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_normals_and_colors_may_be_missing(some_scene):
    scene = some_scene
    coord, normal = (np.load(scene / f"{name}.npy") for name in ("coord", "normal"))
    for name in ("normal", "color"):
        (scene / f"{name}.npy").unlink()
    extract_regions(scene, RegionSettings.resolve("supervoxel"))
    region = np.load(scene / "region.npy")
    assert (region == partition(coord, method="supervoxel")).all()
    assert (region != partition(coord, normal, method="supervoxel")).any()


# ------------------------------------------------------------------------------- report


def test_report_of_a_data_set(root_copy, tmp_path, monkeypatch):
    root = root_copy
    with monkeypatch.context() as patch:
        patch.setattr("pointcept_wsegpc.commands.regions.draw_report", lambda *_: None)
        half = regions(root, "--shard", "1/2", "--report", tmp_path / "half")
        assert half.exit_code == 0, half.stderr
        assert "! 2 scenes are missing, train/scene0001_00 first" in half.stdout
        assert read_json(tmp_path / "half/report.json")["scenes"] == 3
        whole = regions(root, "--report-only")  # of what is there
        assert whole.exit_code == 0 and "already finished" not in whole.stdout
        assert "2 different settings" in whole.stdout
    done = regions(root, "--report")
    text = (root / "regions-report/report.txt").read_text()
    assert "2 done, 3 already finished" in done.stdout and text in done.stdout
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


def test_report_of_nothing_is_none(root_copy):
    for record in root_copy.glob("*/*/regions.json"):
        record.write_text("[]")
    done = regions(root_copy, "--report-only")
    assert done.exit_code == 1 and "no finished scene" in done.stdout and not done.stderr
    assert "written:" not in done.stdout and "5 scenes are not extracted" in done.stdout
    assert not list(root_copy.glob("regions-report/report*"))


def test_folders_that_are_no_scenes_are_listed_and_missing(root_copy, no_figure):
    (root_copy / "train/scene0001_00/coord.npy").unlink()
    (root_copy / "val/lost").mkdir()
    (root_copy / "val/.hidden").mkdir()
    (root_copy / "val/notes.txt").touch()
    done = regions(root_copy, "--report-only")
    assert done.exit_code == 0
    assert "2 of 6 folders have no coord.npy, prepare them first: train/scene0001_00, val/lost" in (
        done.stdout
    )
    missing = read_json(root_copy / "regions-report/report.json")["missing"]
    assert missing == ["train/scene0001_00", "val/lost"]


def test_a_report_that_cannot_be_written_is_told_before_the_work(root_copy):
    record = root_copy / "train/scene0000_00/regions.json"
    before = record.read_bytes()
    (root_copy / "taken").touch()
    done = regions(root_copy, "--force", "--report", root_copy / "taken")
    (line,) = done.stderr.splitlines()
    assert done.exit_code == 1 and "nothing can be written to" in line and "taken" in line
    assert record.read_bytes() == before


def test_a_picture_that_cannot_be_drawn_is_not_called_written(root_copy):
    for image in root_copy.glob("*/*/views/*.jpg"):
        image.write_bytes(b"no image")
    done = regions(root_copy, "--report-only")
    assert done.exit_code == 1 and "Traceback" not in done.stderr
    assert "report.txt, report.json; no report.png: " in done.stdout
    assert not (root_copy / "regions-report/report.png").exists()


def test_a_scene_that_another_run_partitions_is_left_to_it(scene):
    with claim(scene / ".claim"), pytest.raises(Held):
        extract_regions(scene, RegionSettings.resolve())
    assert not (scene / ".claim").exists()
