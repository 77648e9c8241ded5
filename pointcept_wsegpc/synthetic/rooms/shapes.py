"""Patches and solids: the geometry that synthetic furniture is made of.

A patch is a grid (U, V, 3) of control points in meters, linear in between; every surface, flat or
curved, is one. A solid is a list of patches. Which side faces outwards is left open: the mesh
orients its faces towards the camera that saw them, as a reconstruction does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .paint import Paint

ROUND = 20  # sides of a round cross-section
FLAT = (1.0, 0.15, 1.0)  # stretches a thing on a wall to little relief


@dataclass
class Model:
    """One object: patches, their paints, its raw category, and where other things may go.

    Own frame: x along the wall, y into the room with the back at 0, z up from the floor; `position`
    and `yaw` say where that frame is now. In the own frame, whatever `placed` did: `seats`, the
    (x, y, yaw) of chairs pushed towards it; `top`, its free surface (2, 3); `opening`, what a door
    or window cuts out of its wall (x0, x1, z0, z1, depth).
    """

    label: str
    patches: list[np.ndarray] = field(default_factory=list)
    paints: list[Paint] = field(default_factory=list)
    seats: list[tuple[float, float, float]] = field(default_factory=list)
    top: np.ndarray | None = None
    opening: tuple[float, float, float, float, float] | None = None
    position: np.ndarray = field(default_factory=lambda: np.zeros(3))
    yaw: float = 0.0

    def add(self, patches: list[np.ndarray], paint: Paint) -> None:
        self.patches += patches
        self.paints += [paint] * len(patches)

    def bounds(self) -> np.ndarray:
        """Lower and upper corner, (2, 3)."""
        points = np.concatenate([patch.reshape(-1, 3) for patch in self.patches])
        return np.stack([points.min(0), points.max(0)])

    def placed(self, position, yaw: float = 0.0) -> Model:
        """The same object, turned about z by `yaw` radians and then moved to `position`."""
        turn = rotation_z(yaw)
        return replace(
            self,
            patches=[patch @ turn.T + np.asarray(position) for patch in self.patches],
            position=turn @ self.position + np.asarray(position),
            yaw=self.yaw + yaw,
        )

    def stretched(self, factor) -> Model:
        """The same object, scaled along the axes of its own frame by `factor` (3,)."""
        own, factor = self.in_own_frame(), np.asarray(factor, float)
        opening = own.opening
        if opening is not None:
            opening = tuple(np.array(opening) * factor[[0, 0, 2, 2, 1]])
        own = replace(
            own,
            patches=[patch * factor for patch in own.patches],
            seats=[(x * factor[0], y * factor[1], yaw) for x, y, yaw in own.seats],
            top=None if own.top is None else own.top * factor,
            opening=opening,
        )
        return own.placed(self.position, self.yaw)

    def in_own_frame(self) -> Model:
        """The same object, moved back to its own frame."""
        return self.placed(-rotation_z(-self.yaw) @ self.position, -self.yaw)


def pick(rng, *options):
    """One of the options, at random."""
    return options[rng.integers(len(options))]


def rotation_z(yaw: float) -> np.ndarray:
    """(3, 3), anticlockwise by `yaw` radians."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def box(lo, hi) -> list[np.ndarray]:
    """The six faces of an axis-aligned box."""
    (x0, y0, z0), (x1, y1, z1) = lo, hi
    return prism([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], z0, z1)


def rectangle(lo, hi) -> np.ndarray:
    """A patch spanned by two opposite corners that share one coordinate."""
    lo, hi = np.asarray(lo, float), np.asarray(hi, float)
    flat = int(np.argmin(np.abs(hi - lo)))
    u, v = np.eye(3)[[axis for axis in range(3) if axis != flat]] * (hi - lo)
    return np.array([[lo, lo + v], [lo + u, lo + u + v]])


def prism(outline, z0: float, z1: float) -> list[np.ndarray]:
    """A vertical prism over a convex quadrilateral outline (4, 2)."""
    low = np.column_stack([outline, np.full(4, z0)])
    high = np.column_stack([outline, np.full(4, z1)])
    sides = [np.stack([low[[i, i - 1]], high[[i, i - 1]]]) for i in range(4)]
    caps = [ring[[0, 1, 3, 2]].reshape(2, 2, 3) for ring in (low, high)]
    return sides + caps


def lathe(profile, center=(0.0, 0.0), scale=(1.0, 1.0)) -> list[np.ndarray]:
    """A surface of revolution about z: `profile` lists (radius, z), `scale` makes it oval."""
    angle = np.linspace(0, 2 * np.pi, ROUND + 1)
    radius, z = np.asarray(profile, float).T
    circle = np.stack([np.cos(angle) * scale[0], np.sin(angle) * scale[1]], -1)
    xy = circle[:, None] * radius[:, None] + np.asarray(center)
    return [np.concatenate([xy, np.broadcast_to(z[:, None], xy[..., :1].shape)], -1)]


def disc(radius: float, z: float, center=(0.0, 0.0), scale=(1.0, 1.0)) -> list[np.ndarray]:
    """A horizontal disc as a square grid pulled round, so that its cells are of similar size."""
    u, v = np.meshgrid(np.linspace(-1, 1, 7), np.linspace(-1, 1, 7), indexing="ij")
    x, y = u * np.sqrt(1 - v**2 / 2), v * np.sqrt(1 - u**2 / 2)
    x, y = center[0] + radius * scale[0] * x, center[1] + radius * scale[1] * y
    return [np.stack([x, y, np.full_like(u, z)], -1)]


def cylinder(radius, z0, z1, center=(0.0, 0.0), top_radius=None, scale=(1.0, 1.0)):
    """An upright cylinder, or a truncated cone if `top_radius` is given, with both ends closed."""
    top_radius = radius if top_radius is None else top_radius
    side = lathe([(radius, z0), (top_radius, z1)], center, scale)
    return side + disc(radius, z0, center, scale) + disc(top_radius, z1, center, scale)


def rod(start, end, radius: float) -> list[np.ndarray]:
    """A thin round bar between two points, open at its ends."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    axis = (end - start) / np.linalg.norm(end - start)
    side = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    side /= np.linalg.norm(side)
    angle = np.linspace(0, 2 * np.pi, 9)[:, None]
    ring = radius * (np.cos(angle) * side + np.sin(angle) * np.cross(axis, side))
    return [np.stack([start + ring, end + ring], 1)]


def cushion(lo, hi, exponent: float = 0.45) -> list[np.ndarray]:
    """A superellipsoid that fills the box lo..hi: exponent 1 is an ellipsoid, near 0 a box."""

    def power(value):
        return np.sign(value) * np.abs(value) ** exponent

    lat = np.linspace(-np.pi / 2, np.pi / 2, 11)[None]
    lon = np.linspace(-np.pi, np.pi, ROUND + 1)[:, None]
    unit = [power(np.cos(lat)) * power(np.cos(lon)), power(np.cos(lat)) * power(np.sin(lon))]
    unit.append(np.broadcast_to(power(np.sin(lat)), unit[0].shape))
    lo, hi = np.asarray(lo), np.asarray(hi)
    return [(lo + hi) / 2 + np.stack(unit, -1) * (hi - lo) / 2]


def basin(lo, hi, rim: float, floor: float, slope: float) -> list[np.ndarray]:
    """A tub: a box without lid, a rim, and a hollow whose walls lean in by `slope` meters."""
    (x0, y0, _), (x1, y1, z1) = lo, hi

    def ring(inset, z):
        low_x, low_y, high_x, high_y = x0 + inset, y0 + inset, x1 - inset, y1 - inset
        xy = [(low_x, low_y), (high_x, low_y), (high_x, high_y), (low_x, high_y)]
        return np.array([(x, y, z) for x, y in xy])

    edge, inner, bottom = ring(0, z1), ring(rim, z1), ring(rim + slope, floor)
    patches = box(lo, hi)[:4]  # without its caps
    for outer, lower in ((edge, inner), (inner, bottom)):
        patches += [np.stack([outer[[i, i - 1]], lower[[i, i - 1]]]) for i in range(4)]
    return [*patches, bottom[[0, 1, 3, 2]].reshape(2, 2, 3)]


def drape(path, z0: float, z1: float, folds: float, depth: float) -> list[np.ndarray]:
    """Hanging cloth along a polyline `path` (K, 2): `folds` per meter, each `depth` meters deep."""
    path = np.asarray(path, float)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(9, int(length[-1] * folds * 8)))
    xy = np.stack([np.interp(at, length, path[:, axis]) for axis in (0, 1)], -1)
    tangent = np.gradient(xy, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], -1)
    wave = depth * np.sin(2 * np.pi * folds * at)[:, None] * normal
    rows = [
        np.column_stack([xy + wave * swing, np.full(len(at), z)])
        for z, swing in ((z1, 0.6), ((z0 + z1) / 2, 1.0), (z0, 1.2))
    ]
    return [np.stack(rows, 1)]
