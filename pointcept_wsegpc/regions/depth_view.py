"""The view as a partition method sees it: its depth image lifted to 3D, on the pixel grid.

H x W pixels, M of them with depth. Pixel centers are at integer coordinates.
"""

from __future__ import annotations

import logging
import math
import numbers

import numpy as np
from numba import njit

from ..camera import back_project
from ..clouds.clean import unit_range

# A depth step between pixels that is steeper than a surface at this slope (tangent of the angle
# between its normal and the optical axis, about 72 degrees) is the edge of something.
MAX_SLOPE = 3.0
NORMAL_ERROR = math.radians(5)  # what depth noise may tilt a normal by, one standard deviation
MAX_RADIUS = 7  # pixels
DEPTH_NOISE = 0.0015  # standard deviation of depth per squared meter of it; structured light's
DEPTHS = (1e-6, 1e6)  # meters; outside there is none
LIKELY_DEPTH = (0.1, 30.0)  # meters; outside, the unit of a median depth is likely wrong

logger = logging.getLogger(__name__)


def window_radius(depth: np.ndarray, focal: float, depth_noise: float) -> np.ndarray:
    """Radius (H,W) in pixels of the square window that a pixel's normal is fitted in.

    A line through s x s pixels of size z/f with noise a z^2 has a slope error of
    sqrt(12) a z f / s^2: s is what brings it down to NORMAL_ERROR. For a usual depth camera that
    is 5 pixels at 1 m and 9 at 5 m at 320 x 240, and 3 up to 4 m at 64 x 48.
    """
    side = np.sqrt(math.sqrt(12) * depth_noise * depth * focal / NORMAL_ERROR)
    return np.clip(np.rint((side - 1) / 2), 1, MAX_RADIUS).astype(np.int32)


@njit(cache=True)
def fit_inverse_depth(row, col, depth, radius, step):
    """Least-squares q = a j + b i + c of the inverse depths around a pixel, with RMS residual.

    i, j: row and column relative to the pixel, up to radius pixels away. Left out are pixels
    without depth and those across a depth edge, whose depth differs by more than step[0] meters
    and step[1] meters per pixel of distance. Residual inf: the pixels determine no plane.
    """
    h, w = depth.shape
    z = depth[row, col]
    n, sj, si, sjj, sij, sii = 0, 0, 0, 0, 0, 0
    sq, sqj, sqi, sqq = 0.0, 0.0, 0.0, 0.0
    for i in range(max(-row, -radius), min(h - row, radius + 1)):
        for j in range(max(-col, -radius), min(w - col, radius + 1)):
            other = depth[row + i, col + j]
            if other == 0.0 or abs(other - z) > step[0] + step[1] * max(abs(i), abs(j)):
                continue
            q = 1.0 / other - 1.0 / z
            n, sj, si, sjj, sij, sii = n + 1, sj + j, si + i, sjj + j * j, sij + i * j, sii + i * i
            sq, sqj, sqi, sqq = sq + q, sqj + q * j, sqi + q * i, sqq + q * q
    jj, ij, ii = n * sjj - sj * sj, n * sij - sj * si, n * sii - si * si
    determinant = jj * ii - ij * ij  # integers: exactly 0 for pixels on one line
    if determinant == 0:
        return 0.0, 0.0, 0.0, np.inf
    qj, qi, qq = n * sqj - sq * sj, n * sqi - sq * si, n * sqq - sq * sq
    a = (qj * ii - qi * ij) / determinant
    b = (qi * jj - qj * ij) / determinant
    variance = (qq - a * qj - b * qi) / (n * n)
    return a, b, (sq - a * sj - b * si) / n + 1.0 / z, math.sqrt(max(variance, 0.0))


@njit(cache=True)
def grid_planes(depth, intrinsic, radius, tolerance, slope):
    """Normal (H,W,3) and RMS residual (H,W) in meters of the surface at every pixel.

    On a plane n . X = 1 the inverse depth is linear in the pixel, 1/z = n . K^-1 (column, row, 1),
    and sensor noise, proportional to z^2, is the same everywhere: so the plane is fitted to
    inverse depth, which stays true where noise is larger than the window is wide and a fit to the
    lifted points would turn towards the viewing ray. depth (H,W): 0 = none; radius (H,W) in
    pixels; tolerance, slope (H,W): the step of fit_inverse_depth. Normal 0, residual inf: no plane.
    """
    h, w = depth.shape
    normal = np.zeros((h, w, 3))
    residual = np.full((h, w), np.inf)
    for row in range(h):
        for col in range(w):
            if depth[row, col] == 0.0:
                continue
            step = (tolerance[row, col], slope[row, col])
            a, b, c, rms = fit_inverse_depth(row, col, depth, radius[row, col], step)
            if rms == np.inf:
                continue
            c -= a * col + b * row
            for k in range(3):  # n = K^T (a, b, c)
                normal[row, col, k] = (
                    intrinsic[0, k] * a + intrinsic[1, k] * b + intrinsic[2, k] * c
                )
            length = math.sqrt((normal[row, col] ** 2).sum())
            normal[row, col] /= length
            residual[row, col] = depth[row, col] * rms / length  # |n . X - 1| / |n|
    return normal, residual


class DepthView:
    """M pixels with depth, lifted to 3D: for a partition method, the same as a `cloud.Cloud`.

    depth (H,W): z-depth in meters; 0, negative or not finite = invalid. intrinsic (3,3) at this
    resolution; color (H,W,3) or None; arrays by name: what else a method asks for, such as labels
    (H,W). Sensor noise grows with depth squared: its standard deviation is depth_noise * z^2
    meters. So a pixel may be hypot(max_distance, 3 depth_noise z^2) off the plane of its region,
    and normals are fitted in larger windows (window_radius).
    """

    max_distance = 0.04  # meters
    given_normal = None

    def __init__(self, depth, intrinsic, color=None, depth_noise=DEPTH_NOISE, **arrays):
        self._arrays = arrays
        depth, intrinsic = check_view(depth, intrinsic)
        if not isinstance(depth_noise, numbers.Real) or not 0 <= depth_noise < math.inf:
            raise ValueError(f"depth_noise is {depth_noise}; give a noise per meter of at least 0")
        self.shape = depth.shape
        self.rows = np.flatnonzero(depth)  # (M,) which pixel each row is
        self.coord = back_project(depth, intrinsic).reshape(-1, 3)[self.rows].astype(np.float64)
        self.color = None if color is None else self._select_color(color)
        self.min_size = max(12, depth.size // 1500)  # pixels; 51 at 320 x 240
        self._depth, self._intrinsic, self._noise = depth, intrinsic, depth_noise
        self._focal = min(intrinsic[0, 0], intrinsic[1, 1])  # pixels

    def __len__(self):
        return len(self.rows)

    def array(self, name):
        """What was given under a name, (H,W,...); None where nothing was. Normals are estimated."""
        if name == "normal":
            return self.planes(0)[0]
        return self.color if name == "color" else self._arrays.get(name)

    def _select_color(self, color):
        color = np.asarray(color)
        if color.shape != (*self.shape, 3):
            raise ValueError(f"color has shape {color.shape}; expected {(*self.shape, 3)}")
        color = unit_range(color)
        return None if color is None else self.select(color)

    def check_unit(self):
        """Warn, in the log, where the depths tell that they are not meters."""
        median = float(np.median(self.coord[:, 2])) if len(self) else 1.0
        if not LIKELY_DEPTH[0] <= median <= LIKELY_DEPTH[1]:
            logger.warning(
                "the median depth is about %.1g; rooms in meters have 0.5 to 10: is the unit "
                "meters? Otherwise divide millimeters by 1000",
                median,
            )

    def neighbours(self, k):
        """(M, 9) int32: every row, then the rows around it, -1 = none. There are 8, whatever k."""
        return grid_neighbours(self._depth > 0)

    def planes(self, k):
        """Normal (M,3) and RMS distance (M,) in meters of the pixels around to their plane.

        Normals have length 1 and any sign. 0 and inf where there is no plane. The window follows
        the noise, not k.
        """
        normal, residual = grid_planes(
            self._depth,
            self._intrinsic,
            window_radius(self._depth, self._focal, self._noise),
            np.hypot(self.max_distance, 3.0 * self._noise * self._depth**2),
            MAX_SLOPE * self._depth / self._focal,
        )
        return self.select(normal), self.select(residual)

    def tolerance(self, max_distance):
        """(M,) how far in meters a pixel may be off the plane of the region that takes it."""
        return np.hypot(max_distance, 3.0 * self._noise * self.select(self._depth) ** 2)

    @property
    def footprint(self):
        """(M,) side in meters of what a pixel covers of a surface that faces the camera."""
        return self.select(self._depth) / self._focal

    def select(self, array):
        """The rows (M, ...) of something that is there for every pixel, (H, W, ...)."""
        array = np.asarray(array)
        if array.shape[:2] != self.shape:
            raise ValueError(f"got an image of {array.shape[:2]}; depth has {self.shape}")
        return array.reshape(-1, *array.shape[2:])[self.rows]

    def spread(self, region):
        """Regions (H,W) int32 of all pixels from those of the rows (M,); -1 without depth."""
        spread = np.full(self.shape, -1, np.int32)
        spread.flat[self.rows] = region
        return spread


def grid_neighbours(valid):
    """(M, 9) int32 of the M valid pixels of (H,W): a pixel's own row, then those of the pixels
    around it; -1 = outside the image or not valid.
    """
    h, w = valid.shape
    index = np.full((h + 2, w + 2), -1, np.int32)
    index[1:-1, 1:-1][valid] = np.arange(np.count_nonzero(valid), dtype=np.int32)
    shifts = [(1, 1), *((i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1))]
    return np.stack([index[i : i + h, j : j + w][valid] for i, j in shifts], axis=1)


def check_view(depth, intrinsic):
    """Both as float64, every invalid depth as 0; ValueError for a wrong shape."""
    depth, intrinsic = np.asarray(depth, dtype=np.float64), np.asarray(intrinsic, dtype=np.float64)
    if depth.ndim != 2:
        raise ValueError(f"depth has shape {depth.shape}; expected (H, W)")
    if intrinsic.shape != (3, 3):
        raise ValueError(f"intrinsic has shape {intrinsic.shape}; expected (3, 3)")
    if not min(intrinsic[0, 0], intrinsic[1, 1]) > 0:
        raise ValueError(
            f"focal lengths are {intrinsic[0, 0]} and {intrinsic[1, 1]}; expected both above 0"
        )
    if not np.isfinite(intrinsic).all() or (intrinsic[2] != (0, 0, 1)).any():
        raise ValueError(f"intrinsic is {intrinsic.tolist()}; expected finite, last row 0 0 1")
    return np.where((depth > DEPTHS[0]) & (depth < DEPTHS[1]), depth, 0.0), intrinsic
