"""A training sample as a straightforward data set class makes it, for comparison with ours.

Every step is taken on all points, as one reads it in the paper: transforms of geometry and color
for teacher and student, voxels by unique rows, projection by 4 x 4 matrices, images by torchvision.
Shapes: N points, V views of H x W pixels.
"""

import json

import numpy as np
import torch
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image
from pointcept.datasets.transform import Compose
from torchvision import transforms as T


class HueSaturation:
    """Turn the hue, scale the saturation, of every point's color through HSV."""

    def __init__(self, hue_max, saturation_max):
        self.hue_max, self.saturation_max = hue_max, saturation_max

    def __call__(self, data):
        hsv = rgb_to_hsv(data["color"] / 255)
        hsv[:, 0] = (hsv[:, 0] + np.random.uniform(-self.hue_max, self.hue_max)) % 1
        scale = 1 + np.random.uniform(-self.saturation_max, self.saturation_max)
        hsv[:, 1] = np.clip(hsv[:, 1] * scale, 0, 1)
        data["color"] = np.clip(hsv_to_rgb(hsv) * 255, 0, 255).astype(np.float32)
        return data


def build_transforms(configs):
    """The configured transforms, ours of the colors replaced by the one above."""
    result = []
    for config in map(dict, configs):
        if config["type"] == "WSegPCHueSaturation":
            result.append(HueSaturation(config["hue_max"], config["saturation_max"]))
        else:
            result.append(Compose([config]))
    return result


def apply(steps, data):
    data = {key: value.copy() for key, value in data.items()}
    for step in steps:
        data = step(data)
    return data


def unique_voxels(coord, grid_size):
    """First point of each voxel, voxel of each point, and voxel coordinates."""
    grid = np.floor(coord / grid_size).astype(np.int64)
    grid -= grid.min(axis=0)
    voxel, first, inverse = np.unique(grid, axis=0, return_index=True, return_inverse=True)
    return first, inverse.reshape(-1), voxel


def image_transform(jitter):
    return T.Compose([T.ColorJitter(*jitter), T.ToTensor()])


class TextbookDataset:
    """The arguments, of one scene, that `MultiViewDataset` takes too; no structure removal."""

    def __init__(self, scene, tags_file, config, names):
        self.scene, self.names = scene, names
        self.tags = json.loads(tags_file.read_text())
        self.num_views = config["num_views"]
        self.grid_size, self.tolerance = config["grid_size"], config["depth_tolerance"]
        color = build_transforms(config["color_augmentation"])
        self.weak = [*build_transforms(config["teacher_augmentation"]), *color]
        self.strong = [*build_transforms(config["student_augmentation"]), *color]
        self.student_image = image_transform(config["student_image_jitter"])
        self.teacher_image = image_transform(config["teacher_image_jitter"])

    def sample(self):
        scene = self.scene
        points = {k: np.load(scene / f"{k}.npy").astype(np.float32) for k in ("coord", "color")}
        points["normal"] = np.load(scene / "normal.npy").astype(np.float32)
        teacher = apply(self.weak, points)
        student = apply(self.strong, teacher)
        kept, _, voxel = unique_voxels(student["coord"], self.grid_size)
        first, inverse, teacher_voxel = unique_voxels(teacher["coord"], self.grid_size)
        region = np.load(scene / "region.npy")[kept]
        ids, compact = np.unique(region, return_inverse=True)
        tags = torch.tensor([[float(n in self.tags[scene.name]) for n in self.names]])
        sample = {
            **self.cloud(student, kept, voxel),
            **{f"teacher_{k}": v for k, v in self.cloud(teacher, first, teacher_voxel).items()},
            "teacher_row": torch.from_numpy(inverse[kept]),
            "teacher_sample_offset": torch.tensor([len(first)]),
            "region": torch.from_numpy(compact - (ids[0] < 0)),
            "point_tags": tags,
            "teacher_tags": tags,
            "image_tags": tags,
            "view_tags": tags.repeat(self.num_views, 1),
            "view_tagged": torch.zeros(self.num_views, dtype=torch.bool),
            "name": scene.name,
        }
        return {**sample, **self.views(points["coord"], kept)}

    def cloud(self, data, index, voxel):
        feat = np.concatenate([data["color"] / 127.5 - 1, data["normal"]], axis=1)[index]
        return {
            "coord": torch.from_numpy(data["coord"][index]),
            "grid_coord": torch.from_numpy(voxel),
            "feat": torch.from_numpy(feat).float(),
            "offset": torch.tensor([len(index)]),
        }

    def views(self, coord, kept):
        """Images of V random views, and the links of the kept points to their pixels."""
        with np.load(self.scene / "views.npz") as stored:
            frames, intrinsic, pose = (
                stored[key] for key in ("frame", "intrinsic", "world_to_camera")
            )
        voxel_of_point = np.full(len(coord), -1)
        voxel_of_point[kept] = np.arange(len(kept))
        image, teacher_image, region, links = [], [], [], []
        for number, part in enumerate(np.array_split(np.arange(len(frames)), self.num_views)):
            v = np.random.choice(part)
            path = self.scene / "views" / f"{frames[v]:06d}"
            photo = Image.open(f"{path}.jpg")
            image.append(self.student_image(photo))
            teacher_image.append(self.teacher_image(photo))
            ids = np.array(Image.open(f"{path}.region.png")).astype(np.int32)
            region.append(torch.from_numpy(np.where(ids == 65535, -1, ids)))
            depth = np.array(Image.open(f"{path}.depth.png")) / 1000.0
            point, row, col = self.visible(coord, intrinsic[v], pose[v], depth)
            voxel = voxel_of_point[point]
            link = np.stack([np.full(len(point), number), voxel, row, col], axis=1)
            links.append(link[voxel >= 0])
        view, voxel, row, col = torch.from_numpy(np.concatenate(links)).unbind(1)
        return {
            "image": torch.cat([i.permute(1, 2, 0).reshape(-1, 3) for i in image]),
            "teacher_image": torch.cat([i.permute(1, 2, 0).reshape(-1, 3) for i in teacher_image]),
            "image_region": torch.cat([ids.flatten() for ids in region]),
            "view_size": torch.tensor([ids.shape for ids in region]),
            "view_offset": torch.tensor([len(image)]),
            **{"link_view": view, "link_point": voxel, "link_row": row, "link_col": col},
            "link_offset": torch.tensor([len(view)]),
        }

    def visible(self, coord, intrinsic, world_to_camera, depth):
        """Points whose depth is that of their pixel: point, row, column."""
        homogeneous = np.concatenate([coord, np.ones((len(coord), 1))], axis=1)  # (N, 4) float64
        camera = np.eye(4)
        camera[:3, :3] = intrinsic
        x, y, z, _ = camera @ world_to_camera @ homogeneous.T
        with np.errstate(divide="ignore", invalid="ignore"):
            col, row = np.round(x / z), np.round(y / z)
        height, width = depth.shape
        inside = (z > 0) & (col >= 0) & (col < width) & (row >= 0) & (row < height)
        point = np.flatnonzero(inside)
        col, row = col[point].astype(int), row[point].astype(int)
        measured = depth[row, col]
        seen = (measured > 0) & (np.abs(measured - z[point]) <= self.tolerance)
        return point[seen], row[seen], col[seen]
