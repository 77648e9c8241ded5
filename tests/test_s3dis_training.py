"""S3DIS in training: data sets, large rooms, rooms without images, a whole pipeline, configs.

N voxels, V views, C classes.
"""

import copy
import json

import numpy as np
import pytest
import s3dis_rooms
import small
import torch
from pointcept.datasets import build_dataset, collate_fn
from pointcept.models.builder import build_model
from pointcept.utils.config import Config
from stores import write_store
from test_configs import (
    BACKBONES,
    CONFIGS,
    RESOLVE,
    STAGE_ONE,
    STAGE_TWO,
    link_checkout,
    real_pointcept,  # noqa: F401  a fixture
    run_in,
)
from test_stage_training import STAGE_ONE as STAGE_ONE_SETTINGS
from test_stage_training import STAGE_TWO as STAGE_TWO_SETTINGS
from test_stage_training import options, train

from pointcept_wsegpc.captures.preparing import find_captures, prepare
from pointcept_wsegpc.captures.s3dis.scene import S3DISSettings
from pointcept_wsegpc.clouds.voxels import crop_to_voxels, nearest_half, voxelize
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.contracts.tags import assemble_tags, read_scene_tags
from pointcept_wsegpc.contracts.views import read_views
from pointcept_wsegpc.datasets.training import Grid, cut_down
from pointcept_wsegpc.regions.scenes.extract import extract_regions
from pointcept_wsegpc.regions.scenes.settings import RegionSettings

S3DIS = ClassTable.shipped("s3dis")

C = len(S3DIS.names)
WITHOUT = "-".join(s3dis_rooms.WITHOUT_IMAGES)  # images
TRAIN = ("Area_1", "Area_2")  # three rooms, one of them without images


@pytest.fixture(scope="module")
def root(prepared_root, tmp_path_factory):
    """Rooms of Areas 1, 2 and 5 as prepared S3DIS with regions."""
    folder = tmp_path_factory.mktemp("s3dis")
    scenes = scene_dirs(prepared_root, ["train", "val"])
    s3dis_rooms.write_release(scenes, folder)
    settings = S3DISSettings(
        height=36,
        width=48,
        depth_tolerance=0.15,
        split=(*TRAIN, "Area_5"),
        images=folder / "images",
        angles=folder / "raw",
    )
    captures = find_captures("s3dis", folder / "preprocessed", folder / "prepared", settings)
    points = {"min_size": 30, "max_distance": 0.1}
    regions = RegionSettings.resolve(points=points, views={"min_size": 20})
    for capture in captures:
        prepare(capture, settings)
        extract_regions(capture.target, regions)
    assemble_tags(folder / "prepared")
    return folder / "prepared"


def dataset(root, **changes):
    settings = {
        "type": "WSegPCMultiViewDataset",
        "data_root": str(root),
        "split": TRAIN,
        "num_views": 2,
        "grid_size": 0.15,
        "depth_tolerance": 0.15,
        "structure_removal": {"ground": 0.5, "wall": 0.5, "ceiling": 0.5},
    }
    return build_dataset({**settings, **changes})


def sample(dataset, name, index=0):
    dataset.set_epoch(1, index)
    return dataset[[scene.name for scene in dataset.scenes].index(name)]


def make_model():
    torch.manual_seed(0)
    # Batch normalization, which an empty batch would spoil, is what the ResNet is here for.
    encoder = {"name": "resnet10t", "weights": "none", "num_stages": 1}
    return build_model(small.model_config(num_classes=C, image_encoder=encoder)).train()


# ---------------------------------------------------------------------------------- data sets


def test_a_room_is_a_scene_of_its_area(root):
    rooms = dataset(root)
    names = [rooms.get_data_name(i) for i in range(len(rooms))]
    assert names == [WITHOUT, "Area_1-office_1", "Area_2-office_1"]
    drawn = sample(rooms, "Area_2-office_1")
    assert drawn["point_tags"].shape == (1, C) and drawn["image"].shape == (2 * 36 * 48, 3)
    assert len(drawn["link_view"]) > 20 and "segment" not in drawn
    labeled = dataset(root, mode="eval", split="Area_5")[0]
    assert labeled["origin_segment"].max() < C and len(labeled["image_segment"]) == 2 * 36 * 48


def test_crop_keeps_nearest_halves():
    rng = np.random.default_rng(0)
    coord = rng.uniform(0, 4, size=(3000, 3)).astype(np.float32)
    total = len(voxelize(coord, 0.5)[1])
    assert crop_to_voxels(coord, 0.5, total, rng).all()
    for limit in (total - 1, 100, 7, 1):
        keep = crop_to_voxels(coord, 0.5, limit, rng)
        grid, _, inverse = voxelize(coord, 0.5)
        left = np.unique(inverse[keep])
        assert limit / 2 <= len(left) <= limit or limit == 1 == len(left)
        assert (np.isin(inverse, left) == keep).all()  # whole voxels
        # Halves of balls around points: what is left lies together.
        spread = np.linalg.norm(grid[left] - grid[left].mean(0), axis=1).max()
        assert spread <= np.linalg.norm(grid - grid.mean(0), axis=1).max()


def test_a_draw_decides_the_half_also_among_points_equally_far():
    coord = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    for seed in range(20):
        half = nearest_half(coord.astype(np.float32), np.random.default_rng(seed))
        middle = coord[np.random.default_rng(seed).integers(len(coord))].tolist()
        far = [sum((a - b) ** 2 for a, b in zip(p, middle, strict=True)) for p in coord.tolist()]
        expected = sorted(range(len(far)), key=lambda i: (far[i], i))[: len(far) // 2]
        assert half.tolist() == sorted(expected)


STRONG = {
    "teacher_augmentation": [{"type": "RandomRotate", "angle": [-1, 1], "axis": "z", "p": 1}],
    "student_augmentation": [
        {"type": "RandomRotate", "angle": [-1, 1], "axis": "z", "p": 1},
        {"type": "RandomScale", "scale": [0.8, 1.2]},
        {"type": "RandomJitter", "sigma": 0.005, "clip": 0.02},
    ],
}


@pytest.mark.parametrize("mix3d", [0.0, 1.0])
def test_no_draw_exceeds_the_limit(root, mix3d):
    settings = {"structure_removal": None, "num_views": 1, **STRONG}
    rooms = dataset(root, max_voxels=120, mix3d_prob=mix3d, **settings)
    sizes = []
    for epoch in range(16):
        drawn = sample(rooms, "Area_1-office_1", epoch)
        n, m = len(drawn["coord"]), len(drawn["teacher_coord"])
        sizes.append((n, m))
        assert drawn["offset"] == n and drawn["teacher_offset"][-1] == m
        assert len(drawn["teacher_offset"]) == 1 + mix3d
        assert len(drawn["region"]) == len(drawn["teacher_row"]) == n
        # A point's voxels of both views hold points that lie together: the index leads there.
        normal = drawn["teacher_feat"][drawn["teacher_row"], 5]
        assert (normal - drawn["feat"][:, 5]).abs().median() < 0.1
    assert np.max(sizes) <= 120
    assert np.min(sizes) > 15 and np.median(sizes) > 50  # not cut down more than it takes


@pytest.mark.parametrize("limit", [2, 5])
def test_the_smallest_limits_hold_and_empty_no_scene(root, limit):
    settings = {"structure_removal": None, "num_views": 1, **STRONG}
    rooms = dataset(root, max_voxels=limit, mix3d_prob=1.0, **settings)
    for epoch in range(10):
        drawn = sample(rooms, "Area_1-office_1", epoch)
        first, last = drawn["teacher_offset"].tolist()
        assert 1 <= first < last <= limit and 1 <= len(drawn["coord"]) <= limit
    with pytest.raises(ValueError, match="max_voxels is 1;"):
        dataset(root, max_voxels=1)


def test_parts_and_views_are_cut_down_alike():
    rng = np.random.default_rng(0)
    parts, teacher, student = ([], [], [])
    for size in (400, 100):
        coord = rng.uniform(0, 4, (size, 3)).astype(np.float32)
        number = np.arange(size)
        cloud = {"coord": coord, "color": number, "normal": number}
        parts.append({**cloud, "region": number, "segment": number})
        teacher.append(cloud | {"coord": coord + 1})
        student.append(cloud | {"coord": coord * 1.5})
    cut_down(parts, teacher, student, [Grid(0.01)] * 2, 300, rng)  # every point has its own voxel
    assert [len(part["coord"]) for part in parts] == [200, 100]  # the larger part alone
    for part, before, after in zip(parts, teacher, student, strict=True):
        assert (part["segment"] == part["region"]).all()
        assert (part["color"] == before["color"]).all() and (part["color"] == after["color"]).all()
        np.testing.assert_allclose(before["coord"], part["coord"] + 1)
        np.testing.assert_allclose(after["coord"], part["coord"] * 1.5)


@pytest.mark.parametrize("grid_shift", [0, 100])
@pytest.mark.parametrize("mix3d", [0.0, 1.0])
def test_large_rooms_are_cut_down_for_training_only(root, mix3d, grid_shift):
    settings = {"structure_removal": None, "mix3d_prob": mix3d, "grid_shift": grid_shift}
    whole = sample(dataset(root, **settings), "Area_1-office_1")
    rooms = dataset(root, max_voxels=120, **settings)
    cut = sample(rooms, "Area_1-office_1")
    assert len(whole["coord"]) > 240 > 120 >= len(cut["coord"])
    # Nothing but points goes, and links end at those that are left.
    assert (cut["point_tags"] == whole["point_tags"]).all()
    assert cut["image"].shape == whole["image"].shape
    assert ((cut["link_point"] >= 0) & (cut["link_point"] < len(cut["coord"]))).all()
    assert cut["teacher_row"].max() < len(cut["teacher_coord"]) <= 120
    with_limit = dataset(root, max_voxels=120, mode="eval")[1]
    assert len(with_limit["coord"]) == len(dataset(root, mode="eval")[1]["coord"])


# ------------------------------------------------------------------------ rooms without images


def test_a_room_without_images_gives_no_view(root):
    scene = root / "Area_1" / WITHOUT
    views = read_views(scene)
    assert len(views) == 0 and views.size.shape == (0, 2) and views.intrinsic.shape == (0, 3, 3)
    drawn = sample(dataset(root), WITHOUT)
    empty = {"image": (0, 3), "teacher_image": (0, 3), "image_region": (0,), "view_size": (0, 2)}
    empty |= {"view_tags": (0, C), "view_tagged": (0,), "link_view": (0,), "link_point": (0,)}
    assert {key: tuple(drawn[key].shape) for key in empty} == empty
    assert drawn["view_offset"].tolist() == drawn["link_offset"].tolist() == [0]
    assert drawn["point_tags"].sum() > 0 and len(drawn["coord"]) > 100
    whole = dataset(root, mode="eval")[0]
    assert whole["name"] == WITHOUT and whole["image_segment"].shape == (0,)


@pytest.mark.parametrize("mix3d", [0.0, 1.0])
def test_every_sample_has_the_same_keys_and_types(root, mix3d):
    rooms = dataset(root, mix3d_prob=mix3d)
    samples = [sample(rooms, scene.name) for scene in rooms.scenes]
    kinds = [
        {k: (v.dtype, v.ndim) if torch.is_tensor(v) else str for k, v in s.items()} for s in samples
    ]
    assert kinds[0] == kinds[1] == kinds[2]


def losses_and_gradients(names, rooms, model):
    result = model(collate_fn([sample(rooms, name, i) for i, name in enumerate(names)]))
    assert all(torch.isfinite(value).all() for value in result.values()), result
    result["loss"].backward()
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)
    return result


def statistics(model):
    return {k: v.clone() for k, v in model.state_dict().items() if "running" in k}


def test_a_batch_with_such_a_room_trains_2d_on_the_others(root):
    rooms = dataset(root, structure_removal=None)
    pair, alone = make_model(), make_model()
    both = losses_and_gradients([WITHOUT, "Area_2-office_1"], rooms, pair)
    with torch.no_grad():
        one = alone(collate_fn([sample(rooms, "Area_2-office_1", 1)]))
    assert both["cam_2d"] == pytest.approx(one["cam_2d"].item(), rel=1e-4)
    assert both["rpc_2d"] == pytest.approx(one["rpc_2d"].item(), rel=1e-4)
    assert both["cam_3d"] != pytest.approx(one["cam_3d"].item(), rel=1e-6)


def test_a_batch_of_such_rooms_alone_leaves_the_2d_as_it_is(root):
    model = make_model()
    before = statistics(model)
    assert before
    result = losses_and_gradients([WITHOUT, WITHOUT], dataset(root), model)
    assert result["cam_2d"] == result["rpc_2d"] == result["guidance_2d"] == 0
    assert result["cam_3d"] > 0
    encoder = [p.grad for p in model.student.image_encoder.parameters()]
    assert encoder and all((grad == 0).all() for grad in encoder)
    after = statistics(model)
    assert all(torch.equal(before[key], after[key]) for key in before if "image" in key)


def test_evaluation_of_such_a_room(root):
    from pointcept_wsegpc.hooks.evaluator import labelings

    batch = collate_fn([dataset(root, mode="eval")[0]])
    model = make_model().eval()
    with torch.no_grad():
        result = model(batch)
    pairs = labelings(batch, result)
    assert result["image_logits"].shape == (0, C)
    assert len(pairs["3D"][1]) == len(batch["origin_segment"]) and pairs["2D"][1].size == 0


# --------------------------------------------------------------------------- the whole pipeline


@pytest.mark.slow
def test_two_steps_export_and_stage_two(root, tmp_path):
    """Stage one on Areas 1 and 2 from tags, its labels, stage two on them, tested on Area 5."""
    short = {"data.train.split": str(TRAIN).replace(" ", ""), "epoch": 1, "eval_epoch": 1}
    short["sync_bn"] = False
    one = options(root, tmp_path / "one", **STAGE_ONE_SETTINGS, **short)
    one |= {f"data.{part}.grid_size": 0.15 for part in ("train", "val")}
    for segment in root.glob("Area_[12]/*/segment.npy"):
        segment.rename(segment.with_name("hidden"))  # the tags are all there is
    try:
        train(CONFIGS / "s3dis/wsegpc-cmg.py", {**one, "model.image_encoder.weights": "none"})
    finally:
        for hidden in root.glob("Area_[12]/*/hidden"):
            hidden.rename(hidden.with_name("segment.npy"))
    store = tmp_path / "one/pseudo_labels"
    labels = LabelStore.load(store)
    labels.check(S3DIS.names)
    assert len(labels.manifest["scenes"]) == 3
    for scene in scene_dirs(root, TRAIN):
        label = labels.read(scene.name, len(np.load(scene / "coord.npy")))["label"]
        tags = read_scene_tags(root / "scene_tags.json")[scene.name]
        assert {S3DIS.names[i] for i in np.unique(label)} <= set(tags)
    short["data.train.store"] = store
    two = options(root, tmp_path / "two", **STAGE_TWO_SETTINGS, **short)
    assert "mIoU/mAcc/allAcc" in train(CONFIGS / "s3dis/stage2-minkunet18c.py", two)


# ---------------------------------------------------------------------------------------- configs

OF_S3DIS = [name for name in (*STAGE_ONE, *STAGE_TWO) if name.startswith("s3dis/")]
FOLDED = ("wsegpc-cmg", "wsegpc-cmg-rpc", "stage2-minkunet18c")


def load(name):
    return Config.fromfile(str(CONFIGS / name))


def check_areas(cfg, held_out, store):
    """One area is held out, the others train, and stage two takes the labels of its own fold."""
    assert cfg.data.val.pop("split") == held_out
    assert sorted([*cfg.data.train.pop("split"), held_out]) == [f"Area_{i}" for i in range(1, 7)]
    if "test" in cfg.data:
        # Pointcept's six-fold tool reads what is written under this type, by this split.
        assert cfg.data.test.type == "S3DISDataset" and cfg.data.test.pop("split") == held_out
        assert cfg.data.train.pop("store") == f"exp/wsegpc/s3dis/{store}/pseudo_labels"


@pytest.mark.parametrize("stem", FOLDED)
def test_folds_differ_in_their_areas_alone(stem):
    there = {path.stem for path in (CONFIGS / "s3dis").glob(f"{stem}-area*.py")}
    assert there == {f"{stem}-area{area}" for area in (1, 2, 3, 4, 6)}
    base = load(f"s3dis/{stem}.py")
    check_areas(base, "Area_5", "wsegpc-cmg-rpc")
    for area in (1, 2, 3, 4, 6):
        fold = load(f"s3dis/{stem}-area{area}.py")
        check_areas(fold, f"Area_{area}", f"wsegpc-cmg-rpc-area{area}")
        assert dict(fold.items()) == dict(base.items())


@pytest.mark.parametrize("name", OF_S3DIS)
def test_the_data_sets_of_a_config_build(name, root, store):
    cfg = load(name)
    if name in STAGE_ONE:
        drawn = build_dataset({**cfg.data.train, "data_root": str(root)})[1]
        assert drawn["image"].shape == (6 * 36 * 48, 3) and drawn["point_tags"].shape == (1, C)
    else:
        changes = {"data_root": str(root), "split": TRAIN, "store": str(store)}
        drawn = build_dataset({**cfg.data.train, **changes})[0]
        assert len(drawn["segment"]) == len(drawn["feat"])
        assert set(drawn["segment"].tolist()) == {7}
    tested = build_dataset({**cfg.data.val, "data_root": str(root)})[0]
    assert int(tested["origin_segment"].max()) < C


@pytest.fixture(scope="module")
def store(root, tmp_path_factory):
    """Pseudo-labels of the training rooms: all tables."""
    labels = {
        scene.name: np.full(len(np.load(scene / "coord.npy")), 7)
        for scene in scene_dirs(root, TRAIN)
    }
    return write_store(tmp_path_factory.mktemp("store"), labels, S3DIS.names).path


def test_paper_settings():
    cmg, rpc = load("s3dis/wsegpc-cmg.py"), load("s3dis/wsegpc-cmg-rpc.py")
    two = load("s3dis/stage2-minkunet18c.py")
    assert (cmg.eval_epoch, cmg.epoch // cmg.eval_epoch) == (50, 16)
    assert (rpc.eval_epoch, rpc.epoch // rpc.eval_epoch) == (25, 16)
    assert cmg.epoch + rpc.epoch == 1200  # what the paper counts
    assert (two.eval_epoch, two.epoch // two.eval_epoch, two.batch_size) == (50, 16, 4)
    assert (S3DISSettings().size, S3DISSettings().depth_tolerance) == ((256, 256), 0.05)
    for cfg in (cmg, rpc):
        train = cfg.data.train
        assert (train.max_voxels, train.depth_tolerance, train.grid_size) == (200000, 0.05, 0.04)
        assert train.structure_removal == {"ground": 0.5, "wall": 0.5, "ceiling": 0.5}
        assert (cfg.batch_size, train.num_views) == (4, 6)
    crop = [t for t in two.data.train.transform if t.type == "SphereCrop"]
    assert [t.point_max for t in crop] == [200000]
    shared = copy.deepcopy(two.data.train.transform)
    shared.remove(crop[0])
    assert shared == load("scannet/stage2-minkunet18c.py").data.train.transform


# ---------------------------------------------------------------------------------- on Pointcept

# Pointcept's tester on an untrained, slim network; its six-fold tool on what the tester writes.
SIX_FOLD = """
set -e
python() { "$PYTHON" -m pointcept_wsegpc.cpu "$@"; }
python -c '
import torch
from pathlib import Path
from pointcept.models.builder import build_model
from pointcept.utils.config import Config
cfg = Config.fromfile("configs/wsegpc/s3dis/stage2-minkunet18c.py")
cfg.model.backbone.planes = (8, 8, 8, 8, 8, 8, 8, 8)
Path("exp/model").mkdir(parents=True)
cfg.dump("exp/config.py")
state = build_model(cfg.model).state_dict()
torch.save(dict(state_dict=state, epoch=1), "exp/model/model_best.pth")
'
python tools/test.py --config-file exp/config.py --num-gpus 1 --options save_path=exp \
    weight=exp/model/model_best.pth data.test.data_root=data/prepared
mkdir records
for area in 1 2 3 4 5 6; do cp exp/result/Area_5.pth records/Area_$area.pth; done
"""


@pytest.mark.slow
def test_on_pointcept(real_pointcept, root, store, tmp_path):  # noqa: F811
    """Every config resolves there, stage two gets its batches, and the six-fold tool its files."""
    checkout = link_checkout(tmp_path, real_pointcept, root)
    (checkout / "data/store").symlink_to(store)
    names = [n for n in (*OF_S3DIS, *BACKBONES) if n.startswith("s3dis/")]
    found = json.loads(run_in(checkout, "-c", RESOLVE, *names).strip().splitlines()[-1])
    assert set(found) == set(names) and len(names) == 8
    for name, resolved in found.items():
        assert resolved["missing"] == [] and resolved["wandb"] is False
        if "stage2" not in name:
            assert resolved["train"] == resolved["val"] == "WSegPCMultiViewDataset"
            continue
        assert resolved["train"] == "WSegPCPseudoLabelDataset"
        assert resolved["val"] == "S3DISDataset" and resolved["fragments"] > 0
        points, channels = resolved["train_batch"]["feat"]
        assert channels == resolved["in_channels"]
        assert resolved["train_batch"]["segment"] == [points]


@pytest.mark.slow
def test_the_tester_of_pointcept_writes_what_its_six_fold_tool_reads(
    real_pointcept,  # noqa: F811
    root,
    tmp_path,
):
    checkout = link_checkout(tmp_path, real_pointcept, root)
    run_in(checkout, "-c", SIX_FOLD, program="bash")
    assert len(list((checkout / "exp/result").glob("Area_5-*_pred.npy"))) == 2
    # The tool asks for nothing but loads numbers that torch 2.6 and later want to be told of.
    run_in(
        checkout, "-c",
        "import functools, runpy, sys, torch; "
        "torch.load = functools.partial(torch.load, weights_only=False); "
        "from pointcept_wsegpc import cpu; cpu.patch(); "
        "sys.argv = ['six-fold', '--record_root', 'records']; "
        "runpy.run_path('tools/test_s3dis_6fold.py', run_name='__main__')",
    )  # fmt: skip
    log = (checkout / "records/6-fold.log").read_text()
    assert log.count("Val result: mIoU/mAcc/allAcc") == 7 and "Class_12 - clutter" in log
