"""WSegPC: point-wise segmentation from scene-level tags, as a Pointcept segmentor.

Shapes: N student voxels, V views of H x W pixels, L links, C classes. datasets/multiview.py lists
the keys of a batch.
"""

import functools

import torch
from pointcept.models.builder import MODELS
from torch import nn

from ..losses import guidance as guidance_losses
from ..losses.consistency import AdaptiveThreshold, region_point_consistency
from ..losses.processes import world_size
from ..losses.tags import pixel_rows, pool_scene_logits, scene_tag_loss, tag_softmax
from .batch import prefixed, shift_index, unique_ids
from .branches import TwoBranchNet
from .pairing import draw_pairs, sample_pixel_features
from .teacher import build_teacher

GUIDANCE = ("none", "contrastive")
IGNORE = -1  # Pointcept's ignore_index


def warmup(iteration, length):
    """Linear ramp 0..1 over `length` iterations; iteration is a tensor, so nothing synchronises."""
    return ((iteration + 1) / max(length, 1)).clamp(max=1.0)


@MODELS.register_module("WSegPC")
class WSegPC(nn.Module):
    """Class activation in 2D and 3D, cross-modal guidance, region-point consistency.

    Args:
        num_classes, backbone, backbone_channels, image_encoder: see `TwoBranchNet`.
        cam_weight, image_cam_weight: of the tag losses of the 3D and the 2D branch.
        guidance_3d, guidance_2d: loss by which the other branch teaches the 3D (2D) branch.
        guidance_weight: the paper's alpha, of both. guidance_warmup: length of its ramp, in
            iterations, that is training forwards.
        temperature: of the contrastive guidance, Eq. 1.
        num_pairs, pairs_per_view, min_visible: point-pixel pairs of a scene, of a view, and how
            many links a view must have more than, to take part.
        consistency_3d, consistency_2d: the paper's beta; 0 switches the branch's term off.
        consistency_warmup: iterations of its ramp.
        threshold, adaptive: see `AdaptiveThreshold`.
        inference: "teacher" or "student", the network of eval mode.

    In training it returns scalars, `loss` among them. In eval mode it returns Pointcept's
    `seg_logits` (N, C), `image_logits` (V, C, H, W) where the batch has images, and with `segment`
    the cross-entropy as `loss`.
    """

    def __init__(
        self,
        num_classes,
        backbone,
        backbone_channels=None,
        image_encoder=None,
        cam_weight=1.0,
        image_cam_weight=1.0,
        guidance_3d="contrastive",
        guidance_2d="contrastive",
        guidance_weight=0.05,
        guidance_warmup=2400,
        temperature=0.07,
        num_pairs=512,
        pairs_per_view=512,
        min_visible=64,
        consistency_3d=1.0,
        consistency_2d=1.0,
        consistency_warmup=2400,
        threshold=0.8,
        adaptive=True,
        inference="teacher",
    ):
        super().__init__()
        for name in (guidance_3d, guidance_2d):
            if name not in GUIDANCE:
                raise ValueError(f"guidance is {name!r}; expected one of {GUIDANCE}")
        self.student = TwoBranchNet(backbone, image_encoder or {}, num_classes, backbone_channels)
        self.teacher = build_teacher(self.student)
        points, pixels = self.student.point_channels, self.student.image_channels
        self.project_points = nn.Linear(points, pixels) if guidance_3d != "none" else None
        self.project_pixels = nn.Linear(pixels, points) if guidance_2d != "none" else None
        self.contrast = functools.partial(
            guidance_losses.contrastive_guidance, temperature=temperature
        )
        self.cam_weight, self.image_cam_weight = cam_weight, image_cam_weight
        self.guidance_weight, self.guidance_warmup = guidance_weight, guidance_warmup
        self.pairing = {
            "total": num_pairs,
            "max_per_view": pairs_per_view,
            "min_per_view": min_visible,
        }
        self.consistency_3d, self.consistency_2d = consistency_3d, consistency_2d
        self.consistency_warmup = consistency_warmup
        self.threshold_3d = AdaptiveThreshold(num_classes, threshold, adaptive)
        self.threshold_2d = AdaptiveThreshold(num_classes, threshold, adaptive)
        self.register_buffer("iteration", torch.zeros((), dtype=torch.int64))
        self.network(inference)  # refuses an unknown name here, not at the first evaluation
        self.inference = inference

    def network(self, name):
        """The student or the teacher `TwoBranchNet`."""
        if name not in ("teacher", "student"):
            raise ValueError(f"network is {name!r}; expected 'teacher' or 'student'")
        return self.teacher if name == "teacher" else self.student

    def start_stage(self):
        """Forget the schedule of an earlier stage whose weights were loaded, not its weights."""
        self.iteration.zero_()
        self.threshold_3d.count.zero_()
        self.threshold_2d.count.zero_()

    def forward(self, input_dict):
        return self._losses(input_dict) if self.training else self.infer(input_dict, self.inference)

    def infer(self, input_dict, network):
        """Logits of one network: seg_logits (N, C), image_logits (V, C, H, W), loss if labelled."""
        net = self.network(network)
        result = {"seg_logits": net.points(input_dict)[1]}
        if "image" in input_dict:
            result["image_logits"] = net.images(input_dict["image"])[1]
        if "segment" in input_dict:
            segment = input_dict["segment"].long()
            total = nn.functional.cross_entropy(
                result["seg_logits"].float(), segment, ignore_index=IGNORE, reduction="sum"
            )
            result["loss"] = total / (segment != IGNORE).sum().clamp(min=1)
        return result

    # ----------------------------------------------------------------------------- training

    def _losses(self, batch):
        point_features, point_logits = self.student.points(batch)
        pixel_features, pixel_logits = self.student.images(batch["image"])
        view_scores = pixel_logits.float().mean((2, 3))  # views have one size: mean of means
        losses = {
            "cam_3d": self.cam_weight
            * scene_tag_loss(pool_scene_logits(point_logits, batch["offset"]), batch["tags"]),
            "cam_2d": self.image_cam_weight
            * scene_tag_loss(
                pool_scene_logits(view_scores, batch["view_offset"]), batch["image_tags"]
            ),
        }
        guidance = self._guidance(batch, point_features, pixel_features)
        losses.update(guidance)
        stats = {}
        if self.consistency_3d or self.consistency_2d:
            consistency, stats = self._consistency(batch, point_logits, pixel_logits)
            losses.update(consistency)
        self.iteration += 1
        # Gradients are averaged over the processes; a sum over all scenes must not be.
        loss = sum(losses.values()) + (world_size() - 1) * sum(guidance.values())
        return {"loss": loss, **{k: v.detach() for k, v in (*losses.items(), *stats.items())}}

    def _guidance(self, batch, point_features, pixel_features):
        """Eq. 1 in both directions, summed over the scenes of the batch."""
        directions = {}
        if self.project_points is not None:
            directions["guidance_3d"] = lambda p, q: self.contrast(self.project_points(p), q)
        if self.project_pixels is not None:
            directions["guidance_2d"] = lambda p, q: self.contrast(self.project_pixels(q), p)
        if not directions:
            return {}
        point, pixel, sizes = draw_pairs(batch, **self.pairing)
        # One gather each for the whole batch: a gather per scene would also mean, backwards, a
        # gradient of the size of all feature maps per scene.
        points = point_features[point].split(sizes)
        pixels = sample_pixel_features(pixel_features, *pixel, batch["image"].shape[-2:])
        pixels = pixels.split(sizes)
        weight = self.guidance_weight * warmup(self.iteration, self.guidance_warmup)
        return {name: weight * sum(map(loss, points, pixels)) for name, loss in directions.items()}

    def _consistency(self, batch, point_logits, pixel_logits):
        """Eq. 2-8 on both branches, the teacher's tag-masked predictions as supervision."""
        weight = warmup(self.iteration, self.consistency_warmup)
        losses, stats = {}, {}
        if self.consistency_3d:
            loss, seen = region_point_consistency(
                point_logits,
                self._teacher_points(batch),
                unique_ids(batch["region"], batch["offset"]),
                self.threshold_3d,
            )
            losses["rpc_3d"] = self.consistency_3d * weight * loss
            stats.update({f"{k}_3d": v for k, v in seen.items()})
        if self.consistency_2d:
            pixel_offset = pixel_ends(batch["teacher_image"])
            loss, seen = region_point_consistency(
                pixel_rows(pixel_logits),
                self._teacher_pixels(batch, pixel_offset),
                unique_ids(batch["image_region"].flatten(), pixel_offset),
                self.threshold_2d,
            )
            losses["rpc_2d"] = self.consistency_2d * weight * loss
            stats.update({f"{k}_2d": v for k, v in seen.items()})
        return losses, stats

    @torch.no_grad()
    def _teacher_points(self, batch):
        """Teacher probabilities (N, C) at the student's voxels, absent classes 0."""
        logits = self.teacher.points(prefixed(batch, "teacher"))[1]
        probs = tag_softmax(logits, batch["teacher_tags"], batch["teacher_offset"])
        index = shift_index(batch["teacher_index"], batch["offset"], batch["teacher_sample_offset"])
        return probs[index]

    @torch.no_grad()
    def _teacher_pixels(self, batch, pixel_offset):
        """Teacher probabilities (V * H * W, C), each view masked with its own scene's tags."""
        logits = self.teacher.images(batch["teacher_image"])[1]
        return tag_softmax(pixel_rows(logits), batch["view_tags"], pixel_offset)


def pixel_ends(image):
    """Cumulative ends (V,) of the views' pixels."""
    views, _, height, width = image.shape
    return torch.arange(1, views + 1, device=image.device) * (height * width)
