"""Lifting of 2D scores: a slow oracle, one point and one view at a time, and the odd inputs."""

import numpy as np
import pytest
import torch

from pointcept_wsegpc.priors.lift import lift

CLASSES, HEIGHT, WIDTH = 4, 9, 12


def cameras(rng, count):
    intrinsic = np.array([[8.0, 0, 5.5], [0, 7.0, 4.0], [0, 0, 1]])
    pose = np.tile(np.eye(4), (count, 1, 1))
    pose[:, :3, 3] = rng.normal((0, 0, 0.5), 0.3, (count, 3))
    return np.tile(intrinsic, (count, 1, 1)), pose


@pytest.fixture
def case():
    rng = np.random.default_rng(3)
    coord = rng.uniform([-2, -2, 0.5], [2, 2, 4], (300, 3)).astype(np.float32)
    intrinsic, pose = cameras(rng, 5)
    scores = rng.dirichlet(np.full(CLASSES, 0.4), (5, HEIGHT, WIDTH)).transpose(0, 3, 1, 2)
    depth = rng.uniform(0.5, 4, (5, HEIGHT, WIDTH))
    depth[rng.random(depth.shape) < 0.2] = 0
    return {
        "coord": coord, "scores": scores, "intrinsic": intrinsic, "world_to_camera": pose,
        "depth": depth,
    }  # fmt: skip


def z_buffer(coord, intrinsic, pose):
    depth = np.full((HEIGHT, WIDTH), np.inf)
    for x in coord.astype(np.float64):
        camera = pose[:3, :3] @ x + pose[:3, 3]
        u, v, _ = intrinsic @ camera / camera[2]
        row, col = int(np.floor(v + 0.5)), int(np.floor(u + 0.5))
        if camera[2] > 0 and 0 <= row < HEIGHT and 0 <= col < WIDTH:
            depth[row, col] = min(depth[row, col], camera[2])
    return depth


def oracle(coord, scores, intrinsic, world_to_camera, depth, tolerance, tags, how):
    probs, seen = np.zeros((len(coord), CLASSES)), np.zeros(len(coord), int)
    present = np.ones(CLASSES) if tags is None else np.asarray(tags)
    if depth is None:
        depth = [
            z_buffer(coord, *camera) for camera in zip(intrinsic, world_to_camera, strict=True)
        ]
    for n, point in enumerate(coord.astype(np.float64)):
        found = []
        for s, k, pose, d in zip(scores, intrinsic, world_to_camera, depth, strict=True):
            x, y, z = pose[:3, :3] @ point + pose[:3, 3]
            if z <= 0:
                continue
            u, v = k[0, 0] * x / z + k[0, 2], k[1, 1] * y / z + k[1, 2]
            if not (0 <= u <= WIDTH - 1 and 0 <= v <= HEIGHT - 1):
                continue
            measured = d[int(np.floor(v + 0.5)), int(np.floor(u + 0.5))]
            if measured <= 0 or abs(measured - z) > max(tolerance[0], tolerance[1] * measured):
                continue
            left, top = min(int(u), WIDTH - 2), min(int(v), HEIGHT - 2)
            x, y = u - left, v - top
            p = (1 - y) * ((1 - x) * s[:, top, left] + x * s[:, top, left + 1])
            p = p + y * ((1 - x) * s[:, top + 1, left] + x * s[:, top + 1, left + 1])
            p = p * present
            if p.sum() > 0:
                found.append(p / p.sum() if tags is not None else p)
        seen[n] = len(found)
        if found and how == "log":
            mean = np.log(np.maximum(found, 1e-6)).mean(0)
            weight = np.exp(mean - mean.max()) * present
            probs[n] = weight / weight.sum()
        elif found:
            probs[n] = np.mean(found, 0) / np.sum(np.mean(found, 0))
    return probs, seen


@pytest.mark.parametrize("how", ["log", "mean"])
@pytest.mark.parametrize("tags", [None, [1, 0, 1, 0]])
@pytest.mark.parametrize("measured", [True, False])
def test_lift_is_the_oracle(case, how, tags, measured):
    depth = case.pop("depth")
    depth = depth if measured else None
    settings = {"tolerance": (0.2, 0.1), "tags": tags, "how": how}
    probs, seen = lift(**case, depth=depth, **settings)
    wanted, wanted_seen = oracle(**case, depth=depth, **settings)
    np.testing.assert_array_equal(seen, wanted_seen)
    np.testing.assert_allclose(probs, wanted, atol=2e-6)
    assert seen.max() > 1 and (seen == 0).any()
    np.testing.assert_allclose(probs.sum(1), seen > 0, atol=1e-6)
    if tags:
        assert (probs[:, np.array(tags) == 0] == 0).all()


def test_torch_in_torch_out(case):
    given = {key: torch.from_numpy(value) for key, value in case.items()}
    probs, seen = lift(**given)
    wanted, wanted_seen = lift(**case)
    assert isinstance(probs, torch.Tensor) and isinstance(seen, torch.Tensor)
    np.testing.assert_array_equal(probs.numpy(), wanted)
    np.testing.assert_array_equal(seen.numpy(), wanted_seen)


def test_a_view_without_a_present_class_sees_nothing():
    scores = np.zeros((1, 2, 1, 1))
    scores[0, 0] = 1
    camera = {"intrinsic": np.eye(3)[None], "world_to_camera": np.eye(4)[None]}
    for tags, count in (([1, 1], 1), ([0, 1], 0), ([0, 0], 0), (None, 1)):
        probs, seen = lift(np.array([[0, 0, 1.0]]), scores, **camera, tags=tags)
        assert seen.tolist() == [count]
        assert probs.sum() == count


def test_degenerate_sizes(case):
    none = {key: value[:0] for key, value in case.items() if key != "coord"}
    probs, seen = lift(case["coord"], **none)
    assert probs.shape == (300, CLASSES) and not probs.any() and not seen.any()
    case["coord"] = case["coord"][:0]
    assert lift(**case)[0].shape == (0, CLASSES)
    case["coord"] = np.full((3, 3), np.nan, np.float32)
    assert not lift(**case)[1].any()
    with pytest.raises(ValueError, match="how"):
        lift(**case, how="median")
    with pytest.raises(ValueError, match="grid"):
        lift(**{**case, "coord": np.ones((1, 3)), "depth": case["depth"][:, :-1]})
