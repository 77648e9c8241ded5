"""WSegPC: point-wise segmentation from scene-level tags, as a Pointcept segmentor.

Shapes: N student voxels, V views of H x W pixels, L links, C classes. datasets/multiview.py lists
the keys of a batch.
"""

import math

import torch
from pointcept.models.builder import MODELS
from torch import nn

from ..losses.consistency import CONSISTENCY, AdaptiveThreshold
from ..losses.cross_entropy import labelled_cross_entropy
from ..losses.distributed import world_size
from ..losses.ragged import pixel_rows
from ..losses.tags import pool_scene_logits, scene_tag_loss
from .branches import TwoBranchNet
from .guidance import KINDS, guidance_loss, paired_sides, projection
from .teacher import build_teacher, teacher_pixels, teacher_points

NETWORKS = ("teacher", "student")
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
        guidance_3d, guidance_2d: loss by which the other branch teaches the 3D (2D) branch: "none",
            "contrastive" (Eq. 1), "affinity", "mse" or "cam", see losses/guidance.py. A frozen
            image encoder learns from none, its head from "cam".
        guidance_weight: the paper's alpha, of both. guidance_warmup: length of its ramp, in
            iterations, that is training forwards.
        temperature: of the contrastive guidance, Eq. 1.
        num_pairs, pairs_per_view, min_visible: point-pixel pairs of a scene, of a view, and how
            many links a view must have more than, to take part.
        consistency: form of it: "region-point" (Eq. 2-8), "point-point" or "region", see
            losses/consistency.py.
        consistency_3d, consistency_2d: the paper's beta; 0 switches the branch's term off.
        consistency_warmup: iterations of its ramp.
        threshold, adaptive: see `AdaptiveThreshold`.
        supervised_weight: of the cross-entropy of the 3D branch against point labels. For an upper
            reference only; it needs labels=True in the training data.
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
        consistency="region-point",
        consistency_3d=1.0,
        consistency_2d=1.0,
        consistency_warmup=2400,
        threshold=0.8,
        adaptive=True,
        supervised_weight=0.0,
        inference="teacher",
    ):
        super().__init__()
        check_choice("guidance_3d", guidance_3d, KINDS)
        check_choice("guidance_2d", guidance_2d, KINDS)
        check_choice("consistency", consistency, CONSISTENCY)
        check_choice("inference", inference, NETWORKS)
        check_ranges(
            0, cam_weight=cam_weight, image_cam_weight=image_cam_weight,
            guidance_weight=guidance_weight, min_visible=min_visible,
            consistency_3d=consistency_3d, consistency_2d=consistency_2d,
            supervised_weight=supervised_weight,
        )  # fmt: skip
        check_ranges(1, num_pairs=num_pairs, pairs_per_view=pairs_per_view)
        check_ranges(1e-3, temperature=temperature)
        check_ranges(0, 1, threshold=threshold)
        self.student = TwoBranchNet(backbone, image_encoder or {}, num_classes, backbone_channels)
        self.teacher = build_teacher(self.student)
        points, pixels = self.student.point_channels, self.student.image_channels
        self.guidance_3d, self.guidance_2d = guidance_3d, guidance_2d
        self.project_points = projection(guidance_3d, points, pixels)
        self.project_pixels = projection(guidance_2d, pixels, points)
        self.temperature = temperature
        self.cam_weight, self.image_cam_weight = cam_weight, image_cam_weight
        self.guidance_weight, self.guidance_warmup = guidance_weight, guidance_warmup
        per_view = {"max_per_view": pairs_per_view, "min_per_view": min_visible}
        self.pairing = {"total": num_pairs, **per_view}
        self.consistency = consistency
        self.consistency_3d, self.consistency_2d = consistency_3d, consistency_2d
        self.consistency_warmup = consistency_warmup
        self.threshold_3d = AdaptiveThreshold(num_classes, threshold, adaptive)
        self.threshold_2d = AdaptiveThreshold(num_classes, threshold, adaptive)
        self.supervised_weight = supervised_weight
        self.register_buffer("iteration", torch.zeros((), dtype=torch.int64))
        self.inference = inference

    def network(self, name):
        """The student or the teacher `TwoBranchNet`."""
        check_choice("network", name, NETWORKS)
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
        points, pixels = self.student.points(batch), self.student.images(batch["image"])
        point_logits, pixel_logits = points[1], pixels[1]
        view_scores = pixel_logits.float().mean((2, 3))  # views have one size: mean of means
        ends = batch["view_offset"]
        viewed = torch.diff(ends, prepend=ends.new_zeros(1)) > 0  # others have no 2D score
        losses = {
            "cam_3d": self.cam_weight
            * scene_tag_loss(pool_scene_logits(point_logits, batch["offset"]), batch["tags"]),
            "cam_2d": self.image_cam_weight
            * scene_tag_loss(
                pool_scene_logits(view_scores, ends)[viewed], batch["image_tags"][viewed]
            ),
        }
        if self._is_labelled(batch):
            loss = labelled_cross_entropy(point_logits, batch["segment"])
            losses["supervised"] = self.supervised_weight * loss
        guidance = self._guidance(batch, points, pixels)
        losses.update(guidance)
        stats = {}
        if self.consistency_3d or self.consistency_2d:
            consistency, stats = self._consistency(batch, point_logits, pixel_logits)
            losses.update(consistency)
        self.iteration += 1
        # Gradients are averaged over the processes; a sum over all scenes must not be.
        loss = sum(losses.values()) + (world_size() - 1) * sum(guidance.values())
        return {"loss": loss, **{k: v.detach() for k, v in (*losses.items(), *stats.items())}}

    def _is_labelled(self, batch):
        """Are there point labels? They must be when, and only when, the model is to see them."""
        labelled = "segment" in batch
        if labelled != (self.supervised_weight > 0):
            raise ValueError(
                f"the training batch has {'' if labelled else 'no '}point labels, but "
                f"supervised_weight is {self.supervised_weight}; expected labels=True in "
                "data.train together with a weight > 0, or neither"
            )
        return labelled

    def _guidance(self, batch, points, pixels):
        """Guidance in both directions, summed over the scenes of the batch."""
        kinds = self.guidance_3d, self.guidance_2d
        if kinds == ("none", "none"):
            return {}
        sides = paired_sides(batch, points, pixels, kinds, **self.pairing)
        directions = {
            "guidance_3d": (self.guidance_3d, self.project_points, sides),
            "guidance_2d": (self.guidance_2d, self.project_pixels, [s[::-1] for s in sides]),
        }
        weight = self.guidance_weight * warmup(self.iteration, self.guidance_warmup)
        return {
            name: weight * sum(guidance_loss(*s, kind, project, self.temperature) for s in pairs)
            for name, (kind, project, pairs) in directions.items()
            if kind != "none"
        }

    def _consistency(self, batch, point_logits, pixel_logits):
        """Eq. 2-8 on both branches, the teacher's tag-masked predictions as supervision."""
        consistency_loss = CONSISTENCY[self.consistency]
        weight = warmup(self.iteration, self.consistency_warmup)
        losses, stats = {}, {}
        if self.consistency_3d:
            probs, region = teacher_points(self.teacher, batch)
            loss, seen = consistency_loss(point_logits, probs, region, self.threshold_3d)
            losses["rpc_3d"] = self.consistency_3d * weight * loss
            stats.update({f"{k}_3d": v for k, v in seen.items()})
        if self.consistency_2d:
            probs, region = teacher_pixels(self.teacher, batch)
            loss, seen = consistency_loss(
                pixel_rows(pixel_logits), probs, region, self.threshold_2d
            )
            losses["rpc_2d"] = self.consistency_2d * weight * loss
            stats.update({f"{k}_2d": v for k, v in seen.items()})
        return losses, stats


def check_choice(name, value, known):
    """Raise ValueError for a value that is not among the known ones."""
    if value not in known:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(known)}")


def check_ranges(low, high=math.inf, **values):
    """Raise ValueError for a value outside low..high, ends included; NaN is outside."""
    for name, value in values.items():
        if not low <= value <= high:
            expected = f"at least {low}" if high == math.inf else f"{low} to {high}"
            raise ValueError(f"{name} is {value}; expected {expected}")
