"""Every config: it parses, its parts exist and take its arguments, its numbers are the paper's."""

import ast
import contextlib
import functools
import importlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from pointcept.datasets import build_dataset
from pointcept.engines.defaults import default_config_parser
from pointcept.engines.hooks import build_hooks
from pointcept.models.builder import build_model
from pointcept.utils.config import Config
from stores import write_store

from pointcept_wsegpc import register
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import scene_dirs

S3DIS = ClassTable.shipped("s3dis")
SCANNET20 = ClassTable.shipped("scannet20")

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = REPOSITORY / "configs"
# The folds of S3DIS are their bases but for the areas: see test_s3dis_training.py.
ALL = sorted(
    p.relative_to(CONFIGS).as_posix()
    for p in CONFIGS.glob("*/*.py")
    # Own scans: test_folder_training.py; folds of S3DIS: test_s3dis_training.py.
    if p.parent.name not in ("_base_", "scans") and "-area" not in p.stem
)
# Their bases are Pointcept's own; each with the backbone that it trains.
BACKBONES = {
    "s3dis/stage2-ptv3.py": "PT-v3m1",
    "s3dis/stage2-spunet.py": "SpUNet-v1m1",
    "scannet/stage2-octformer.py": "OctFormer-v1m1",
    "scannet/stage2-ptv2.py": "PT-v2m2",
    "scannet/stage2-ptv3.py": "PT-v3m1",
    "scannet/stage2-spunet.py": "SpUNet-v1m1",
}
ON_POINTCEPT = list(BACKBONES)
HERE = [name for name in ALL if name not in ON_POINTCEPT]
# test_s3dis_training.py gives those of S3DIS their data.
SCANNET = [name for name in ALL if not name.startswith("s3dis/")]
STAGE_ONE = [name for name in HERE if "stage2" not in name]
STAGE_TWO = [name for name in HERE if "stage2" in name]


def load(name):
    return Config.fromfile(str(CONFIGS / name))


@pytest.mark.parametrize("name", HERE)
def test_parses_as_a_training_does(name, tmp_path):
    cfg = default_config_parser(str(CONFIGS / name), {"save_path": str(tmp_path)})
    assert cfg.epoch % cfg.eval_epoch == 0
    assert cfg.data.train.loop == cfg.epoch // cfg.eval_epoch
    assert cfg.enable_wandb is False and cfg.num_worker > 0
    assert cfg.custom_imports.imports == ["pointcept_wsegpc.register"]
    names = SCANNET20.names if name in SCANNET else S3DIS.names
    assert tuple(cfg.data.names) == names and cfg.data.num_classes == len(names)
    assert Config.fromfile(str(tmp_path / "config.py")).model == cfg.model


@pytest.mark.parametrize("name", HERE)
def test_model_builds_or_its_network_of_pointcept_is_named(name):
    cfg, of_pointcept = load(name), name.endswith(("-spunet.py", "-ptv3.py"))
    if "image_encoder" in cfg.model:
        cfg.model.image_encoder.weights = "none"
    missing = pytest.raises(NotImplementedError, match=f"{cfg.model.backbone.type}.*install Point")
    with torch.device("meta"), missing if of_pointcept else contextlib.nullcontext():
        model = build_model(cfg.model)
        assert any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("name", HERE)
def test_hooks_build(name):
    hooks = [type(hook).__name__ for hook in build_hooks(load(name).hooks)]
    # What the loader unpickles is checked before; what follows relies on loaded weights and epoch.
    assert hooks[:2] == ["WSegPCGuard", "CheckpointLoader"]
    assert "WSegPCReproducibleSampling" in hooks and "CheckpointSaver" in hooks
    if name in STAGE_ONE:
        # A best checkpoint needs the metric of its own epoch; labels come last, from the end.
        order = ["WSegPCSceneTags", "WSegPCEMATeacher", "WSegPCEvaluator", "CheckpointSaver"]
        assert [h for h in hooks if h in order] == order and hooks[
            -1
        ] == "WSegPCPseudoLabelExporter"


@pytest.mark.parametrize("name", [n for n in STAGE_ONE if n in SCANNET])
def test_stage_one_data_sets_build_and_give_samples(name, prepared_root):
    cfg = load(name)
    for part in ("train", "val"):
        settings = dict(cfg.data[part], data_root=str(prepared_root))
        sample = build_dataset(settings)[0]
        assert len(sample["view_size"]) == settings["num_views"]
        assert ("segment" in sample) == (part == "val" or name.endswith("supervised.py"))


@pytest.mark.parametrize("name", [n for n in STAGE_TWO if n in SCANNET])
def test_stage_two_validation_builds_and_gives_samples(name, prepared_root):
    settings = dict(load(name).data.val, data_root=str(prepared_root))
    sample = build_dataset(settings)[0]
    assert sample["feat"].shape[1] == 6 and len(sample["inverse"]) == len(sample["origin_segment"])


def leaves(tree, prefix=()):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


# ------------------------------------------------------------------------ the paper's settings


def paper(name):
    """Every value of a config by its path, with those of the model that the config leaves out."""
    cfg = load(name)
    model = inspect.signature(register.wsegpc.WSegPC).bind(
        **{k: v for k, v in cfg.model.items() if k != "type"}
    )
    model.apply_defaults()
    tree = {**cfg.to_dict(), "model": {**cfg.model.to_dict(), **model.arguments}}
    tree["passes"] = cfg.epoch // cfg.eval_epoch
    return {".".join(key): value for key, value in leaves(tree)}


TURN = {"type": "RandomRotate", "axis": "z", "center": [0, 0, 0], "p": 0.5}  # angles in units of pi
PAPER = {  # by config, each with what it has besides what the one before it has
    "wsegpc-cam": {
        "batch_size": 4, "eval_epoch": 50, "passes": 4, "mix_prob": 0,
        "optimizer.type": "SGD", "optimizer.lr": 0.1, "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 1e-4, "scheduler.type": "PolyLR", "scheduler.power": 0.9,
        "model.backbone.type": "WSegPCMinkUNet", "model.backbone.arch": "18A",
        "model.image_encoder.name": "resnet50.tv_in1k", "model.image_encoder.weights": "imagenet",
        "model.guidance_3d": "none", "model.guidance_2d": "none", "model.rpc_3d_weight": 0,
        "model.rpc_2d_weight": 0, "model.cam_3d_weight": 1, "model.cam_2d_weight": 1,
        **{f"data.{part}.{key}": value for part in ("train", "val") for key, value in
           {"num_views": 6, "grid_size": 0.04, "depth_tolerance": 0.04}.items()},
        "data.train.structure_removal.ground": 0.5, "data.train.structure_removal.wall": 0.5,
        "data.train.mix3d_prob": 0, "data.train.grid_shift": 100,
        "model.cam_warmup_iters": 2400, "model.point_head_init": "kaiming",
        "data.train.teacher_augmentation": [
            {"type": "RandomFlip", "p": 0.5}, {**TURN, "angle": [-1 / 36, 1 / 36]},
        ],
        "data.train.student_augmentation": [
            {"type": "RandomFlip", "p": 0.5}, {**TURN, "angle": [-1 / 6, 1 / 6]},
            {"type": "RandomScale", "scale": [0.8, 1.2]},
            {"type": "RandomJitter", "sigma": 0.005, "clip": 0.02},
        ],
        "data.train.color_augmentation": [
            {"type": "ChromaticAutoContrast", "p": 0.2},
            {"type": "ChromaticTranslation", "p": 0.95, "ratio": 0.1},
            {"type": "ChromaticJitter", "p": 0.95, "std": 0.05},
            {"type": "WSegPCHueSaturation", "hue_max": 0.5, "saturation_max": 0.2},
        ],
        "data.train.student_image_jitter": (0.3, 0.3, 0.3, 0.1),
        "data.train.teacher_image_jitter": (0.15, 0.15, 0.15, 0.05),
    },
    "wsegpc-cmg": {
        "model.guidance_3d": "contrastive", "model.guidance_2d": "contrastive",
        "model.guidance_3d_weight": 0.05, "model.guidance_2d_weight": 0.05,
        "model.guidance_temperature": 0.07, "model.guidance_warmup_iters": 2400,
        "model.max_pairs": 512, "model.max_pairs_per_view": 512, "model.min_pairs_per_view": 64,
    },
    "wsegpc-cmg-rpc": {
        "eval_epoch": 25, "optimizer.lr": 0.05, "model.guidance_warmup_iters": 1,
        "model.cam_warmup_iters": 1,
        "model.rpc_3d_weight": 1, "model.rpc_2d_weight": 1, "model.rpc_warmup_iters": 2400,
        "model.rpc_threshold": 0.8, "model.rpc_adaptive": True,
    },
}  # fmt: skip


class TestPaper:
    def test_values(self):
        expected = {}
        for name, values in PAPER.items():
            expected |= values
            found = paper(f"scannet/{name}.py")
            assert {key: found.get(key) for key in expected} == expected
        ema = next(h for h in load("scannet/wsegpc-cmg-rpc.py").hooks if h.type.endswith("Teacher"))
        assert ema.decay == 0.999

    def test_defaults_are_the_papers_too(self):
        given = {"num_classes": 20, "backbone": {}}
        arguments = inspect.signature(register.wsegpc.WSegPC).bind(**given)
        arguments.apply_defaults()
        defaults = {f"model.{key}": value for key, value in arguments.arguments.items()}
        written = PAPER["wsegpc-cmg"] | PAPER["wsegpc-cmg-rpc"]
        different = {
            key for key in written.keys() & defaults.keys() if written[key] != defaults[key]
        }
        # The second part of the training has its tag losses and its guidance at full weight from
        # the start.
        assert different == {"model.guidance_warmup_iters"}
        assert defaults["model.guidance_warmup_iters"] == 2400

    def test_full_supervision_is_the_same_but_for_its_loss(self):
        full, cam = (paper(f"scannet/{name}.py") for name in ("supervised", "wsegpc-cam"))
        assert {key for key in full.keys() | cam.keys() if full.get(key) != cam.get(key)} == {
            "model.supervised_weight",
            "model.cam_3d_weight",
            "data.train.with_labels",
            "data.train.structure_removal.ground",
            "data.train.structure_removal.wall",
        }
        assert full["model.supervised_weight"] == 1 and full["model.cam_3d_weight"] == 0

    @pytest.mark.parametrize("part", ["cmg", "cmg-rpc"])
    @pytest.mark.parametrize("network", ["spunet", "ptv3"])
    def test_backbones_of_pointcept_change_the_backbone_only(self, network, part):
        cfg, other = (load(f"scannet/wsegpc-{name}.py") for name in (part, f"{part}-{network}"))
        same = {k: v for k, v in cfg.model.items() if k != "backbone"}
        changed = {k: v for k, v in other.model.items() if same.get(k, "absent") != v}
        assert set(changed) == {"backbone", "backbone_out_channels"}
        assert other.data == cfg.data and other.epoch == cfg.epoch

    @pytest.mark.parametrize("arch", ["18A", "18C"])
    def test_stage_two(self, arch):
        cfg = load(f"scannet/stage2-minkunet{arch.lower()}.py")
        assert cfg.model.backbone.arch == arch
        assert cfg.batch_size == 8 and cfg.optimizer.lr == 0.1
        assert (cfg.eval_epoch, cfg.epoch // cfg.eval_epoch) == (50, 4)
        assert cfg.model.backbone.classifier_init == "kaiming"
        assert cfg.data.train.structure_removal == {"ground": 0.5, "wall": 0.5}
        types = [t.type for t in cfg.data.train.transform]
        transforms = {t.type: t for t in cfg.data.train.transform}
        turns = [t.angle for t in cfg.data.train.transform if t.type == "RandomRotate"]
        assert turns == [[-1 / 36, 1 / 36], [-1, 1]]  # the teacher's, then its own
        color = ["ChromaticAutoContrast", "ChromaticTranslation", "ChromaticJitter"]
        color.append("WSegPCHueSaturation")
        assert types.count("RandomFlip") == 2 and [t for t in types if t in color] == 2 * color
        assert transforms["GridSample"].grid_size == 0.04
        assert cfg.data.val.type == cfg.data.test.type == "ScanNetDataset"
        # The stages fit together.
        store = cfg.data.train.store
        assert store == "exp/wsegpc/scannet/wsegpc-cmg-rpc/pseudo_labels"
        assert (CONFIGS / "scannet" / f"{Path(store).parent.name}.py").is_file()


# -------------------------------------------------------------------- options that nothing reads


def registered_classes():
    """Every class of ours that a config names, and what their arguments are handed to."""
    from pointcept_wsegpc.losses.consistency import AdaptiveThreshold
    from pointcept_wsegpc.models.branches import TwoBranchNet
    from pointcept_wsegpc.models.image_encoder import ImageEncoder

    classes = [AdaptiveThreshold, TwoBranchNet, ImageEncoder]
    for module in register.REGISTERED:
        defined = vars(importlib.import_module(module.__name__)).values()
        classes += [c for c in defined if inspect.isclass(c) and c.__module__ == module.__name__]
    return [c for c in classes if "__init__" in vars(c)]


@functools.cache
def attributes_read():
    """Names x of all `something.x` that the package reads anywhere."""
    found = set()
    for path in (REPOSITORY / "pointcept_wsegpc").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.add(node.attr)
    return found


@pytest.mark.parametrize("cls", registered_classes(), ids=lambda c: c.__name__)
def test_every_argument_is_read(cls):
    init = ast.parse(textwrap.dedent(inspect.getsource(cls.__init__))).body[0]
    arguments = {a.arg for a in (*init.args.args, *init.args.kwonlyargs)} - {"self"}
    names = {n.id for n in ast.walk(init) if isinstance(n, ast.Name)}
    assert arguments <= names
    stored = {
        n.attr
        for n in ast.walk(init)
        if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
    }
    assert stored - attributes_read() == set()


@pytest.mark.parametrize("name", HERE)
def test_top_level_keys_are_read(name):
    """By the stand-in, by us, or by what Pointcept's launcher, trainer and tester ask for."""
    pointcept_only = {
        "custom_imports",  # by Config.fromfile
        "sync_bn", "empty_cache", "empty_cache_per_epoch", "find_unused_parameters",
        "wandb_project", "wandb_key", "batch_size_test", "test_only", "test",
    }  # fmt: skip
    helpers = {"data_root", "grid_size", "folds"}  # what the config itself is written with
    assert set(load(name)) - attributes_read() - pointcept_only - helpers == set()


# ------------------------------------------------------------------------------- on Pointcept

RESOLVE = """
import json, sys
from pathlib import Path
import torch
from pointcept_wsegpc import cpu, host

assert not host.ensure_pointcept().is_standin
if not torch.cuda.is_available():
    cpu.patch()
import pointcept_wsegpc.register
import pointcept.models, pointcept.datasets, pointcept.engines.test
from pointcept.datasets import build_dataset
from pointcept.datasets.builder import DATASETS
from pointcept.datasets.transform import TRANSFORMS
from pointcept.datasets.utils import point_collate_fn
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.train import TRAINERS
from pointcept.engines.test import TESTERS
from pointcept.models.builder import MODELS, build_model
from pointcept.models.losses.builder import LOSSES
from pointcept.utils.config import Config
from pointcept.utils.optimizer import OPTIMIZERS
from pointcept.utils.scheduler import SCHEDULERS

REGISTRIES = [DATASETS, TRANSFORMS, HOOKS, TRAINERS, TESTERS, MODELS, LOSSES]
REGISTRIES += [OPTIMIZERS, SCHEDULERS]

def types(node):
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node["type"]
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from types(value)

def missing(cfg):
    return sorted({t for t in types(cfg) if not any(r.get(t) for r in REGISTRIES)})

def first_batch(data, **changes):
    # Shapes of what the network would get of two scenes.
    dataset = build_dataset(dict(data, data_root="data/prepared", **changes))
    batch = point_collate_fn([dataset[0], dataset[1 % len(dataset)]])
    return {key: list(value.shape) for key, value in batch.items() if hasattr(value, "shape")}

def built(cfg):
    # Parameters of the model, or which package it needs that is not installed.
    try:
        return sum(p.numel() for p in build_model(cfg.model).parameters())
    except (ImportError, NameError, TypeError, AssertionError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"

found = {}
for name in sys.argv[1:]:
    cfg = Config.fromfile(f"configs/wsegpc/{name}")
    found[name] = dict(missing=missing(cfg.to_dict() if hasattr(cfg, "to_dict") else cfg._cfg_dict),
        train=cfg.data.train.type, val=cfg.data.val.type, store=cfg.data.train.get("store"),
        transforms=len(cfg.data.train.get("transform", [])), wandb=cfg.enable_wandb,
        model=cfg.model.type, backbone=cfg.model.backbone.type)
    if "stage2" in name:
        tested = build_dataset(dict(cfg.data.test, data_root="data/prepared"))
        found[name].update(built=built(cfg), in_channels=cfg.model.backbone.in_channels,
            train_batch=first_batch(cfg.data.train, store="data/store"),
            val_batch=first_batch(cfg.data.val), fragments=len(tested[0]["fragment_list"]))
    if "octformer" in name:
        base = Config.fromfile("configs/scannet/semseg-octformer-v1m1-0-base.py").data
        found[name]["transform"] = {
            part: [cfg.data[part].transform, base[part].transform] for part in ("train", "val")
        }
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def real_pointcept():
    root = os.environ.get("POINTCEPT_ROOT")
    if not root:
        pytest.skip("no Pointcept here: set POINTCEPT_ROOT to a checkout to run this")
    return Path(root)


@pytest.fixture(scope="module")
def checkout(real_pointcept, prepared_root, tmp_path_factory):
    """A checkout that is linked together as the README says, with two small data sets."""
    root = link_checkout(tmp_path_factory.mktemp("checkout"), real_pointcept, prepared_root)
    labels = {
        scene.name: np.arange(len(np.load(scene / "coord.npy"))) % 20
        for scene in scene_dirs(prepared_root, "train")
    }
    write_store(root / "data/store", labels)
    return root


def link_checkout(root, real_pointcept, prepared_root):
    """Links of Pointcept, of our configs and of a data set, under the folder `root`; returns it."""
    (root / "configs").mkdir()
    for folder in (real_pointcept / "configs").iterdir():
        (root / "configs" / folder.name).symlink_to(folder)
    (root / "configs/wsegpc").symlink_to(CONFIGS)
    for name in ("pointcept", "tools"):
        (root / name).symlink_to(real_pointcept / name)
    (root / "data").mkdir()
    (root / "data/prepared").symlink_to(prepared_root)
    return root


# The lines of README.md, without a GPU and with another data set.
SUBMIT = """
set -e
python() { "$PYTHON" -m pointcept_wsegpc.cpu "$@"; }
E=exp/wsegpc/quickstart/stage2
python -c '
import sys, torch
from pathlib import Path
from pointcept.models.builder import build_model
from pointcept.utils.config import Config
cfg = Config.fromfile("configs/wsegpc/quickstart/stage2-minkunet.py")
Path(sys.argv[1], "model").mkdir(parents=True)
cfg.dump(sys.argv[1] + "/config.py")
state = build_model(cfg.model).state_dict()
torch.save(dict(state_dict=state, epoch=1), sys.argv[1] + "/model/model_best.pth")
' $E
python tools/test.py --config-file $E/config.py --num-gpus 1 --options data.test.split=test \
    save_path=$E-submit weight=$E/model/model_best.pth data.test.data_root=data/unseen
"""


@pytest.mark.slow
def test_submission(checkout, prepared_root):
    """Pointcept's tester writes one file per test scene, a line with a NYU40 id per point."""
    scene = next(iter(scene_dirs(prepared_root, "val")))
    unseen = checkout / "data/unseen/test/scene0707_00"
    unseen.mkdir(parents=True)
    for name in ("coord", "color", "normal"):  # test scenes have no labels, tags or regions
        shutil.copy(scene / f"{name}.npy", unseen)
    run_in(checkout, "-c", SUBMIT, program="bash")
    folder = checkout / "exp/wsegpc/quickstart/stage2-submit/result/submit"
    assert [path.name for path in folder.iterdir()] == ["scene0707_00.txt"]
    lines = (folder / "scene0707_00.txt").read_text().split("\n")[:-1]
    assert len(lines) == len(np.load(unseen / "coord.npy"))
    ids = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39}
    assert {int(line) for line in lines} <= ids


def run_in(checkout, *arguments, program=sys.executable):
    """Run this Python, or a program that calls it, in the checkout, which is first on its path."""
    path = os.pathsep.join([str(checkout), str(REPOSITORY)])
    result = subprocess.run(
        [program, *map(str, arguments)],
        cwd=checkout,
        env={**os.environ, "PYTHON": sys.executable, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-1000:] + result.stderr[-3000:]
    return result.stdout


@pytest.fixture(scope="module")
def resolved(checkout):
    """What Pointcept makes of every config."""
    return json.loads(run_in(checkout, "-c", RESOLVE, *SCANNET).strip().splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", SCANNET)
def test_resolves_on_pointcept(resolved, name):
    found = resolved[name]
    assert found["missing"] == [] and found["wandb"] is False
    if "stage2" not in name:
        return
    assert found["train"] == "WSegPCPseudoLabelDataset" and found["val"] == "ScanNetDataset"
    assert found["store"].endswith("wsegpc-cmg-rpc/pseudo_labels")
    assert found["transforms"] > 5  # the recipe of the base is still there
    assert found["backbone"] == BACKBONES.get(name, found["backbone"])
    # What is not built here needs a package that needs CUDA.
    assert isinstance(found["built"], str) or found["built"] > 1e6
    for batch in (found["train_batch"], found["val_batch"]):
        points, channels = batch["feat"]
        assert channels == found["in_channels"]
        assert batch["segment"] == [points] and batch["coord"] == [points, 3]
        assert batch["offset"] == [2]
    assert "origin_segment" in found["val_batch"] and found["fragments"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("part", ["train", "val"])
def test_octformer_keeps_the_recipe_of_pointcept(resolved, part):
    ours, theirs = resolved["scannet/stage2-octformer.py"]["transform"][part]
    assert {"type": "WSegPCProjectDisplacement"} in ours
    ours = [t for t in ours if t["type"] != "WSegPCProjectDisplacement"]
    sample = next(t for t in ours if t["type"] == "GridSample")
    assert ours.index(sample) == [t["type"] for t in theirs].index("GridSample")
    sample["project_displacement"] = True  # what the transform after it does instead
    assert ours == theirs


@pytest.mark.parametrize("folder", ["quickstart", "synthrooms"])
def test_synthetic_data_keep_what_their_results_were_made_with(folder):
    for name in ("cam", "cmg", "cmg-rpc"):
        cfg = load(f"{folder}/wsegpc-{name}.py")
        assert cfg.model.point_head_init == "uniform" and cfg.model.cam_warmup_iters == 1
        assert cfg.data.train.grid_shift == 0
    cfg = load(f"{folder}/stage2-minkunet.py")
    assert cfg.model.backbone.classifier_init == "uniform"
    assert not cfg.data.train.structure_removal
    assert sum(t.type == "RandomRotate" for t in cfg.data.train.transform) == 1


def test_the_parts_of_stage_one_draw_different_samples():
    for folder in ("s3dis", "scannet", "quickstart", "synthrooms"):
        first, second = (load(f"{folder}/{name}.py") for name in ("wsegpc-cmg", "wsegpc-cmg-rpc"))
        assert first.seed != second.seed
