"""The hooks, each on a toy trainer.

N points, V views of H x W pixels, C classes.
"""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import reference
import small
import torch
from errors import assert_error
from pointcept.datasets import build_dataset, collate_fn
from pointcept.engines.hooks.builder import HOOKS
from pointcept.models.builder import build_model
from pointcept.utils.config import Config

from pointcept_wsegpc.contracts.classes import IGNORE, ClassTable
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.tags import TAGS_FILE, read_scene_tags
from pointcept_wsegpc.files import read_json, write_json
from pointcept_wsegpc.hooks import pseudo_labels
from pointcept_wsegpc.hooks.common import check_finite
from pointcept_wsegpc.hooks.pseudo_labels import export_pseudo_labels
from pointcept_wsegpc.hooks.scene_tags import tag_statistics
from pointcept_wsegpc.metrics import confusion_with_misses, mean_iou

SCANNET20 = ClassTable.shipped("scannet20")

NUM_CLASSES = len(SCANNET20.names)


class Lines(list):
    """A logger that keeps its lines."""

    def info(self, line):
        self.append(line)

    def warning(self, line):
        self.append(f"WARNING {line}")


class Scalars(dict):
    """A tensorboardX writer that keeps the last value of every name."""

    def add_scalar(self, name, value, step):
        self[name] = (value, step)


def toy_trainer(model=None, **attributes):
    """What a hook sees of a trainer; `cfg` entries may be given as a dict."""
    cfg = {"weight": None, "resume": False, "mix_prob": 0, "seed": 3, "evaluate": True}
    cfg.update(attributes.pop("cfg", {}))
    trainer = SimpleNamespace(
        model=model,
        cfg=Config(cfg),
        logger=Lines(),
        writer=Scalars(),
        comm_info={},
        epoch=0,
        start_epoch=0,
        max_epoch=2,
    )
    if model is not None:
        trainer.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    vars(trainer).update(attributes)
    return trainer


def attach(kind, trainer, **settings):
    hook = HOOKS.build({"type": kind, **settings})
    hook.trainer = trainer
    return hook


def loader(dataset, **options):
    return torch.utils.data.DataLoader(dataset, collate_fn=collate_fn, **options)


def text(trainer):
    return "\n".join(trainer.logger)


@pytest.fixture(scope="module")
def frozen_model():
    """A model that no test of this file changes, in eval mode."""
    torch.manual_seed(1)
    return build_model(small.model_config()).eval()


def eval_dataset(root, **changes):
    return build_dataset(small.dataset_config(root, mode="eval", **changes))


# ---------------------------------------------------------------------------- WSegPCSceneTags


class TestSceneTags:
    @pytest.fixture
    def trainer(self, prepared_root):
        dataset = build_dataset(small.dataset_config(prepared_root))
        return toy_trainer(train_loader=SimpleNamespace(dataset=dataset))

    def test_accepts_good_tags_and_logs_them(self, trainer, prepared_root):
        attach("WSegPCSceneTags", trainer).before_train()
        line = text(trainer)
        assert f"Scene tags of 3 scenes from {prepared_root / TAGS_FILE}" in line
        assert all(name in line for name in SCANNET20.names)

    def test_refuses_what_stage_one_cannot_train_on(self, trainer, monkeypatch, tmp_path):
        dataset, hook = trainer.train_loader.dataset, attach("WSegPCSceneTags", trainer)
        trainer.cfg.mix_prob = 0.8
        with assert_error(ValueError, "0.8", "mix3d_prob"):
            hook.before_train()
        trainer.cfg.mix_prob = 0
        dataset.scene_tags["scene0001_00"] = []
        with assert_error(ValueError, TAGS_FILE, "1 of 3 scenes", "scene0001_00"):
            hook.before_train()
        monkeypatch.setattr(dataset, "scenes", [tmp_path, *dataset.scenes[1:]])
        dataset.scene_tags["scene0001_00"] = ["wall"]
        with assert_error(FileNotFoundError, "1 of 3 scenes", "region.npy", "wsegpc regions"):
            hook.before_train()
        del dataset.scene_tags["scene0001_00"], dataset.scene_tags["scene0002_00"]
        with assert_error(ValueError, TAGS_FILE, "2 of 3", "scene0001_00, scene0002_00"):
            hook.before_train()

    def test_warns_of_classes_without_contrast(self, trainer):
        """In every training scene, or in none; structure removal makes samples without a wall."""
        dataset, hook = trainer.train_loader.dataset, attach("WSegPCSceneTags", trainer)
        for scene, more in zip(dataset.scene_keys, (["bed"], [], ["desk"]), strict=True):
            dataset.scene_tags[scene] = ["wall", "chair", *more]
        hook.before_train()
        warnings = [line for line in trainer.logger if line.startswith("WARNING")]
        assert "chair: in all 3 training scenes" in warnings[0] and len(warnings) == 2
        assert all(name not in warnings[1].split(":")[1] for name in ("wall", "bed", "desk"))
        assert ("wall, too" in warnings[0]) == bool(dataset.structures)

    @pytest.mark.parametrize(("links", "views", "warned"), [(0, 6, 1), (1, 6, 0), (0, 0, 0)])
    def test_warns_of_views_that_see_no_point(self, trainer, links, views, warned):
        hook = attach("WSegPCSceneTags", trainer)
        trainer.comm_info["input_dict"] = {
            "link_point": torch.zeros(links), "view_size": torch.ones(views, 2),
        }  # fmt: skip
        for _ in range(30):
            hook.before_step()
        hook.after_train()
        assert text(trainer).count("no view of the first 20 batches sees a point") == warned

    def test_names_an_unknown_class(self, trainer, prepared_root, tmp_path):
        tags = {**trainer.train_loader.dataset.scene_tags, "scene0002_00": ["wall", "unicorn"]}
        write_json(tmp_path / TAGS_FILE, tags)
        config = small.dataset_config(prepared_root, tags_file=str(tmp_path / TAGS_FILE))
        with pytest.raises(ValueError, match=r"scene_tags.json.*scene0002_00.*unicorn"):
            build_dataset(config)

    @pytest.mark.parametrize("key", ["segment", "origin_segment", "segment20"])
    def test_refuses_a_batch_with_point_labels(self, trainer, key):
        hook = attach("WSegPCSceneTags", trainer)
        trainer.comm_info["input_dict"] = collate_fn([trainer.train_loader.dataset[0]])
        hook.before_step()
        trainer.comm_info["input_dict"][key] = 0
        with assert_error(ValueError, key):
            hook.before_step()

    def test_labels_that_were_asked_for_pass_and_are_logged(self, trainer, prepared_root):
        hook = attach("WSegPCSceneTags", trainer)
        hook.before_train()
        assert "Point labels are read" not in text(trainer)
        dataset = build_dataset(small.dataset_config(prepared_root, with_labels=True))
        trainer.train_loader.dataset = dataset
        hook.before_train()
        assert "Point labels are read in training (with_labels=True)" in text(trainer)
        trainer.comm_info["input_dict"] = collate_fn([dataset[0]])
        assert "segment" in trainer.comm_info["input_dict"]
        hook.before_step()

    def test_statistics_against_counting(self):
        rng = np.random.default_rng(0)
        names = ["a", "b", "c", "d"]
        tags = (rng.random((30, 4)) < 0.5).astype(np.float32)
        tags[:, 3] = 0
        lines = tag_statistics(tags, names).splitlines()
        assert lines[3].split() == ["d", "in", "no", "scene"]
        for i, line in enumerate(lines[:3]):
            scenes = [row for row in tags if row[i]]
            assert f"in {100 * len(scenes) / 30:5.1f} % of scenes" in line
            for j in {0, 1, 2} - {i}:
                both = sum(bool(row[j]) for row in scenes)
                assert f"{names[j]} {100 * both / len(scenes):.0f} %" in line
            assert "d " not in line.split("with")[1]


# --------------------------------------------------------------------------- WSegPCEMATeacher


def states_equal(one, other):
    other = other.state_dict()
    return all(torch.equal(value, other[key]) for key, value in one.state_dict().items())


def save_checkpoint(path, model, prefix="", without=()):
    state = {
        f"{prefix}{key}": value
        for key, value in model.state_dict().items()
        if not key.startswith(tuple(without))
    }
    torch.save({"state_dict": state}, path)
    return str(path)


class TestEMATeacher:
    @pytest.fixture
    def model(self):
        model = build_model(small.model_config())
        for parameter in model.student.parameters():  # no longer what the teacher was built from
            parameter.data += 0.01 * torch.randn_like(parameter)
        return model

    def start(self, model, decay=0.5, **cfg):
        trainer = toy_trainer(model, cfg=cfg)
        attach("WSegPCEMATeacher", trainer, decay=decay).before_train()
        return trainer

    def test_a_fresh_teacher_is_the_student(self, model):
        assert not states_equal(model.teacher, model.student)
        trainer = self.start(model)
        assert states_equal(model.teacher, model.student)
        assert "no weight given, everything starts anew" in text(trainer)

    @pytest.mark.parametrize("prefix", ["", "module."])
    def test_a_loaded_teacher_is_kept(self, model, tmp_path, prefix):
        before = {k: v.clone() for k, v in model.teacher.state_dict().items()}
        model.iteration += 7
        model.threshold_3d.count += 5
        weight = save_checkpoint(tmp_path / "w.pth", model, prefix)
        trainer = self.start(model, weight=weight)
        assert all(torch.equal(v, before[k]) for k, v in model.teacher.state_dict().items())
        assert not states_equal(model.teacher, model.student)
        total = len(model.state_dict())
        assert f"{total} of {total} entries from {weight}" in text(trainer)
        # A hand-over is a new stage: its schedule and thresholds start from zero.
        assert model.iteration == 0 and model.threshold_3d.count.sum() == 0

    def test_a_teacher_that_the_file_lacks_is_the_student(self, model, tmp_path):
        weight = save_checkpoint(tmp_path / "w.pth", model, without=["teacher.", "project_"])
        trainer = self.start(model, weight=weight)
        assert states_equal(model.teacher, model.student)
        assert "started anew: project_images, project_points, teacher" in text(trainer)

    def test_resume_keeps_the_schedule(self, model, tmp_path):
        model.iteration += 7
        model.threshold_2d.count += 5
        weight = save_checkpoint(tmp_path / "w.pth", model)
        trainer = self.start(model, weight=weight, resume=True)
        assert model.iteration == 7 and model.threshold_2d.count.min() == 5
        assert "(resumed)" in text(trainer)

    @pytest.mark.parametrize("part", ["teacher.", "threshold_3d.", "iteration", "project_points"])
    def test_resume_requires_everything(self, model, tmp_path, part):
        weight = save_checkpoint(tmp_path / "w.pth", model, without=[part])
        with pytest.raises(ValueError, match=rf"matches \d+ of \d+ needed .*missing {part}"):
            self.start(model, weight=weight, resume=True)

    def test_a_missing_file_is_named(self, model, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"nothing.pth is no file; pass a checkpoint"):
            self.start(model, weight=str(tmp_path / "nothing.pth"))

    def test_another_architecture_is_refused(self, model, tmp_path):
        other = {"name": "resnet10t", "weights": "none", "num_stages": 1}
        other = build_model(small.model_config(image_encoder=other))
        weight = save_checkpoint(tmp_path / "w.pth", other)
        with pytest.raises(ValueError, match=r"student\.image_encoder.*another backbone") as error:
            self.start(model, weight=weight)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_broken_teacher_is_refused(self, model, value):
        name = next(iter(model.teacher.state_dict()))
        model.teacher.state_dict()[name].view(-1)[0] = value
        with pytest.raises(ValueError, match=f"{name} of the teacher is not finite"):
            check_finite(model.teacher, "the teacher")

    def run_steps(self, trainer, losses, accumulate=1, scaler=None):
        """Steps as Pointcept's trainer takes them; a loss is a factor of the student's sum."""
        for index, factor in enumerate(losses, 1):
            loss = factor * sum(p.sum() for p in trainer.model.student.parameters())
            (scaler.scale(loss) if scaler else loss).backward()
            if index % accumulate:
                continue
            if scaler:
                scaler.unscale_(trainer.optimizer)
                scaler.step(trainer.optimizer)
                scaler.update()
            else:
                trainer.optimizer.step()
            trainer.optimizer.zero_grad()

    def test_one_update_per_optimizer_step(self, model):
        trainer = self.start(model, decay=0.75)
        start = model.student.point_head.bias.detach().clone()
        self.run_steps(trainer, [1.0, 1.0, 1.0, 1.0], accumulate=2)
        # Two steps of lr 0.1 down a gradient of 2: the student falls by 0.2 each time.
        teacher = start.clone()
        for step in (1, 2):
            teacher = 0.75 * teacher + 0.25 * (start - 0.2 * step)
        torch.testing.assert_close(model.student.point_head.bias.detach(), start - 0.4)
        torch.testing.assert_close(model.teacher.point_head.bias, teacher)

    def test_no_update_when_the_scaler_skips(self, model):
        trainer = self.start(model)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        before = {k: v.clone() for k, v in model.teacher.state_dict().items()}
        # Without this the student would not differ, and an update would go unseen.
        for parameter in model.student.parameters():
            parameter.data += 1
        self.run_steps(trainer, [float("inf")], scaler=scaler)
        assert scaler.get_scale() == 2.0
        assert all(torch.equal(v, before[k]) for k, v in model.teacher.state_dict().items())
        self.run_steps(trainer, [1.0], scaler=scaler)
        assert not torch.equal(model.teacher.point_head.bias, before["point_head.bias"])

    def test_the_teacher_follows_inside_a_wrapper(self, model):
        trainer = toy_trainer(model)
        trainer.model = SimpleNamespace(module=model)  # as DistributedDataParallel holds it
        attach("WSegPCEMATeacher", trainer, decay=0.0).before_train()
        trainer.model = model
        self.run_steps(trainer, [1.0])
        assert states_equal(model.teacher, model.student)


# --------------------------------------------------------------------- WSegPCReproducibleSampling


class SeenEpochs(torch.utils.data.Dataset):
    """Notes what set_epoch said."""

    def __init__(self):
        self.epochs = []

    def set_epoch(self, seed, epoch):
        self.epochs.append((seed, epoch))

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return index


class TestSampling:
    def epochs(self, first=0, count=3, noise=0):
        """(order of the samples, a draw of the model) of each epoch, as the trainer runs them."""
        dataset = SeenEpochs()
        order = torch.utils.data.DataLoader(dataset, shuffle=True, batch_size=None)
        trainer = toy_trainer(train_loader=order, start_epoch=first)
        hook = attach("WSegPCReproducibleSampling", trainer)
        hook.before_train()
        seen = []
        for epoch in range(first, first + count):
            torch.rand(noise)
            trainer.epoch = epoch
            batches = iter(order)  # before before_epoch, as Pointcept's trainer does
            hook.before_epoch()
            seen.append(([int(i) for i in batches], torch.rand(2).tolist()))
            hook.after_epoch()
        return seen, dataset.epochs

    def test_an_epoch_does_not_depend_on_what_ran_before(self):
        whole, _ = self.epochs()
        assert self.epochs(noise=5)[0] == whole
        assert self.epochs(first=1, count=2)[0] == whole[1:]

    def test_epochs_differ_and_the_data_set_hears_each_before_it_starts(self):
        seen, heard = self.epochs()
        assert len({str(order) for order, _ in seen}) == 3
        assert len({str(draw) for _, draw in seen}) == 3
        assert all(sorted(order) == list(range(12)) for order, _ in seen)
        assert heard == [(3, 0), (3, 1), (3, 2), (3, 3)]

    def test_each_rank_draws_its_own(self, monkeypatch):
        draws = []
        for rank in (0, 1):
            monkeypatch.setattr("pointcept.utils.comm.get_rank", lambda rank=rank: rank)
            draws.append(self.epochs()[0])
        assert draws[0] != draws[1]

    def test_other_data_sets_and_samplers_are_left_alone(self):
        order = torch.utils.data.DataLoader(range(4), batch_size=None)
        hook = attach("WSegPCReproducibleSampling", toy_trainer(train_loader=order))
        hook.before_train()
        assert list(order) == [0, 1, 2, 3]

    def test_persistent_workers_hear_it(self, prepared_root):
        """Workers that were forked before the first epoch follow the clock of the parent."""
        seen = {}
        for start in (0, 1):
            dataset = build_dataset(small.dataset_config(prepared_root))
            batches = loader(dataset, num_workers=1, persistent_workers=True)
            trainer = toy_trainer(train_loader=batches, start_epoch=start)
            hook = attach("WSegPCReproducibleSampling", trainer)
            hook.before_train()
            for epoch in range(start, 2):
                trainer.epoch = epoch
                seen[start, epoch] = [batch["image"] for batch in batches]
                hook.after_epoch()
        same = [torch.equal(a, b) for a, b in zip(seen[0, 1], seen[1, 1], strict=True)]
        differ = [torch.equal(a, b) for a, b in zip(seen[0, 0], seen[0, 1], strict=True)]
        assert all(same) and not any(differ)


# -------------------------------------------------------------------------- WSegPCEvaluator


def slow_predictions(model, sample, network, masked):
    """Class of every point (N,) and every pixel (P,), and the 3D probabilities (N, C)."""
    batch = collate_fn([sample])
    with torch.no_grad():
        result = model.infer(batch, network)
    tags = batch["scene_tags"][0].numpy() > 0 if masked else np.ones(NUM_CLASSES, bool)
    pixels = result["image_logits"].numpy()
    points = result["seg_logits"].numpy()[sample["inverse"].numpy()]
    points, pixels = (np.where(tags, x, -np.inf).astype(np.float64) for x in (points, pixels))
    probs = np.exp(points - points.max(1, keepdims=True))
    return points.argmax(1), pixels.argmax(1), probs / probs.sum(1, keepdims=True)


class TestEvaluator:
    def evaluate(self, model, dataset, **loading):
        data = {"names": list(SCANNET20.names)}
        trainer = toy_trainer(model, val_loader=loader(dataset, **loading), cfg={"data": data})
        attach("WSegPCEvaluator", trainer).after_epoch()
        return trainer

    def test_numbers_against_counting(self, frozen_model, prepared_root):
        dataset = eval_dataset(prepared_root, split="val")
        trainer = self.evaluate(frozen_model, dataset)
        assert len(dataset) == 2
        expected = {}
        for masked, suffix in ((False, ""), (True, "_tags")):
            counts = {"_3d": 0, "_2d": 0}
            for sample in dataset:
                points, pixels, _ = slow_predictions(frozen_model, sample, "teacher", masked)
                truth = sample["origin_segment"]
                counts["_3d"] = counts["_3d"] + reference.confusion(points, truth, NUM_CLASSES)
                truth = sample["image_segment"]
                counts["_2d"] = counts["_2d"] + reference.confusion(pixels, truth, NUM_CLASSES)
            for branch, count in counts.items():
                name = f"val/mIoU{branch}{suffix}" if branch + suffix != "_3d" else "val/mIoU"
                expected[name] = reference.mean_iou(count)
        assert len(set(expected.values())) == 4
        assert expected["val/mIoU_3d_tags"] > expected["val/mIoU"]
        losses = []  # the mean over scenes
        for sample in dataset:
            with torch.no_grad():
                logits = frozen_model(collate_fn([sample]))["seg_logits"]
            keep = sample["segment"] >= 0
            chosen = logits.log_softmax(1)[keep, sample["segment"][keep]]
            losses.append(-chosen.mean().item())
        for name, value in {**expected, "val/loss": np.mean(losses)}.items():
            assert trainer.writer[name] == (pytest.approx(value), 1), name
        assert trainer.comm_info["current_metric_name"] == "mIoU"
        assert trainer.comm_info["current_metric_value"] == trainer.writer["val/mIoU"][0]
        table = text(trainer)
        assert all(title in table for title in ("3D with tags", "2D with tags", "mIoU", "bathtub"))

    def test_not_when_evaluation_is_off(self, frozen_model):
        trainer = toy_trainer(frozen_model, cfg={"evaluate": False})
        attach("WSegPCEvaluator", trainer).after_epoch()
        assert trainer.writer == {}

    def test_what_cannot_be_evaluated_is_refused(self, frozen_model, root_copy):
        dataset = eval_dataset(root_copy, split="val")
        with assert_error(ValueError, "batch of 2", "batch_size_val"):
            self.evaluate(frozen_model, dataset, batch_size=2)
        trainer = toy_trainer(frozen_model, val_loader=loader(dataset))
        attach("WSegPCEvaluator", trainer).before_train()
        for path in root_copy.rglob("segment*.npy"):
            path.unlink()
        with assert_error(FileNotFoundError, "2 of 2 scenes", "segment20.npy", "evaluate=False"):
            attach("WSegPCEvaluator", trainer).before_train()
        with assert_error(ValueError, "labels", "evaluate="):
            self.evaluate(frozen_model, eval_dataset(root_copy, split="val"))


# ----------------------------------------------------------------------- WSegPCPseudoLabelExporter


def export(model, dataset, store, **settings):
    lines = Lines()
    return export_pseudo_labels(model, dataset, store, log=lines.info, **settings), lines


def stored(store):
    return {path.name: path.stat().st_mtime_ns for path in store.glob("*.npz")}


def slow_labels(model, sample, network="teacher", use_tags=True, region_vote=True):
    """Labels (N,) and confidences (N,) of the original points, region by region."""
    _, _, probs = slow_predictions(model, sample, network, use_tags)
    if region_vote:
        region = sample["origin_region"].numpy()
        inside = region >= 0
        probs[inside] = reference.vote(probs, region)[region[inside]]
    return probs.argmax(1), probs.max(1)


class TestExporter:
    @pytest.fixture(scope="class")
    def exported(self, frozen_model, prepared_root, tmp_path_factory):
        """(folder, manifest, log) of the frozen model's labels of the training scenes."""
        folder = tmp_path_factory.mktemp("exported") / "store"
        dataset = eval_dataset(prepared_root)
        return folder, *export(frozen_model, dataset, folder, config="a/config.py")

    @pytest.fixture
    def copied(self, exported, tmp_path):
        """A copy of that store, to be changed, and its manifest."""
        return shutil.copytree(exported[0], tmp_path / "store"), exported[1]

    @pytest.mark.parametrize(
        "settings",
        [{}, {"network": "student"}, {"use_tags": False}, {"region_vote": False}],
        ids=str,
    )
    def test_labels_of_the_original_points(self, prepared_root, tmp_path, settings):
        model = build_model(small.model_config())
        for parameter in model.teacher.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
        dataset = eval_dataset(prepared_root)
        with assert_error(ValueError, "'both'", "teacher, student"):
            export(model, dataset, tmp_path, network="both")
        export(model, dataset, tmp_path, **settings)
        model.eval()
        store = LabelStore.load(tmp_path)
        store.check(SCANNET20.names, [s.name for s in dataset.scenes])  # as stage two does
        for scene, sample in zip(dataset.scenes, dataset, strict=True):
            coord = np.load(scene / "coord.npy")
            stored = store.read(scene.name, len(coord), ("label", "confidence"))
            label, confidence = stored["label"], stored["confidence"]
            assert label.dtype == np.int16 and confidence.dtype == np.float16
            expected, sure = slow_labels(model, sample, **settings)
            np.testing.assert_allclose(confidence, sure, atol=1e-3)
            assert (label == expected).mean() > 0.999  # two classes may tie in the last digit
            tags = {SCANNET20.names.index(name) for name in dataset.scene_tags[scene.name]}
            assert set(label.tolist()) <= tags or not settings.get("use_tags", True)

    def test_what_the_vote_saw_gives_the_labels(self, frozen_model, root_copy, tmp_path):
        path = root_copy / "train/scene0001_00/region.npy"
        region = np.load(path)
        region[::7] = -1
        np.save(path, region)
        export(frozen_model, eval_dataset(root_copy), tmp_path / "voted")
        keys = ("label", "confidence", "region", "region_probs", "point_probs")
        found = LabelStore.load(tmp_path / "voted").read("scene0001_00", len(region), keys)
        assert np.array_equal(found["region"], region)
        probs = np.empty((len(region), NUM_CLASSES), np.float16)
        probs[region >= 0] = found["region_probs"][region[region >= 0]]
        probs[region < 0] = found["point_probs"]
        assert np.array_equal(probs.max(1), found["confidence"])
        chosen = np.take_along_axis(probs, found["label"][:, None].astype(int), 1)[:, 0]
        assert np.array_equal(chosen, probs.max(1))  # two may tie in half precision
        export(frozen_model, eval_dataset(root_copy), tmp_path / "points", region_vote=False)
        store = LabelStore.load(tmp_path / "points")
        assert store.read("scene0001_00", keys=keys).keys() == {"label", "confidence"}

    def test_manifest(self, frozen_model, prepared_root, exported):
        dataset, (tmp_path, manifest, lines) = eval_dataset(prepared_root), exported
        assert manifest == read_json(tmp_path / "store.json")
        assert manifest["provenance"]["weights"] == pseudo_labels.weights_hash(frozen_model.teacher)
        assert manifest["names"] == list(SCANNET20.names)
        assert manifest["about"] == {"config": "a/config.py"}
        made = {"network": "teacher", "use_tags": True, "region_vote": True}
        assert manifest["provenance"].items() > made.items()
        assert len(manifest["scenes"]) == 3 and manifest["coverage"] == 1
        quality = manifest["quality"]
        truths = [np.load(scene / "segment20.npy").ravel() for scene in dataset.scenes]
        assert manifest["points"] == sum(map(len, truths))
        labels = [np.load(tmp_path / f"{scene.name}.npz")["label"] for scene in dataset.scenes]
        counts = reference.confusion(np.concatenate(labels), np.concatenate(truths), NUM_CLASSES)
        assert quality["miou"]["3d"] == pytest.approx(reference.mean_iou(counts))
        wall = counts[0, 0] / (counts[0].sum() + counts[:, 0].sum() - counts[0, 0])
        assert quality["iou"]["3d"]["wall"] == pytest.approx(wall)
        pixels, pixel_truths, points = [], [], []
        for sample in dataset:
            found = slow_predictions(frozen_model, sample, "teacher", True)
            points.append(found[0])
            pixels.append(found[1])
            pixel_truths.append(sample["image_segment"].numpy())
        counts = reference.confusion(np.concatenate(points), np.concatenate(truths), NUM_CLASSES)
        assert quality["miou"]["3d_no_vote"] == pytest.approx(reference.mean_iou(counts), abs=1e-4)
        counts = reference.confusion(
            np.concatenate(pixels), np.concatenate(pixel_truths), NUM_CLASSES
        )
        assert quality["miou"]["2d"] == pytest.approx(reference.mean_iou(counts), abs=1e-4)
        json.loads((tmp_path / "store.json").read_text(), parse_constant=pytest.fail)
        assert "Pseudo-label IoU (%)" in "\n".join(lines)
        assert "coverage 100.0 %" in "\n".join(lines)

    def test_a_second_run_labels_nothing(self, prepared_root, tmp_path):
        model, dataset = build_model(small.model_config()), eval_dataset(prepared_root)
        first, _ = export(model, dataset, tmp_path)
        files = stored(tmp_path)
        model.student.point_head.bias.data += 1  # these are labels of the teacher
        second, lines = export(model, dataset, tmp_path)
        assert second == first and stored(tmp_path) == files
        assert "0 of 3 scenes to label" in lines[0]

    def test_a_missing_file_is_written_again(self, frozen_model, prepared_root, copied):
        store, first = copied
        files = stored(store)
        (store / "metrics/scene0001_00.npz").unlink()
        dataset = eval_dataset(prepared_root)
        second, lines = export(frozen_model, dataset, store, config="a/config.py")
        assert "1 of 3 scenes to label" in lines[0]
        again = stored(store)
        assert {n for n in files if files[n] != again[n]} == {"scene0001_00.npz"}
        assert second == first

    def test_labels_of_other_weights_are_replaced_on_demand(self, prepared_root, copied):
        dataset, (store, _) = eval_dataset(prepared_root), copied
        files = stored(store)
        model = build_model(small.model_config())
        with pytest.raises(ValueError, match="other labels: weights"):
            export(model, dataset, store)
        assert stored(store) == files
        manifest, lines = export(model, dataset, store, replace=True)
        assert "removing 6 files of other labels" in lines[0]
        assert all(files[name] != time for name, time in stored(store).items())
        assert manifest["provenance"]["weights"] == pseudo_labels.weights_hash(model.teacher)

    def test_without_ground_truth(self, frozen_model, exported, root_copy, tmp_path):
        for path in [*root_copy.rglob("segment*.npy"), *root_copy.rglob("*.label.png")]:
            path.unlink()
        manifest, lines = export(frozen_model, eval_dataset(root_copy), tmp_path / "blind")
        assert manifest["quality"] == {"miou": {}, "iou": {}}
        assert manifest["coverage"] == 1 and "IoU" not in "\n".join(lines)
        for path in exported[0].glob("*.npz"):  # labels are the same either way
            with np.load(path) as one, np.load(tmp_path / "blind" / path.name) as other:
                assert np.array_equal(one["label"], other["label"])

    def test_a_scene_absent_from_the_tags_is_refused(self, frozen_model, root_copy, tmp_path):
        tags = read_scene_tags(root_copy / TAGS_FILE)
        del tags["scene0001_00"]
        write_json(root_copy / TAGS_FILE, tags)
        dataset = eval_dataset(root_copy)
        with pytest.raises(ValueError, match=r"1 of 3 scenes absent: scene0001_00.*--no-tags"):
            export(frozen_model, dataset, tmp_path / "store")
        export(frozen_model, dataset, tmp_path / "store", use_tags=False)

    def test_a_scene_without_tags_gets_no_label(self, frozen_model, root_copy, tmp_path):
        tags = read_scene_tags(root_copy / TAGS_FILE)
        write_json(root_copy / TAGS_FILE, {**tags, "scene0001_00": []})
        dataset = eval_dataset(root_copy)
        manifest, _ = export(frozen_model, dataset, tmp_path / "store")
        with np.load(tmp_path / "store/scene0001_00.npz") as file:
            assert (file["label"] == IGNORE).all() and (file["confidence"] == 0).all()
        sizes = [len(np.load(scene / "coord.npy")) for scene in dataset.scenes]
        assert manifest["coverage"] == pytest.approx(1 - sizes[1] / sum(sizes))
        truths = [np.load(scene / "segment20.npy").ravel() for scene in dataset.scenes]
        labels = [np.load(tmp_path / f"store/{s.name}.npz")["label"] for s in dataset.scenes]
        # What has no label counts as an error of its class.
        counts = confusion_with_misses(np.concatenate(labels), np.concatenate(truths), NUM_CLASSES)
        assert manifest["quality"]["miou"]["3d"] == pytest.approx(mean_iou(counts))

    def hook(self, model, root, folder, **settings):
        train = small.dataset_config(root)
        cfg = {"save_path": str(folder), "data": {"train": train}}
        trainer = toy_trainer(model, cfg=cfg, max_epoch=4)
        trainer.train_loader = SimpleNamespace(dataset=build_dataset(train))
        return attach("WSegPCPseudoLabelExporter", trainer, num_worker=0, **settings), trainer

    def test_the_hook_after_training(self, prepared_root, tmp_path):
        model = build_model(small.model_config()).train()
        hook, trainer = self.hook(model, prepared_root, tmp_path)
        hook.after_epoch()
        assert not (tmp_path / "pseudo_labels").exists()
        hook.after_train()
        assert model.training and not model.teacher.training  # as it was
        manifest = read_json(tmp_path / "pseudo_labels/store.json")
        assert len(manifest["scenes"]) == 3
        assert manifest["about"]["config"] == str(tmp_path / "config.py")
        miou = manifest["quality"]["miou"]
        for metric, value in miou.items():
            assert trainer.writer[f"pseudo_label/mIoU_{metric}"] == (value, 1)
        assert set(miou) == {"3d", "3d_no_vote", "2d"}

    def test_what_the_export_would_refuse_is_refused_at_the_start(
        self, frozen_model, root_copy, copied, tmp_path
    ):
        store, manifest = copied
        before = stored(store)
        hook, _ = self.hook(frozen_model, root_copy, tmp_path, store=str(store))
        with assert_error(ValueError, store, "weights", manifest["provenance"]["weights"]):
            hook.before_train()
        hook, trainer = self.hook(frozen_model, root_copy, tmp_path, store=str(store))
        trainer.cfg.resume = True  # perhaps of a training that ended, and whose export was killed
        hook.before_train()
        hook, trainer = self.hook(
            frozen_model, root_copy, tmp_path, store=str(store), use_tags=False
        )
        trainer.cfg.resume = True
        with assert_error(ValueError, store, "use_tags"):
            hook.before_train()
        assert stored(store) == before
        hook, trainer = self.hook(frozen_model, root_copy, tmp_path)
        hook.before_train()
        assert not (tmp_path / "pseudo_labels").exists()
        (tmp_path / "pseudo_labels").mkdir()
        (tmp_path / "pseudo_labels/mine.txt").touch()
        with assert_error(FileExistsError, "mine.txt"):
            hook.before_train()
        (tmp_path / "pseudo_labels/mine.txt").unlink()
        trainer.train_loader.dataset.names = ("wall", "floor")
        with assert_error(ValueError, "['wall', 'floor']", "dataset"):
            hook.before_train()
        next(root_copy.glob("train/*/region.npy")).unlink()
        hook, _ = self.hook(frozen_model, root_copy, tmp_path)
        with assert_error(FileNotFoundError, "1 of 3 scenes", "region.npy"):
            hook.before_train()

    def test_labels_of_next_to_no_point_are_an_error(self, frozen_model, root_copy, tmp_path):
        tags = {key: [] for key in read_scene_tags(root_copy / TAGS_FILE)}
        write_json(root_copy / TAGS_FILE, tags)
        with assert_error(ValueError, tmp_path / "store", "0 % of the points"):
            export(frozen_model, eval_dataset(root_copy), tmp_path / "store")

    def test_the_hook_every_second_epoch(self, frozen_model, prepared_root, tmp_path, monkeypatch):
        hook, trainer = self.hook(frozen_model, prepared_root, tmp_path, every_epochs=2)
        exported = []
        monkeypatch.setattr(hook, "export", lambda: exported.append(trainer.epoch + 1))
        for trainer.epoch in range(4):
            hook.after_epoch()
        hook.after_train()
        assert exported == [2, 4]  # the last epoch is left to after_train

    def test_a_store_of_ones_own_is_not_replaced_unasked(self, tmp_path):
        build = HOOKS.get("WSegPCPseudoLabelExporter")
        assert build().replace and not build(store="s").replace and build(every_epochs=2).replace
        with pytest.raises(ValueError, match="expected replace=True"):
            build(store="s", every_epochs=2)

    def test_the_hook_with_a_data_set_and_a_store(self, frozen_model, prepared_root, tmp_path):
        dataset = small.dataset_config(prepared_root, mode="eval", split="val")
        hook, _ = self.hook(
            frozen_model, prepared_root, tmp_path, dataset=dataset, store=str(tmp_path / "s")
        )
        hook.after_train()
        names = sorted(path.stem for path in (tmp_path / "s").glob("*.npz"))
        assert names == sorted(p.name for p in (prepared_root / "val").iterdir())

    def test_loader_processes_give_the_same_labels(
        self, frozen_model, prepared_root, exported, tmp_path
    ):
        dataset, about = eval_dataset(prepared_root), {"config": "a/config.py"}
        manifest, _ = export(frozen_model, dataset, tmp_path / "two", num_worker=2, **about)
        assert {**manifest, "id": 0} == {**exported[1], "id": 0}


def test_hash_sees_names_shapes_and_values():
    hashes = [
        pseudo_labels.weights_hash(network)
        for network in (torch.nn.Linear(2, 3), torch.nn.Linear(2, 3), torch.nn.Linear(3, 2))
    ]
    linear = torch.nn.Linear(2, 3, bias=False)
    renamed = torch.nn.Sequential(linear)
    hashes += [pseudo_labels.weights_hash(linear), pseudo_labels.weights_hash(renamed)]
    assert len(set(hashes)) == 5
    assert pseudo_labels.weights_hash(linear) == hashes[3] and len(hashes[3]) == 16
