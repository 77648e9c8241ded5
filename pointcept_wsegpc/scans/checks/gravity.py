"""Whether z points up, as told by how people hold cameras. V views."""

import numpy as np

SURE = 0.7  # of the mean upward vector's length along one axis
HELD = 0.4  # length of the mean upward vector; shorter, cameras were held every way


def mean_up(views):
    """Mean (3,) of the images' upward direction in the axis-aligned world, length at most 1."""
    up = -views.world_to_camera[:, 1, :3]  # the camera's y axis points down
    return (up @ views.axis_alignment[:3, :3].T).mean(axis=0)


def check_gravity(findings, views):
    """Add a vertical axis other than z: structure removal and rotations would be about z."""
    up = mean_up(views)
    length = float(np.linalg.norm(up))
    findings.measures["up"] = [round(float(u), 3) for u in up]
    axis = int(np.abs(up).argmax())
    if length < HELD or abs(up[axis]) < SURE * length or (axis == 2 and up[2] > 0):
        return
    name = ("" if up[axis] > 0 else "-") + "xyz"[axis]
    findings.add(
        "up-axis",
        f"cameras are held upright against {name}; expected z to point up",
        f"turn points and poses so that z is up (own scans: --up {name}), or give an axis "
        "alignment, and prepare again",
    )
