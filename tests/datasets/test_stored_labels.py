"""Labels of a store at the student's voxels. N points, C classes."""

import numpy as np
import pytest
import small
from pointcept.datasets import build_dataset

from pointcept_wsegpc.contracts.label_store import LabelStore


@pytest.fixture(params=["voted", "labels alone"])
def labels(request, prepared_root, tmp_path):
    """A store of all training scenes, and the probabilities (N, C) of each."""
    scenes = build_dataset(small.dataset_config(prepared_root))
    num_classes, rng = len(scenes.names), np.random.default_rng(0)
    store = LabelStore(tmp_path / "store", scenes.names, {"round": 1}).open(scenes.scene_keys)
    expected = {}
    for key, scene in zip(scenes.scene_keys, scenes.scenes, strict=True):
        count = len(np.load(scene / "coord.npy"))
        label = rng.integers(-1, num_classes, count).astype(np.int16)
        confidence = rng.random(count).astype(np.float16)
        voted, probs = {}, np.zeros((count, num_classes), np.float32)
        if request.param == "voted":
            region = rng.integers(-1, 9, count).astype(np.int32)
            voted = {"region": region, "region_probs": rng.random((9, num_classes), np.float32)}
            voted["point_probs"] = rng.random((int((region < 0).sum()), num_classes), np.float32)
            alone = iter(voted["point_probs"].astype(np.float16))
            for i, r in enumerate(region):
                probs[i] = next(alone) if r < 0 else voted["region_probs"][r].astype(np.float16)
        else:
            for i in np.flatnonzero(label >= 0):
                probs[i, label[i]] = confidence[i]
        store.write(key, label, confidence, **voted)
        expected[key] = probs
    store.finish()
    return store.path, expected


@pytest.mark.parametrize("mix3d_prob", [0.0, 1.0])
def test_every_voxel_has_the_probabilities_of_its_point(prepared_root, labels, mix3d_prob):
    store, expected = labels
    config = small.dataset_config(prepared_root, feat_keys=["coord"], mix3d_prob=mix3d_prob)
    dataset = build_dataset({**config, "stored_labels": str(store)})
    sample = dataset[1]
    # The teacher's points stay where they are; the student's move when scenes are mixed.
    coord = sample["teacher_coord"][sample["teacher_row"]].numpy()
    names = sample["name"].split("+")
    points = np.concatenate([np.load(prepared_root / "train" / n / "coord.npy") for n in names])
    probs = np.concatenate([expected[name] for name in names])
    assert len(names) == 1 + mix3d_prob and sample["stored_probs"].shape[1] == probs.shape[1]
    cells = {}
    for point, row in zip(points, probs, strict=True):
        cells.setdefault(tuple(point), []).append(row)
    if mix3d_prob == 0:
        for point, row in zip(coord, sample["stored_probs"].numpy(), strict=True):
            assert any(np.allclose(row, other, atol=1e-3) for other in cells[tuple(point)])
    else:  # a voxel of the student may show another point of its teacher's voxel
        rows = {tuple(np.round(row, 2)) for row in probs}
        assert all(tuple(np.round(row, 2)) in rows for row in sample["stored_probs"].numpy())


def test_a_store_of_other_classes_is_refused(prepared_root, tmp_path):
    dataset = build_dataset(small.dataset_config(prepared_root))
    store = LabelStore(tmp_path / "store", ["one"], {}).open(dataset.scene_keys)
    for key, scene in zip(dataset.scene_keys, dataset.scenes, strict=True):
        none = np.full(len(np.load(scene / "coord.npy")), -1, np.int16)
        store.write(key, none, none.astype(np.float16))
    store.finish()
    with pytest.raises(ValueError, match="one"):
        build_dataset(small.dataset_config(prepared_root, stored_labels=str(store.path)))
