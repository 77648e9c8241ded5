"""A training sample of stage one, built from one or two loaded scenes ("parts").

Shapes: N student voxels, M teacher voxels, V views of H x W pixels, L links, K parts. Coordinates
in metres, pixel centres at integers. A part is a dict of the point arrays `coord, color, normal,
region` after structure removal, `scene` (folder), `views` (schema.Views) and `chosen` (positions in
views).
"""

import numpy as np

from ..camera import visible_pixels
from ..clouds.ids import compact_ids, join_ids
from ..clouds.voxels import nearest_half, voxelize
from ..contracts.views import read_view_image
from ..transforms.images import prepare_images
from ..transforms.scenes import scatter_scenes
from ..transforms.views import concatenate_links, point_features

POINT_KEYS = ("coord", "color", "normal")


def point_views(parts, teacher_view, student_view, color_view, grid_size, rng, max_voxels=None):
    """Teacher clouds apart, the student's together, and the index that connects the two.

    The student's colours are drawn once more on top of the teacher's, on its voxels only. Where
    there are more than max_voxels, the parts are cut down in place. Returns the named arrays of the
    sample and index (N,), the concatenated parts' point behind each student voxel.
    """
    teacher = [
        teacher_view(color_view({k: p[k].astype(np.float32) for k in POINT_KEYS})) for p in parts
    ]
    student = [student_view({k: view[k].copy() for k in POINT_KEYS}) for view in teacher]
    for view, coord in zip(
        student, scatter_scenes([v["coord"] for v in student], rng), strict=True
    ):
        view["coord"] = coord
    if max_voxels:
        cut_down(parts, teacher, student, grid_size, max_voxels, rng)
    voxels = [voxelize(view["coord"], grid_size) for view in teacher]
    sizes = np.array([len(grid) for grid, _, _ in voxels])
    starts = sizes.cumsum() - sizes
    to_teacher = np.concatenate([v[2] + start for v, start in zip(voxels, starts, strict=True)])
    cloud = {key: np.concatenate([view[key] for view in student]) for key in POINT_KEYS}
    grid_coord, index, _ = voxelize(cloud["coord"], grid_size)
    selected = [select(view, first) for view, (_, first, _) in zip(teacher, voxels, strict=True)]
    arrays = {
        **cloud_arrays(color_view(select(cloud, index)), grid_coord),
        "offset": np.array([len(index)]),
        "region": compact_ids(join_ids([part["region"] for part in parts])[index]),
        "teacher_offset": sizes.cumsum(),
        "teacher_sample_offset": sizes.sum(keepdims=True),
        "teacher_index": to_teacher[index],
    }
    merged = {key: np.concatenate([view[key] for view in selected]) for key in POINT_KEYS}
    teacher_arrays = cloud_arrays(merged, np.concatenate([grid for grid, _, _ in voxels]))
    arrays.update({f"teacher_{key}": array for key, array in teacher_arrays.items()})
    return arrays, index


def cut_down(parts, teacher, student, grid_size, limit, rng):
    """Halve the largest part until teacher and student have at most `limit` voxels each.

    Augmentation changes how many voxels a part has, so only the two views can tell. All three lists
    are changed in place; limit >= K, so that no part is emptied. As in `crop_to_voxels` the nearest
    half stays, in the coordinates that augmentation has not rounded.
    """
    for views in (teacher, student):
        while True:
            voxels = [voxelize(view["coord"], grid_size) for view in views]
            sizes = [len(first) for _, first, _ in voxels]
            if sum(sizes) <= limit:
                break
            largest = int(np.argmax(sizes))
            _, first, inverse = voxels[largest]
            half = nearest_half(parts[largest]["coord"][first], rng)
            for clouds in (parts, teacher, student):
                keep_points(clouds[largest], np.isin(inverse, half))


def keep_points(part, keep):
    """Leave only the points `keep` (N,) bool in a part or in a view of it."""
    for key in {*POINT_KEYS, "region", "segment"} & part.keys():
        part[key] = part[key][keep]


def select(cloud, index):
    """The points `index` of a cloud."""
    return {key: cloud[key][index] for key in POINT_KEYS}


def cloud_arrays(cloud, grid_coord):
    """What a 3D backbone reads of a voxelised cloud."""
    feat = point_features(cloud["color"], cloud["normal"])
    return {"coord": cloud["coord"], "grid_coord": grid_coord, "feat": feat}


def point_pixel_links(parts, index, tolerance):
    """Link the student voxels' own points, unaugmented, to the pixels that see them.

    index (N,): the concatenated parts' point behind each voxel. Returns the columns link_view,
    link_point (voxel), link_row, link_col, each (L,), and link_offset (1,).
    """
    links, start = [], 0
    for part in parts:
        end = start + len(part["coord"])
        voxel = np.flatnonzero((index >= start) & (index < end))
        coord, views = part["coord"][index[voxel] - start], part["views"]
        for v in part["chosen"]:
            depth = read_view_image(part["scene"], views.frame[v], "depth", views.size)
            camera = views.intrinsic[v], views.world_to_camera[v]
            point, row, col = visible_pixels(coord, *camera, depth, tolerance)
            links.append((voxel[point], row, col))
        start = end
    table = concatenate_links(links)
    return {**table, "link_offset": np.array([len(table["link_view"])])}


def image_views(parts, normalization, student_jitter, teacher_jitter, rng):
    """Student and teacher images (V, 3, H, W), their regions (V, H, W), view_offset (1,)."""
    read = [
        [read_chosen(p["scene"], p["views"], p["chosen"], kind) for p in parts]
        for kind in ("color", "region")
    ]
    color, region = map(np.concatenate, read)
    return {
        "image": prepare_images(color, *normalization, student_jitter, rng),
        "teacher_image": prepare_images(color, *normalization, teacher_jitter, rng),
        "image_region": region,
        "view_offset": np.array([len(color)]),
    }


def read_chosen(scene, views, chosen, kind):
    """One kind of image of the chosen views, (V, H, W, ...); V may be 0."""
    images = [read_view_image(scene, f, kind, views.size) for f in views.frame[chosen]]
    if images:
        return np.stack(images)
    if kind == "color":
        return np.empty((0, *views.size, 3), np.uint8)
    return np.empty((0, *views.size), np.int32)
