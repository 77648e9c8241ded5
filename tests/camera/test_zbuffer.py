"""Rendered depth: against ray casting and a loop over the points."""

import numpy as np
import pytest
import raw_scan

from pointcept_wsegpc.camera.zbuffer import MeshRenderer, PointRenderer
from pointcept_wsegpc.clouds.spacing import reach_of_points


@pytest.mark.parametrize("kind", ["points", "mesh"])
def test_rendered_depth_against_ray_casting(kind):
    coord, surface, face = raw_scan.room()
    normal = np.eye(3)[np.where(surface == raw_scan.FLOOR, 2, 1)]
    intrinsic = raw_scan.DEPTH_INTRINSIC[:3, :3].astype(float)
    if kind == "mesh":
        pytest.importorskip("embreex")
        renderer = MeshRenderer(coord, face)
    else:
        renderer = PointRenderer(coord, normal, reach_of_points(coord))
    for number in (0, 4):
        pose = raw_scan.pose(number)
        expected, _ = raw_scan.render(intrinsic, raw_scan.DEPTH_SIZE, pose)
        found, _ = renderer.draw(intrinsic, np.linalg.inv(pose), raw_scan.DEPTH_SIZE)
        assert ((found > 0) == (expected > 0)).mean() > 0.95  # but for the outline
        both = (found > 0) & (expected > 0)
        error = np.abs(found - expected)[both]
        assert np.median(error) < 1e-4 and np.quantile(error, 0.98) < 0.02


def test_near_surfaces_hide_far_ones():
    near, far = np.mgrid[-5:6, -5:6, 1:2].reshape(3, -1).T, np.mgrid[-19:20, -19:20, 2:3]
    far = far.reshape(3, -1).T
    coord = np.concatenate([0.1 * far * [1, 1, 10], 0.1 * near * [1, 1, 10], [[0, 0, -1.0]]])
    renderer = PointRenderer(coord, np.tile([0, 0, 1.0], (len(coord), 1)), np.full(len(coord), 0.1))
    intrinsic = np.array([[20.0, 0, 21.5], [0, 20, 21.5], [0, 0, 1]])
    depth, shown = renderer.draw(intrinsic, np.eye(4), (44, 44))
    assert np.allclose(depth[14:30, 14:30], 1) and (shown[14:30, 14:30] >= len(far)).all()
    assert np.allclose(depth[20, 36:40], 2) and (depth[0] == 0).all() and (shown[0] == -1).all()


def test_points_of_one_pixel_against_a_loop():
    rng = np.random.default_rng(0)
    coord = np.append(rng.uniform(-2, 2, (3000, 3)), [[np.nan, 0, 1], [0, 0, -1]], axis=0)
    coord[40] = coord[7]  # of two at one place the first shows
    intrinsic, size = np.array([[20.0, 0, 15.5], [0, 22, 11.5], [0, 0, 1]]), (24, 32)
    pose = np.eye(4)
    pose[2, 3] = 2.5
    depth, shown = PointRenderer(coord).draw(intrinsic, pose, size)
    nearest = {}
    for i, (x, y, z) in enumerate(coord.astype(np.float32)):
        z += np.float32(2.5)
        if not (np.isfinite(x) and z > 0):
            continue
        pixel = int(np.floor(22 * y / z + 12)), int(np.floor(20 * x / z + 16))
        inside = 0 <= pixel[0] < size[0] and 0 <= pixel[1] < size[1]
        if inside and z < nearest.get(pixel, (np.inf, 0))[0]:
            nearest[pixel] = z, i
    assert shown.dtype == np.int64 and depth.dtype == np.float32
    assert set(zip(*np.nonzero(shown >= 0), strict=True)) == set(nearest)
    assert all(shown[pixel] == i for pixel, (_, i) in nearest.items())
    assert all(np.isclose(depth[pixel], z) for pixel, (z, _) in nearest.items())
    assert (depth[shown < 0] == 0).all()


def test_discs_without_normals_face_the_camera():
    coord = np.array([[0, 0, 2.0]])
    intrinsic = np.array([[20.0, 0, 10], [0, 20, 10], [0, 0, 1]])
    depth, shown = PointRenderer(coord, None, np.array([0.5])).draw(intrinsic, np.eye(4), (21, 21))
    row, col = np.indices((21, 21)) - 10
    assert ((shown == 0) == (row**2 + col**2 <= 25)).all() and (depth[shown == 0] == 2).all()
