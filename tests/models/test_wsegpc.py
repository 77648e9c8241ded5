"""The segmentor: its losses against slow per-sample versions, its gradients, its two modes."""

import copy
import types

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from pointcept.datasets import build_dataset, collate_fn
from pointcept.models.builder import MODELS, build_model

from pointcept_wsegpc import register  # noqa: F401
from pointcept_wsegpc.losses.ragged import pixel_rows
from pointcept_wsegpc.models.batch_index import BatchIndex, view_stacks
from pointcept_wsegpc.models.branches import TwoBranchNet
from pointcept_wsegpc.models.pairing import draw_pairs
from pointcept_wsegpc.models.wsegpc import warmup

C, V = 20, 3
BACKBONE = {
    "type": "WSegPCMinkUNet",
    "planes": (8, 8, 8, 8, 8, 8, 12, 12),
    "layers": (1,) * 8,
    "stem_kernel_size": 3,
    "backend": "torch",
}
ENCODER = {"name": "test_resnet", "weights": "none", "num_stages": 1}
LINKS = ("link_view", "link_point", "link_row", "link_col")


def make_model(**settings):
    """A small model, all terms on from the first iteration, that does not stand at its start.

    Some weights start at zero and would hide what depends on them; a teacher equal to the student
    would hide whose output is used.
    """
    torch.manual_seed(0)
    config = {"min_pairs_per_view": 0, "guidance_warmup_iters": 0, "rpc_warmup_iters": 0}
    config |= {"backbone": BACKBONE, "image_encoder": ENCODER, "num_classes": C}
    model = build_model({"type": "WSegPC", **config, **settings}).train()
    torch.manual_seed(1)  # the projections are drawn, or not
    with torch.no_grad():
        for parameter in (*model.student.parameters(), *model.teacher.parameters()):
            parameter += 0.02 * torch.randn(parameter.shape)
    return model


def make_dataset(root, **settings):
    return build_dataset(
        {
            "type": "WSegPCMultiViewDataset",
            "data_root": str(root),
            "num_views": V,
            "grid_size": 0.15,
            "depth_tolerance": 0.1,
            "structure_removal": {"ground": 0.5},
            "student_augmentation": [{"type": "RandomScale", "scale": [0.9, 1.1]}],
            **settings,
        }
    )


@pytest.fixture(scope="module")
def samples(prepared_root):
    data = make_dataset(prepared_root)
    return [data[i] for i in range(2)]


@pytest.fixture(scope="module")
def mixed_samples(prepared_root):
    data = make_dataset(prepared_root, mix3d_prob=1.0, num_views=2)
    return [data[i] for i in range(2)]


@pytest.fixture
def batch(samples):
    return collate_fn(samples)


def without_links(samples):
    empty = {key: torch.zeros(0, dtype=torch.int64) for key in LINKS}
    return [{**s, **empty, "link_offset": torch.tensor([0])} for s in samples]


def losses_of(model, batch, iteration=0):
    """Losses of a training step on a model that stays as it is."""
    model = copy.deepcopy(model)
    model.iteration.fill_(iteration)
    torch.manual_seed(1)  # the pairs are drawn
    return {key: value.item() for key, value in model(batch).items()}


# ---------------------------------------------------------------------------- gradients


def check_gradients(model, loss):
    model.zero_grad()
    loss.backward()
    for name, parameter in model.named_parameters():
        if name.startswith("teacher."):
            assert not parameter.requires_grad and parameter.grad is None, name
        else:
            assert parameter.requires_grad and parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


def test_every_trainable_parameter_gets_a_gradient(batch):
    model = make_model()
    check_gradients(model, model(batch)["loss"])
    still = {n for n, p in model.named_parameters() if p.requires_grad and not p.grad.any()}
    assert not still


def test_one_scene_of_two_without_any_visible_pixel(samples):
    model = make_model(max_pairs=10**6, max_pairs_per_view=10**6)
    both = losses_of(model, collate_fn([samples[0], *without_links(samples[1:])]))
    assert both["guidance_3d"] > 0 and np.isfinite(both["loss"])


def test_every_region_below_threshold(batch):
    model = make_model(rpc_threshold=1.0, rpc_adaptive=False)
    result = model(batch)
    check_gradients(model, result["loss"])
    assert all(result[k] == 0 for k in ("rpc_3d", "rpc_2d", "rpc_3d_kept", "rpc_2d_kept"))
    assert result["loss"] > 0 and not model.threshold_3d.count.any()


def test_scenes_without_any_tag(samples):
    names = ("point_tags", "teacher_tags", "image_tags", "view_tags")
    bare = [{**s, **{k: torch.zeros_like(s[k]) for k in names}} for s in samples]
    model = make_model()
    result = model(collate_fn(bare))
    check_gradients(model, result["loss"])
    assert result["rpc_3d"] == result["rpc_2d"] == result["rpc_3d_kept"] == 0
    one = losses_of(model, collate_fn([samples[0], bare[1]]))
    assert one["rpc_3d"] > 0 and np.isfinite(one["loss"])


def test_points_and_pixels_outside_all_regions(samples):
    lone = [
        {
            **s,
            "region": torch.full_like(s["region"], -1),
            "image_region": torch.full_like(s["image_region"], -1),
        }
        for s in samples
    ]
    model = make_model()
    result = model(collate_fn(lone))
    check_gradients(model, result["loss"])
    assert result["rpc_3d_kept"] == result["rpc_2d_kept"] == 1  # each votes alone, against zero


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_stays_finite(batch, dtype):
    model = make_model()
    full = losses_of(model, batch)
    with torch.autocast("cpu", dtype):
        result = model(batch)
        assert result["loss"].dtype == torch.float32
        check_gradients(model, result["loss"])
    for key, value in result.items():
        assert value.isfinite(), key
    for key in ("cam_3d", "cam_2d"):
        assert result[key].item() == pytest.approx(full[key], rel=0.05), key


# -------------------------------------------------------------------------------- losses


def test_training_returns_scalars_and_their_sum(batch):
    result = make_model()(batch)
    terms = ("cam_3d", "cam_2d", "guidance_3d", "guidance_2d", "rpc_3d", "rpc_2d")
    stats = ("rpc_3d_kept", "rpc_3d_confidence", "rpc_2d_kept", "rpc_2d_confidence")
    assert set(result) == {"loss", *terms, *stats}
    for key, value in result.items():
        assert isinstance(value, torch.Tensor) and value.shape == (), key
        assert value.requires_grad == (key == "loss"), key
        assert torch.isfinite(value), key
    assert result["loss"].item() == pytest.approx(sum(result[t].item() for t in terms), rel=1e-5)
    for term in terms:
        assert result[term] > 0, term


def maps_of(images):
    """Feature maps and activation of views that all have one size."""
    return [stack.maps for (stack,) in images]


def split(rows, samples, key):
    """Rows of a batch, sample by sample, with as many as the samples' own `key` has."""
    return rows.split([len(s[key]) for s in samples])


def test_the_logged_terms_add_up_with_several_processes(batch, monkeypatch):
    """Guidance is a sum over scenes: its term has the factor that averaging will take away."""
    alone = losses_of(make_model(), batch)
    monkeypatch.setattr("pointcept_wsegpc.models.wsegpc.world_size", lambda: 3)
    result = losses_of(make_model(), batch)
    terms = {
        key for key in result if key.startswith(("cam", "guid")) or key in ("rpc_3d", "rpc_2d")
    }
    assert result["loss"] == pytest.approx(sum(result[term] for term in terms), rel=1e-5)
    for term in terms:
        factor = 3 if term.startswith("guidance") else 1
        assert result[term] == pytest.approx(factor * alone[term], rel=1e-6)


@pytest.fixture(params=["alone", "mixed"])
def any_samples(request, samples, mixed_samples):
    return samples if request.param == "alone" else mixed_samples


def test_losses_against_sample_by_sample_versions(any_samples):
    """Whether ids, indices and offsets of the batch were joined right shows here."""
    model = make_model(max_pairs=10**6, max_pairs_per_view=10**6)
    batch = collate_fn(any_samples)
    result = losses_of(model, batch)
    with torch.no_grad():
        features, logits = model.student.points(batch)
        feature_map, activation = maps_of(model.student.images(view_stacks(batch)))
        teacher_batch = {k[8:]: v for k, v in batch.items() if k.startswith("teacher_")}
        teacher_logits = model.teacher.points(teacher_batch)[1]
        images = model.teacher.images(view_stacks(batch, "teacher_image"))
        teacher_activation = maps_of(images)[1]
    parts = [
        split(rows, any_samples, key)
        for rows, key in (
            (features, "coord"),
            (logits, "coord"),
            (teacher_logits, "teacher_coord"),
            (feature_map, "view_size"),
            (activation, "view_size"),
            (teacher_activation, "view_size"),
        )
    ]
    cam, guidance, points, pixels = [], [], [], []
    for s, f, x, t, m, a, ta in zip(any_samples, *parts, strict=True):
        scores = x.mean(0, keepdim=True), a.mean((0, 2, 3))[None]
        tags = s["point_tags"], s["image_tags"]
        cam.append([reference.tag_loss(*pair) for pair in zip(scores, tags, strict=True)])
        probs = reference.tag_softmax(t, s["teacher_tags"], s["teacher_offset"])
        points.append(consistency(x, probs[s["teacher_row"]], s["region"].numpy()))
        regions = s["image_region"].reshape(len(a), -1).numpy()
        for v in range(len(a)):
            logits, taught = (maps[v].reshape(C, -1).T for maps in (a, ta))
            probs = reference.tag_softmax(taught, s["view_tags"][v : v + 1], [len(taught)])
            pixels.append(consistency(logits, probs, regions[v]))
        guidance.append(guidance_of(model, s, f, m))
    cam, points, pixels = np.array(cam), np.array(points), np.array(pixels)
    assert result["cam_3d"] == pytest.approx(cam[:, 0].mean(), rel=1e-4)
    assert result["cam_2d"] == pytest.approx(cam[:, 1].mean(), rel=1e-4)
    assert result["rpc_3d"] == pytest.approx(points[:, 0].sum() / points[:, 1].sum(), rel=1e-4)
    assert result["rpc_2d"] == pytest.approx(pixels[:, 0].sum() / pixels[:, 1].sum(), rel=1e-4)
    guidance = np.sum(guidance, axis=0)  # over the scenes of the batch, not their mean
    assert result["guidance_3d"] == pytest.approx(0.05 * guidance[0], rel=1e-4)
    assert result["guidance_2d"] == pytest.approx(0.05 * guidance[1], rel=1e-4)


def consistency(logits, probs, region):
    """Of one sample before any threshold: summed cross-entropy, number of points."""
    loss, _, _ = reference.consistency(logits, probs, region, [0] * C, 0.8)
    return loss * len(region), len(region)


def guidance_of(model, sample, features, feature_map):
    """Eq. 1 in both directions over all links of a sample."""
    height, width = sample["view_size"][0]
    x = sample["link_col"] / (width - 1) * 2 - 1
    y = sample["link_row"] / (height - 1) * 2 - 1
    grid = torch.stack([x, y], dim=1)[None, None]
    read = [F.grid_sample(m[None], grid, align_corners=True)[0, :, 0].T for m in feature_map]
    view = sample["link_view"]
    pixels = torch.stack([read[v][i] for i, v in enumerate(view.tolist())])
    points = features[sample["link_point"]]
    return [
        reference.contrastive(model.project_points(points), pixels),
        reference.contrastive(model.project_images(pixels), points),
    ]


def test_pairs_are_limited_per_scene(samples):
    model = make_model(max_pairs=40, max_pairs_per_view=30)
    ends = [s["link_offset"].item() for s in samples]
    batch = collate_fn(samples)
    index = BatchIndex.of(batch)
    pairs, sizes = draw_pairs(index, **model.pairing)
    assert sizes == [40, 40] and len(pairs) == 80
    tables = [set(zip(*(s[k].tolist() for k in LINKS), strict=True)) for s in samples]
    assert all(ends) and min(map(len, tables)) > 40
    starts = [(0, 0), (V, len(samples[0]["coord"]))]
    columns = (index.link_view, index.link_point, batch["link_row"], batch["link_col"])
    drawn = list(zip(*(column[pairs].tolist() for column in columns), strict=True))
    for number, ((v0, p0), table) in enumerate(zip(starts, tables, strict=True)):
        mine = drawn[40 * number : 40 * number + 40]
        assert {(v - v0, p - p0, r, c) for v, p, r, c in mine} <= table


# ------------------------------------------------------------------- start and schedules


@pytest.mark.parametrize(("init", "std"), [("uniform", (3 * 96) ** -0.5), ("kaiming", 0.1443)])
def test_start_of_a_head(init, std):
    backbone = {**BACKBONE, "planes": (8,) * 7 + (96,)}
    stage_one = make_branches(point_head_init=init, backbone=backbone, num_classes=500).point_head
    stage_two = build_model({**backbone, "num_classes": 500, "classifier_init": init}).classifier
    for head in (stage_one, stage_two):
        assert head.weight.shape == (500, 96)
        assert head.weight.std().item() == pytest.approx(std, rel=0.03)
    with pytest.raises(ValueError, match="uniform, kaiming"):
        make_branches(point_head_init="zero")


def make_branches(**settings):
    config = {"backbone": BACKBONE, "image_encoder": ENCODER, "num_classes": C, **settings}
    return build_model({"type": "WSegPC", **config}).student


def test_warmup():
    ramp = [warmup(torch.tensor(i), 4).item() for i in range(6)]
    assert ramp == [0.25, 0.5, 0.75, 1, 1, 1]
    assert warmup(torch.tensor(0), 0) == 1


def test_weights_and_their_warmup(batch):
    full = losses_of(make_model(), batch)
    model = make_model(
        cam_3d_weight=0.5,
        cam_2d_weight=3.0,
        cam_warmup_iters=20,
        guidance_3d_weight=0.1,
        guidance_2d_weight=0.05,
        guidance_warmup_iters=10,
        rpc_3d_weight=2.0,
        rpc_2d_weight=0.25,
        rpc_warmup_iters=40,
    )
    for iteration in (0, 4, 9, 39, 100):
        seen = losses_of(model, batch, iteration)
        tags, guidance, consistency = (min((iteration + 1) / n, 1) for n in (20, 10, 40))
        factors = {
            "cam_3d": 0.5 * tags,
            "cam_2d": 3 * tags,
            "guidance_3d": 2 * guidance,
            "guidance_2d": guidance,
            "rpc_3d": 2 * consistency,
            "rpc_2d": 0.25 * consistency,
        }
        for term, factor in factors.items():
            assert seen[term] == pytest.approx(factor * full[term], rel=1e-4), (term, iteration)


def test_iterations_and_counts_grow_in_training_only(batch):
    model = make_model()
    model(batch)
    first = model.threshold_3d.count.sum()
    assert model.iteration == 1 and first > 0 and model.threshold_2d.count.sum() > 0
    model(batch)
    assert model.iteration == 2 and model.threshold_3d.count.sum() >= first
    state = {k: v.clone() for k, v in model.state_dict().items()}
    with torch.no_grad():
        model.eval()(batch)
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_start_stage_forgets_the_schedule_not_the_weights(batch):
    model = make_model()
    model(batch)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.start_stage()
    schedule = {"iteration", "threshold_3d.count", "threshold_2d.count"}
    for key, value in model.state_dict().items():
        assert not value.any() if key in schedule else torch.equal(value, before[key]), key
    assert all(before[key].any() for key in schedule)


def test_a_checkpoint_holds_teacher_thresholds_and_iteration(batch):
    model, other = make_model(guidance_warmup_iters=9), make_model(guidance_warmup_iters=9)
    model(batch)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01
    other.load_state_dict(model.state_dict())
    assert losses_of(model, batch, model.iteration) == losses_of(other, batch, other.iteration)


# ------------------------------------------------------------------------------ switches


@pytest.mark.parametrize(
    ("settings", "gone"),
    [
        ({"guidance_3d": "none"}, {"guidance_3d"}),
        ({"guidance_2d": "none"}, {"guidance_2d"}),
        ({"guidance_3d": "none", "guidance_2d": "none"}, {"guidance_3d", "guidance_2d"}),
        ({"rpc_3d_weight": 0}, {"rpc_3d", "rpc_3d_kept", "rpc_3d_confidence"}),
        ({"rpc_2d_weight": 0}, {"rpc_2d", "rpc_2d_kept", "rpc_2d_confidence"}),
    ],
)
def test_a_term_that_is_off_leaves_the_others(batch, settings, gone):
    full, model = losses_of(make_model(), batch), make_model(**settings)
    result = model(batch)
    check_gradients(model, result["loss"])
    assert set(full) - set(result) == gone
    for term in {"cam_3d", "cam_2d", "rpc_3d", "rpc_2d"} - gone:
        assert result[term].item() == pytest.approx(full[term], rel=1e-4), term
    for direction, projection in (
        ("guidance_3d", model.project_points),
        ("guidance_2d", model.project_images),
    ):
        assert (projection is None) == (direction in gone)


def test_without_consistency_the_teacher_does_not_run(batch, monkeypatch):
    model = make_model(rpc_3d_weight=0, rpc_2d_weight=0)
    monkeypatch.setattr(model.teacher, "forward", None)
    for branch in ("points", "images"):
        monkeypatch.setattr(model.teacher, branch, None)
    assert set(model(batch)) == {"loss", "cam_3d", "cam_2d", "guidance_3d", "guidance_2d"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"guidance_3d": "cosine"}, "guidance_3d is 'cosine'; expected one of none, contrastive,"),
        ({"guidance_2d": "cosine"}, "guidance_2d is 'cosine'; expected one of none, contrastive,"),
        ({"consistency": "pixel"}, "consistency is 'pixel'; expected one of region-point,"),
        ({"network": "both"}, "network is 'both'; expected one of teacher, student"),
        ({"supervised_weight": -1.0}, "supervised_weight is -1.0; expected at least 0"),
        ({"guidance_3d_weight": float("nan")}, "guidance_3d_weight is nan; expected at least 0"),
        ({"guidance_temperature": 0.0}, "guidance_temperature is 0.0; expected at least 0.001"),
        ({"max_pairs": 0}, "max_pairs is 0; expected at least 1"),
        ({"rpc_threshold": 5.0}, "rpc_threshold is 5.0; expected 0 to 1"),
    ],
)
def test_unknown_choices_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_model(**settings)


def with_labels(samples, label):
    return [{**s, "segment": torch.full((len(s["coord"]),), label)} for s in samples]


def test_supervision_from_point_labels(samples):
    labeled = with_labels(samples, 3)
    labeled[1]["segment"][::2] = -1
    model = make_model(supervised_weight=0.5, cam_3d_weight=0.0)
    result = model(collate_fn(labeled))
    check_gradients(model, result["loss"])
    with torch.no_grad():
        batch = collate_fn(labeled)
        logits = make_model().student.points(batch)[1]
        expected = F.cross_entropy(logits, batch["segment"], ignore_index=-1)
    assert result["supervised"].item() == pytest.approx(0.5 * expected.item(), rel=1e-4)
    assert result["cam_3d"] == 0


def test_supervision_without_any_labeled_point(samples):
    model = make_model(supervised_weight=1.0)
    result = model(collate_fn(with_labels(samples, -1)))
    check_gradients(model, result["loss"])
    assert result["supervised"] == 0


def test_point_labels_are_there_when_and_only_when_they_are_asked_for(samples, batch):
    with pytest.raises(
        ValueError, match=r"no point labels, but supervised_weight is 1.0; expected"
    ):
        make_model(supervised_weight=1.0)(batch)
    with pytest.raises(
        ValueError, match=r"has point labels, but supervised_weight is 0.0; expected"
    ):
        make_model()(collate_fn(with_labels(samples, 3)))


# --------------------------------------------------------------------------- the teacher


def test_training_leaves_the_teacher_alone_and_in_eval_mode(batch):
    model = make_model()
    for _ in range(2):
        model.train()
        assert all(module.training for module in model.student.modules())
        assert not any(module.training for module in model.teacher.modules())
    before = {k: v.clone() for k, v in model.teacher.state_dict().items()}
    student = {k: v.clone() for k, v in model.student.state_dict().items()}
    model(batch)["loss"].backward()
    for key, value in model.teacher.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert any(not torch.equal(v, student[k]) for k, v in model.student.state_dict().items())


# ------------------------------------------------------------------------------ inference


@pytest.fixture(scope="module")
def scene(prepared_root):
    return make_dataset(prepared_root, split="val", mode="eval")[0]


@torch.no_grad()
def test_evaluation_returns_what_pointcept_reads(scene):
    model, batch = make_model().eval(), collate_fn([scene])
    result = model(batch)
    assert set(result) == {"seg_logits", "image_logits", "loss"}
    n = len(scene["coord"])
    assert result["seg_logits"].shape == (n, C)
    assert result["image_logits"].shape == (V * 36 * 48, C)
    expected = F.cross_entropy(result["seg_logits"], scene["segment"], ignore_index=-1)
    assert result["loss"].item() == pytest.approx(expected.item())
    for key in ("image", "segment"):
        del batch[key]
    assert set(model(batch)) == {"seg_logits"}


@torch.no_grad()
def test_the_chosen_network_answers(scene):
    batch = collate_fn([scene])
    model = make_model().eval()
    student, teacher = (model.infer(batch, name) for name in ("student", "teacher"))
    assert torch.equal(model(batch)["seg_logits"], teacher["seg_logits"])
    chosen = make_model(network="student").eval()(batch)
    for key in ("seg_logits", "image_logits"):
        assert torch.equal(chosen[key], student[key])
        assert not torch.equal(student[key], teacher[key])
    assert model.branch_net("student") is model.student
    with pytest.raises(ValueError, match="network is 'mean'"):
        model.infer(batch, "mean")


# ------------------------------------------------------------------------------ branches


class Toy(torch.nn.Module):
    """A backbone that returns a `Point`-like object and may tell its width."""

    def __init__(self, out_channels=None):
        super().__init__()
        self.linear = torch.nn.Linear(6, 9)
        if out_channels:
            self.out_channels = out_channels

    def forward(self, input_dict):
        return types.SimpleNamespace(feat=self.linear(input_dict["feat"]))


@pytest.fixture
def toy():
    MODELS.register_module("Toy-PointBackbone", module=Toy)
    yield {"type": "Toy-PointBackbone"}
    MODELS.module_dict.pop("Toy-PointBackbone")


def test_a_backbone_that_returns_a_point(toy, batch):
    model = make_model(backbone=toy, backbone_out_channels=9)
    check_gradients(model, model(batch)["loss"])
    told = TwoBranchNet({**toy, "out_channels": 9}, ENCODER, C)
    assert told.point_channels == told.point_head.in_features == 9


def test_a_backbone_of_unknown_width_is_refused(toy):
    with pytest.raises(ValueError, match="Toy-PointBackbone does not tell its feature width"):
        TwoBranchNet(toy, ENCODER, C)


def test_image_activation_keeps_its_corners(batch):
    """Bilinear with aligned corners: the map's corner cells are the image's corner pixels."""
    network = make_model().student.eval()
    with torch.no_grad():
        features, activation = maps_of(network.images(view_stacks(batch)))
        expected = network.image_head(features)
    assert activation.shape == (2 * V, C, 36, 48)
    for at in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        corner = (slice(None), slice(None), *at)
        np.testing.assert_allclose(activation[corner], expected[corner], atol=1e-5)
    assert pixel_rows(activation).data_ptr() == activation.data_ptr()  # a view, no copy
