"""Collate and transforms."""

import random

import numpy as np
import pytest
import torch
from pointcept.datasets import build_dataset, collate_fn, point_collate_fn
from pointcept.datasets.transform import TRANSFORMS, Compose


def seeded(seed):
    random.seed(seed)
    np.random.seed(seed)


def scene(points=500, seed=0):
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(points, 3))
    return {
        "coord": rng.uniform(-2, 3, (points, 3)).astype(np.float32),
        "color": rng.uniform(20, 230, (points, 3)).astype(np.float32),
        "normal": (normal / np.linalg.norm(normal, axis=1, keepdims=True)).astype(np.float32),
        "segment": rng.integers(-1, 5, points).astype(np.int32),
        "name": "scene0000_00",
    }


def build(name, **settings):
    return TRANSFORMS.build({"type": name, **settings})


@pytest.mark.parametrize("collate", [collate_fn, point_collate_fn])
def test_collate_plain_offset_and_string_keys(collate):
    samples = [
        {
            "coord": torch.full((n, 3), float(n)),
            "view": torch.arange(n),
            "offset": torch.tensor([n]),
            "view_offset": torch.tensor([1, n]),
            "name": f"scene{n}",
        }
        for n in (2, 3, 5)
    ]
    batch = collate(samples)
    assert batch["coord"].shape == (10, 3)
    assert batch["view"].tolist() == [0, 1, 0, 1, 2, 0, 1, 2, 3, 4]
    assert batch["offset"].tolist() == [2, 5, 10]
    assert batch["view_offset"].tolist() == [1, 2, 3, 5, 6, 10]
    assert batch["name"] == ["scene2", "scene3", "scene5"]


def test_to_tensor_types():
    data = build("ToTensor")(
        {
            "float": np.zeros(2, np.float64),
            "int": np.zeros(2, np.int16),
            "bool": np.zeros(2, bool),
            "text": "a",
            "list": [np.zeros(1, np.float32), "b"],
        }
    )
    assert data["float"].dtype == torch.float32
    assert data["int"].dtype == torch.int64
    assert data["bool"].dtype == torch.bool
    assert data["text"] == "a" and data["list"][1] == "b"
    with pytest.raises(TypeError):
        build("ToTensor")(object())


def test_collect():
    data = build("ToTensor")(scene(7))
    sample = build(
        "Collect",
        keys=("coord", "name"),
        offset_keys_dict={"offset": "coord", "color_offset": "color"},
        feat_keys=("color", "normal"),
    )(data)
    assert sorted(sample) == ["color_offset", "coord", "feat", "name", "offset"]
    assert sample["offset"].tolist() == sample["color_offset"].tolist() == [7]
    assert torch.equal(sample["feat"], torch.cat([data["color"], data["normal"]], 1))


def test_grid_sample_takes_one_point_per_voxel():
    original = scene(3000)
    seeded(0)
    sample = build(
        "GridSample",
        grid_size=0.5,
        hash_type="fnv",
        mode="train",
        return_grid_coord=True,
        return_inverse=True,
    )(scene(3000))
    voxel = np.floor(original["coord"] / 0.5).astype(int)
    voxel -= voxel.min(0)
    assert len(sample["coord"]) == len(np.unique(voxel, axis=0))
    assert len(np.unique(sample["grid_coord"], axis=0)) == len(sample["grid_coord"])
    np.testing.assert_array_equal(sample["grid_coord"][sample["inverse"]], voxel)
    for key in ("color", "normal", "segment"):
        assert len(sample[key]) == len(sample["coord"])
    # Rows stay together: each chosen point is one of the original ones, whole.
    columns = ("coord", "color", "normal")
    rows = {tuple(row) for row in np.hstack([original[key] for key in columns])}
    assert all(tuple(row) in rows for row in np.hstack([sample[key] for key in columns]))


def test_only_index_valid_keys_are_selected():
    data = dict(scene(200), region=np.arange(200), table=np.arange(200))
    data["index_valid_keys"] = ["coord", "region"]
    data = build("GridSample", grid_size=2.0)(data)
    assert len(data["coord"]) == len(data["region"]) < 200
    assert len(data["color"]) == len(data["table"]) == 200


def test_copy_is_a_copy():
    data = build("Copy", keys_dict={"coord": "origin_coord", "segment": "origin_segment"})(scene())
    data["coord"] += 1
    np.testing.assert_array_equal(data["origin_coord"], scene()["coord"])


@pytest.mark.parametrize("apply_z", [True, False])
def test_center_shift(apply_z):
    coord = build("CenterShift", apply_z=apply_z)(scene())["coord"]
    middle = (coord.min(0) + coord.max(0)) / 2
    np.testing.assert_allclose(middle[:2], 0, atol=1e-5)
    expected = 0 if apply_z else scene()["coord"][:, 2].min()
    assert coord[:, 2].min() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_rotation_turns_points_and_normals_alike(axis):
    data = build("RandomRotate", angle=[0.5, 0.5], axis=axis, center=[0, 0, 0], p=1)(scene())
    column = "xyz".index(axis)
    a, b = (column + 1) % 3, (column + 2) % 3
    for key in ("coord", "normal"):
        before, after = scene()[key], data[key]
        np.testing.assert_allclose(after[:, column], before[:, column], atol=1e-5)
        np.testing.assert_allclose(after[:, a], -before[:, b], atol=1e-5)  # a quarter turn
        np.testing.assert_allclose(after[:, b], before[:, a], atol=1e-5)


def test_rotation_keeps_the_middle_of_the_box():
    cube = np.array([[x, y, z] for x in (1, 3) for y in (4, 6) for z in (0, 2)], np.float32)
    coord = build("RandomRotate", angle=[0.3, 0.3], always_apply=True)({"coord": cube})["coord"]
    np.testing.assert_allclose(coord.mean(0), [2, 5, 1], atol=1e-5)


def test_flip_scale_and_jitter():
    data = build("RandomFlip", p=1)(scene())
    for key in ("coord", "normal"):
        np.testing.assert_array_equal(data[key], scene()[key] * [-1, -1, 1])
    coord = build("RandomScale", scale=[2, 2])(scene())["coord"]
    np.testing.assert_allclose(coord, scene()["coord"] * 2, rtol=1e-6)
    noise = build("RandomJitter", sigma=0.005, clip=0.02)(scene(20000))["coord"]
    noise = noise - scene(20000)["coord"]
    assert abs(noise).max() <= 0.02 + 1e-6
    assert noise.std() == pytest.approx(0.005, rel=0.05)


def test_colors():
    stretched = build("ChromaticAutoContrast", p=1, blend_factor=1)(scene())["color"]
    np.testing.assert_allclose(stretched.min(0), 0, atol=1e-3)
    np.testing.assert_allclose(stretched.max(0), 255, atol=1e-3)
    shift = build("ChromaticTranslation", p=1, ratio=0.05)(scene())["color"] - scene()["color"]
    np.testing.assert_allclose(shift, shift[:1].repeat(len(shift), 0), atol=1e-3)
    assert abs(shift).max() <= 0.05 * 255 + 1e-3
    noise = build("ChromaticJitter", p=1, std=0.01)(scene(20000))["color"] - scene(20000)["color"]
    assert noise.std() == pytest.approx(2.55, rel=0.05)


@pytest.mark.parametrize(
    "name", ["RandomRotate", "RandomFlip", "ChromaticAutoContrast", "ChromaticTranslation"]
)
def test_probability_zero_changes_nothing(name):
    data = build(name, p=0)(scene())
    for key in ("coord", "color", "normal"):
        np.testing.assert_array_equal(data[key], scene()[key])


def test_the_same_seeds_give_the_same_sample():
    names = ["RandomRotate", "RandomScale", "RandomFlip", "RandomJitter", "ChromaticAutoContrast"]
    names += ["ChromaticTranslation", "ChromaticJitter", "GridSample"]
    transform = Compose([{"type": name} for name in names])
    samples = []
    for seed in (1, 1, 2):
        seeded(seed)
        samples.append(transform(scene()))
    assert np.array_equal(samples[0]["coord"], samples[1]["coord"])
    assert not np.array_equal(samples[0]["coord"], samples[2]["coord"])


def test_scannet_scene_from_disk(tmp_path):
    folder = tmp_path / "train" / "scene0000_00"
    folder.mkdir(parents=True)
    arrays = scene(30)
    for key in ("coord", "color", "normal"):
        np.save(folder / f"{key}.npy", arrays[key].astype(np.uint8 if key == "color" else "f4"))
    np.save(folder / "region.npy", np.zeros(30, np.int32))
    cfg = {"type": "ScanNetDataset", "split": "train", "data_root": str(tmp_path), "loop": 3}
    unlabeled = build_dataset({**cfg, "transform": []})[2]
    assert unlabeled["segment"].tolist() == [-1] * 30
    np.save(folder / "segment20.npy", arrays["segment"])
    dataset = build_dataset({**cfg, "transform": [{"type": "ToTensor"}]})
    assert len(dataset) == 3
    sample = dataset[1]
    assert sample["name"] == "scene0000_00" and sample["split"] == "train"
    assert sample["segment"].tolist() == arrays["segment"].tolist()
    assert sample["color"].dtype == torch.float32 and sample["color"].max() > 1
    assert "region" not in sample
