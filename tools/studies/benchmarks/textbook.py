"""Plain versions of losses, teacher, regions and export, written from the paper's equations alone.

What a competent person writes first: every step on its own, on whole (N, C) arrays. Not slow on
purpose, and right: tests/test_benchmark.py compares the results with ours.
Shapes: N points (or pixels), R regions, B scenes, C classes, P pairs, D channels.
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial import cKDTree


def pixel_rows(maps):
    """(V, C, H, W) -> (V * H * W, C)."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def scene_of_point(offset):
    """Scene (N,) of every point from the cumulative ends (B,)."""
    counts = torch.diff(offset, prepend=offset.new_zeros(1))
    return torch.repeat_interleave(torch.arange(len(offset)), counts)


def masked_softmax(logits, tags, scene):
    """Softmax (N, C) over the classes that are tagged in a point's scene."""
    return torch.softmax(logits.masked_fill(tags[scene] == 0, -torch.inf), dim=1)


def vote(probs, region):
    """Eq. 2 at the points: every point gets the mean of its region; one without keeps its own."""
    assigned = region >= 0
    ids = region[assigned]
    total = torch.zeros(int(region.max()) + 1, probs.shape[1]).index_add_(0, ids, probs[assigned])
    mean = total / torch.bincount(ids)[:, None]
    voted = probs.clone()
    voted[assigned] = mean[ids]
    return voted


def region_point_consistency(student_logits, teacher_logits, tags, scene, region, count, base=0.8):
    """Eq. 2-8 from logits (N, C); count (C,) of the labels so far is updated. -> loss ()."""
    with torch.no_grad():
        probs = vote(masked_softmax(teacher_logits, tags, scene), region)
        confidence, label = probs.max(dim=1)
        threshold = base * count / count.max()
        keep = confidence >= threshold[label]
        count += torch.bincount(label[keep], minlength=len(count))
    return (F.cross_entropy(student_logits, label, reduction="none") * keep).mean()


def contrastive_guidance(source, target, temperature=0.07):
    """Eq. 1, (P, D), (P, D) -> ()."""
    source = source / source.norm(dim=1, keepdim=True)
    target = (target / target.norm(dim=1, keepdim=True)).detach()
    similarity = source @ target.T / temperature
    return -(similarity.diag() - similarity.logsumexp(dim=1)).mean()


@torch.no_grad()
def ema_update(teacher, student, decay):
    """One entry of the state after another."""
    state = student.state_dict()
    for name, value in teacher.state_dict().items():
        if value.is_floating_point():
            value.mul_(decay).add_(state[name], alpha=1 - decay)
        else:
            value.copy_(state[name])


# --------------------------------------------------------------------------------- regions


def local_normals(coord, neighbour):
    """Normal (N, 3) and RMS distance (N,) of the plane through every point's neighbours (N, k)."""
    points = coord[neighbour]
    points = points - points.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(np.einsum("nki,nkj->nij", points, points))
    return vectors[:, :, 0], np.sqrt(values[:, 0].clip(min=0) / neighbour.shape[1])


def grow_regions(coord, normal=None, k=12, max_distance=0.04, max_angle=20.0, min_size=50):
    """Region growing (Lafarge & Mallet 2012) in Python: coord (N, 3) m -> region (N,), -1 = none.

    The plane is fitted anew whenever the region has doubled.
    """
    _, neighbour = cKDTree(coord).query(coord, k=min(k + 1, len(coord)))
    estimated, residual = local_normals(coord, neighbour)
    normal = estimated if normal is None else normal
    region, taken, found = np.full(len(coord), -1), np.zeros(len(coord), dtype=bool), 0
    cosine = np.cos(np.radians(max_angle))
    for seed in np.argsort(residual, kind="stable"):
        if taken[seed]:
            continue
        members, center, axis, fitted = [seed], coord[seed], normal[seed], 1
        taken[seed] = True
        for member in members:  # grows while it is walked through
            for other in neighbour[member]:
                near = not taken[other] and abs((coord[other] - center) @ axis) <= max_distance
                if near and abs(normal[other] @ axis) >= cosine:
                    taken[other] = True
                    members.append(other)
            if len(members) >= 2 * fitted and len(members) >= 3:
                fitted, points = len(members), coord[members]
                center = points.mean(axis=0)
                axis = np.linalg.eigh((points - center).T @ (points - center))[1][:, 0]
        if len(members) >= min_size:
            region[members] = found
            found += 1
    return region


def cgal_points(coord, normal):
    """CGAL's Point_set_3 of coord (N, 3) and normal (N, 3), by the calls that the binding has."""
    from CGAL.CGAL_Kernel import Point_3, Vector_3
    from CGAL.CGAL_Point_set_3 import Point_set_3

    points = Point_set_3()
    points.reserve(len(coord))
    points.add_normal_map()
    for place, direction in zip(coord.tolist(), normal.tolist(), strict=True):
        points.insert(Point_3(*place), Vector_3(*direction))
    return points


# ---------------------------------------------------------------------------------- export


@torch.no_grad()
def label_scene(logits, tags, inverse, region):
    """Label and confidence (N,) of the original points, one region after the other.

    Args: logits of voxels; tags (1, C); inverse (N,) voxel of each point; region (N,), -1 = none.
    """
    probs = masked_softmax(logits, tags, torch.zeros(len(logits), dtype=torch.long))[inverse]
    confidence, label = probs.max(dim=1)
    for r in range(int(region.max()) + 1):
        mask = region == r
        mean = probs[mask].mean(dim=0)
        confidence[mask], label[mask] = mean.max(), mean.argmax()
    return label, confidence


def write_label(path, label, confidence):
    np.savez_compressed(
        path, label=label.numpy().astype(np.int16), confidence=confidence.numpy().astype(np.float16)
    )
