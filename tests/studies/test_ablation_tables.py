"""The tables of tools/studies/ablation.py: rows, jobs, data; and, slow, a training of every row."""

import dataclasses
import functools
import os
import re
from inspect import signature

import numpy as np
import pytest
import timm
import torch
from cli import wsegpc
from pointcept.utils.config import Config
from tiny_tables import rows_of, table, tiny

import pointcept_wsegpc.register  # noqa: F401  fills the registries
from ablations import data
from ablations.benchmarks import BENCHMARKS, REPOSITORY, encoder
from ablations.study import Study
from ablations.tables import CONSISTENCY, PARTITIONS, TABLES
from pointcept_wsegpc.contracts.classes import IGNORE, ClassTable
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.scene import read_region, scene_dirs
from pointcept_wsegpc.contracts.views import read_view_image, read_views
from pointcept_wsegpc.datasets.multiview import MultiViewDataset
from pointcept_wsegpc.files import read_json, write_json
from pointcept_wsegpc.models.image_encoder import ImageEncoder
from pointcept_wsegpc.models.mink_unet import MinkUNet
from pointcept_wsegpc.models.wsegpc import WSegPC
from pointcept_wsegpc.regions import PARTITIONS as METHODS
from pointcept_wsegpc.regions.scenes.extract import extract_regions
from pointcept_wsegpc.regions.scenes.settings import RegionSettings

DIFFERENT = ("synthetic", "scannet")  # the other benchmarks have the configurations of these


@functools.cache
def study_of(name):
    """It reads every configuration once."""
    return Study(BENCHMARKS[name])


@pytest.fixture(scope="module")
def study(prepared_root):
    return Study(tiny(prepared_root))


# ------------------------------------------------------------------------------------------- tables


def test_direction_of_guidance():
    # "affinity / contrastive" is 3D→2D / 2D→3D; 2D→3D is what the 3D branch learns from.
    row = rows_of("guidance")["affinity / contrastive"]
    assert row.both == {"model.guidance_3d": "contrastive", "model.guidance_2d": "affinity"}
    row = rows_of("components")["CAM + 2D→3D"]
    assert row.both == {"model.guidance_3d": "contrastive", "model.guidance_2d": "none"}


def test_partitions_are_those_of_the_tool():
    for choice in PARTITIONS.values():
        if choice is not None:
            METHODS.get(choice[0]).resolve(choice[1])  # refuses what it does not know


def test_select():
    chosen = table("thresholds").select(["region-point, *, 0.8", "point-point, fixed, 0.0"])
    assert [row.label for row in chosen.rows] == [
        "point-point, fixed, 0.0",
        "region-point, fixed, 0.8",
        "region-point, adaptive, 0.8",
    ]
    with pytest.raises(ValueError, match="'CMX' matches no row; rows: CAM, "):
        table("components").select(["CAM", "CMX"])


# --------------------------------------------------------------------------------------------- jobs


def test_rows_share_first_parts(study):
    rows = rows_of("components")
    first = {label: study.jobs(row, 0)["first"].name for label, row in rows.items()}
    assert first["CAM"] == first["CAM + RPC"]
    cmg = {first[label] for label in rows if "CMG" in label}
    assert len(cmg) == 1 and len(set(first.values())) == 4
    assert study.jobs(rows["CAM + CMG"], 1)["first"].name not in first.values()


def test_second_part_starts_from_the_weights_of_the_first(study, tmp_path, monkeypatch):
    roles = study.jobs(rows_of("components")["CMG + RPC 3D"], 0)
    assert roles["second"].needs == {"weight": roles["first"]}
    commands = []
    (tmp_path / roles["second"].name).mkdir()
    roles["second"].run(tmp_path, commands.append, resume=False)
    text = (tmp_path / roles["second"].name / "job.py").read_text()
    weight = re.search(r"^weight = '(.*)'", text, re.M)[1]
    assert (REPOSITORY / weight).resolve() == roles["first"].output(tmp_path).resolve()
    assert "resume = False" in text and commands[0][2:4] == ["pointcept_wsegpc", "train"]


def test_seeds_of_second_parts_are_no_other_trainings_seeds(study):
    """Both parts count epochs from 0: with one seed they would see the same samples."""
    row = rows_of("components")["CAM"]
    jobs = [study.jobs(row, seed) for seed in range(9)]
    seeds = {roles[r].settings["config"]["seed"] for roles in jobs for r in ("first", "second")}
    assert len(seeds) == 18


def flat(value, prefix=""):
    """{dotted key: value} of nested dictionaries."""
    if not isinstance(value, dict) or not value:
        return {prefix: value}
    return {k: v for key in value for k, v in flat(value[key], f"{prefix}.{key}").items()}


def test_full_supervision_is_that_of_its_configuration():
    """The row differs from CAM as supervised.py does from wsegpc-cam.py, in every data set."""
    names = ("wsegpc-cam", "supervised")
    folders = ("scannet", "s3dis", "synthrooms", "quickstart")
    pairs = [[study_of("scannet").config(f"{f}/{name}") for name in names] for f in folders]
    for name in DIFFERENT:
        study, rows = study_of(name), rows_of("components", BENCHMARKS[name])
        roles = [study.jobs(rows[label], 0) for label in ("CAM", "full supervision")]
        pairs += [[r[part].settings["config"] for r in roles] for part in ("first", "second")]
    expected = {
        ".model.cam_3d_weight": 0.0,
        ".model.supervised_weight": 1.0,
        ".data.train.with_labels": True,
        ".data.train.structure_removal": {},
    }
    for cam, full in pairs:
        cam = flat(cam)
        assert {key: v for key, v in flat(full).items() if cam.get(key) != v} == expected


def test_rows_of_components_train_equally_long(study):
    lengths = set()
    for row in rows_of("components").values():
        roles = study.jobs(row, 0)
        parts = [roles[part].settings["config"] for part in ("first", "second")]
        lengths.add(tuple((c["epoch"], c["batch_size"], c["optimizer"]["lr"]) for c in parts))
    assert len(lengths) == 1


def test_tables_share_rows(study):
    pairs = [
        ("CAM", "guidance", "none / none"),
        ("CAM", "views", "0"),
        ("CAM + CMG", "guidance", "contrastive / contrastive"),
        ("CAM + CMG", "views", "3"),
        ("CMG + RPC 3D + RPC 2D", "partitions", "growing"),
        ("CMG + RPC 3D + RPC 2D", "thresholds", "region-point, adaptive, 0.8"),
    ]
    for label, other, same in pairs:
        rows = rows_of("components")[label], rows_of(other)[same]
        assert len({study.jobs(row, 2)["second"].name for row in rows}) == 1, label


def test_config_hash_is_of_the_row_not_of_the_seed(study):
    rows = rows_of("components")
    hashes = {study.config_hash(row) for row in rows.values()}
    assert len(hashes) == len(rows)
    assert all(re.fullmatch("[0-9a-f]{12}", value) for value in hashes)
    longer = tiny(study.benchmark.data_root, more={**study.benchmark.more, "epoch": 9})
    assert Study(longer).config_hash(rows["CAM"]) not in hashes
    assert Study(study.benchmark).config_hash(rows["CAM"]) in hashes


def test_other_data_make_other_jobs(study, root_copy):
    row = rows_of("components")["CAM"]
    same = Study(tiny(root_copy))
    assert same.fingerprint == study.fingerprint != ""
    scene = scene_dirs(root_copy, "train")[0]
    seen = [same.fingerprint]

    def changed():
        seen.append(Study(tiny(root_copy)).fingerprint)
        return seen[-1] not in seen[:-1]

    for name in ("manifest", "regions"):
        content = read_json(scene / f"{name}.json")
        content["settings"]["stride"] = 77
        write_json(scene / f"{name}.json", content)
        assert changed(), name
    last = scene_dirs(root_copy, "val")[-1]
    for name in ("coord", "color", "normal", "region", "segment20"):
        array = np.load(last / f"{name}.npy")
        array[-1] += 1  # a single point, at the end
        np.save(last / f"{name}.npy", array)
        assert changed(), name
    view = next((scene / "views").glob("*.jpg"))
    view.write_bytes(view.read_bytes() + b"0")
    assert changed()
    manifest = read_json(scene / "manifest.json")
    manifest["source"]["capture"] = "elsewhere"
    write_json(scene / "manifest.json", manifest)
    assert not changed()
    assert same.jobs(row, 0)["first"].name != Study(tiny(root_copy)).jobs(row, 0)["first"].name


def test_2d_is_measured_on_equally_many_views(study):
    for label, row in rows_of("views").items():
        jobs = study.jobs(row, 0)
        config = jobs["second"].settings["config"]
        assert "WSegPCPseudoLabelExporter" not in str(jobs["first"].settings["config"]["hooks"])
        (exporter,) = [
            hook for hook in config["hooks"] if hook["type"] == "WSegPCPseudoLabelExporter"
        ]
        views = exporter.get("dataset", config["data"]["train"])["num_views"]
        assert views == 3
        assert config["data"]["train"]["num_views"] == (int(label) or 3)


def test_changed_weights_file_makes_other_jobs(tmp_path):
    names = []
    for content in (b"a", b"b"):
        (tmp_path / "file.pth").write_bytes(content)
        weights = {"file": encoder(weights=str(tmp_path / "file.pth"))}
        benchmark = tiny("nowhere", image_weights=weights)
        (row,) = table("weights", benchmark).rows
        names.append(Study(benchmark).jobs(row, 0)["first"].name)
    assert names[0] != names[1]


OPTIONS_OF = {
    "model": WSegPC,
    "model.backbone": MinkUNet,
    "model.image_encoder": ImageEncoder,
    "data.train": MultiViewDataset,
}


def unknown_options(row):
    """Differences of a row that name no option of what is built from the configuration."""
    for key in {**row.both, **row.second}:
        owner, _, option = key.rpartition(".")
        if owner not in OPTIONS_OF or option not in signature(OPTIONS_OF[owner]).parameters:
            yield key


@pytest.mark.parametrize("name", DIFFERENT)
def test_consistency_that_is_not_spelt_out(name):
    """The thresholds' row without differences trains what its label says."""
    (row,) = table("thresholds", BENCHMARKS[name]).select(["region-point, adaptive, 0.8"]).rows
    model = study_of(name).jobs(row, 0)["second"].settings["config"]["model"]
    for key, value in CONSISTENCY.items():
        option = key.removeprefix("model.")
        assert model.get(option, signature(WSegPC).parameters[option].default) == value


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("benchmark", DIFFERENT)
def test_every_row_makes_configurations(name, benchmark):
    rows, differences = table(name, BENCHMARKS[benchmark]).rows, set()
    for row in rows:
        assert set(row.paper) <= {"3D", "2D", "stage two"}
        config = study_of(benchmark).jobs(row, 0)["second"].settings["config"]
        assert config["evaluate"] is False
        assert list(unknown_options(row)) == []
        assert config["data"]["train"]["data_root"] == BENCHMARKS[benchmark].data_root
        for key, value in {**row.both, **row.second}.items():
            found = functools.reduce(dict.__getitem__, key.split("."), config)
            assert found == ({} if value == {"_delete_": True} else value)
        differences.add(repr((row.both, row.second, row.partition)))
    assert len({row.label for row in rows}) == len(differences) == len(rows) >= 3


def test_weights_of_rows_have_to_be_there(root_copy, monkeypatch):
    benchmark = tiny(root_copy, partition="of the tests")
    with pytest.raises(FileNotFoundError, match=r"resnet18\.pth"):
        data.check_data(benchmark, table("weights", benchmark))
    data.check_data(benchmark, table("weights", benchmark).select(["none"]))
    large = dataclasses.replace(
        BENCHMARKS["synthetic-large"], data_root=str(root_copy), partition="any"
    )
    with pytest.raises(FileNotFoundError, match=r"resnet50.pth --network resnet50 --num-stages 0 "):
        data.check_data(large, table("weights", large).select(["pretrained"]))
    monkeypatch.setattr(data, "REPOSITORY", root_copy)
    write_json(root_copy / "exp/pretrained/resnet18.pth", {})
    data.check_data(benchmark, table("weights", benchmark))


def test_regions_have_to_be_the_default_ones(root_copy):
    """Those of the tests have settings of their own."""
    components = table("components")
    with pytest.raises(ValueError, match=r"^5 of 5 .*scene0000_00 first; run .wsegpc regions"):
        data.check_data(tiny(root_copy), components)
    data.check_data(tiny(root_copy, partition="of the tests"), components)
    for scene in scene_dirs(root_copy, ("train", "val")):
        extract_regions(scene, RegionSettings())
    data.check_data(tiny(root_copy), components)
    (scene / "region.npy").unlink()
    with pytest.raises(ValueError, match=r"^1 of 5 scenes have other .* or none, "):
        data.check_data(tiny(root_copy), components)


# --------------------------------------------------------------------------------------------- data


def test_linked_root_shares_all_but_regions(root_copy, tmp_path):
    root = tmp_path / "linked"
    for _ in range(2):  # again: what is linked stays
        data.link_scenes(root_copy, root)
    files = {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
    wanted = {path.relative_to(root_copy) for path in root_copy.rglob("*") if path.is_file()}
    regions = {path for path in wanted if "region" in path.name}
    assert files == wanted - regions and len(regions) > 5
    assert all(os.path.samefile(root / path, root_copy / path) for path in files)
    data.leave_unassigned(root)
    for scene in scene_dirs(root, ("train", "val")):
        assert (read_region(scene, len(np.load(scene / "coord.npy"))) == -1).all()
        views = read_views(scene)
        image = read_view_image(scene, views.frame[0], "region", views.size[0])
        assert (image == -1).all()
    assert (np.load(scene_dirs(root_copy, "train")[0] / "region.npy") >= 0).any()


def test_each_run_has_partitions_of_its_own(study, tmp_path):
    roles = study.jobs(rows_of("partitions")["point-wise"], 0)
    roots = []
    for out in (tmp_path / "one", tmp_path / "other"):
        roles["regions"].run(out, None, resume=False)
        roots.append(roles["regions"].root(out))
        (out / roles["second"].name).mkdir()
        roles["second"].run(out, [].append, resume=False)
        config = Config.fromfile(str(out / roles["second"].name / "job.py"))
        for part in ("train", "val"):
            assert (REPOSITORY / config.data[part].data_root).samefile(roots[-1])
    assert roots[0] != roots[1]
    roles["regions"].run(tmp_path / "one", None, resume=False)  # it starts over
    assert len(scene_dirs(roots[1], ("train", "val"))) == 5


def write_scene(root, name, region, segment):
    folder = root / "train" / name
    folder.mkdir(parents=True)
    np.save(folder / "coord.npy", np.zeros((len(region), 3), np.float32))
    np.save(folder / "region.npy", np.array(region, np.int32))
    np.save(folder / "segment20.npy", np.array(segment, np.int16))


def test_points_without_a_region_vote_for_themselves(tmp_path):
    ClassTable.shipped("scannet20").write(tmp_path)
    # Region 0 is half right, region 1 all of it; the others are their own.
    write_scene(tmp_path, "a", [0, 0, 0, 1, -1, -1], [2, 2, 3, 3, 3, IGNORE])
    write_scene(tmp_path, "b", [-1, -1], [2, 4])
    # Class 2: 3 of 3 points, 1 false; class 3: 2 of 3; class 4: 1 of 1.
    assert data.quality(tmp_path)[0] == pytest.approx((3 / 4 + 2 / 3 + 1) / 3)


# ---------------------------------------------------------------------------------------- trainings


@pytest.fixture(scope="module")
def every_option(prepared_root, tmp_path_factory):
    """The tiny benchmark with weights for each of its rows."""
    folder = tmp_path_factory.mktemp("tables")
    weights = folder / "resnet10t.pth"
    torch.save({"state_dict": timm.create_model("resnet10t").state_dict()}, weights)
    pretrained = encoder(weights=str(weights))
    frozen = encoder(weights=str(weights), frozen=True)
    return tiny(
        prepared_root,
        more={"batch_size": 2, "epoch": 2, "eval_epoch": 1, "num_worker": 0},
        image_weights={"none": encoder(weights="none"), "pretrained": pretrained, "frozen": frozen},
    )


@pytest.fixture(scope="module")
def finish(tmp_path_factory):
    """finish(job): the job done in this process, once; its folder of all jobs."""
    out = tmp_path_factory.mktemp("trainings")

    def command(words):
        result = wsegpc(*words[3:])  # after python -m pointcept_wsegpc
        assert result.exit_code == 0, result.output

    def finish(job):
        if not job.output(out).exists():
            (out / job.name).mkdir(exist_ok=True)
            job.run(out, command, resume=False)
        return out

    return finish


EVERY_ROW = [
    (name, row.label)
    for name in TABLES
    for row in table(name).rows
    if name != "thresholds" or row.label.endswith("0.8")  # the others differ in a number alone
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "label"), EVERY_ROW)
def test_every_row_trains(name, label, every_option, finish, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    roles = Study(every_option).jobs(rows_of(name, every_option)[label], 0)
    for role in ("regions", "first", "second"):
        out = finish(roles[role]) if role in roles else None
    state = torch.load(roles["second"].output(out), weights_only=False)["state_dict"]
    assert state["iteration"] == 3
    assert all(torch.isfinite(v).all() for v in state.values() if v.is_floating_point())
    manifest = LabelStore.load(roles["second"].store(out)).manifest
    miou = manifest["quality"]["miou"]
    assert len(manifest["scenes"]) == 3 and 0 < miou["3d_no_vote"] < 1
    assert miou.keys() == {"3d", "3d_no_vote", "2d"}
