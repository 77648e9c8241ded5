"""WSegPC: point-wise segmentation from scene-level tags, as a Pointcept segmentor.

Shapes: N student voxels, V views with P pixels, L links, C classes. datasets/multiview.py lists the
keys of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from pointcept.models.builder import MODELS
from torch import nn

from ..losses.consistency import CONSISTENCY, AdaptiveThreshold
from ..losses.cross_entropy import labelled_cross_entropy
from ..losses.distributed import world_size
from ..losses.ragged import scene_index
from ..losses.tags import tag_softmax
from . import guidance
from .batch_index import BatchIndex, cloud, view_stacks
from .branches import TwoBranchNet
from .cam import image_tag_loss, point_tag_loss
from .guidance import Links, guidance_loss, paired_sides, projection
from .images import stacked_rows, view_means
from .label_sources import LABEL_SOURCES, mask_stored, needs
from .pairing import draw_pairs
from .teacher import build_teacher

NETWORKS = ("teacher", "student")


def warmup(iteration: torch.Tensor, length: int) -> torch.Tensor:
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
        label_source: what supervises consistency: "teacher", "stored" (labels in the batch: lifted
            predictions or an earlier round's, see the data set's stored_labels) or "blend". The
            tags mask all of them. Where none are stored for pixels, as by stored_labels, the
            teacher supervises the 2D branch. stored_weight: share of the stored labels in a blend.
        supervised_weight: of the cross-entropy of the 3D branch against point labels. For an upper
            reference only; it needs with_labels=True in the training data.
        inference: "teacher" or "student", the network of eval mode.

    In training it returns scalars, `loss` among them. In eval mode it returns Pointcept's
    `seg_logits` (N, C), `image_logits` (P, C) where the batch has images, and with `segment` the
    cross-entropy as `loss`.
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
        label_source="teacher",
        stored_weight=0.5,
        supervised_weight=0.0,
        inference="teacher",
    ):
        super().__init__()
        check_choice("guidance_3d", guidance_3d, guidance.kinds())
        check_choice("guidance_2d", guidance_2d, guidance.kinds())
        check_choice("consistency", consistency, CONSISTENCY.names())
        check_choice("label_source", label_source, LABEL_SOURCES.names())
        check_choice("inference", inference, NETWORKS)
        check_ranges(
            0, cam_weight=cam_weight, image_cam_weight=image_cam_weight,
            guidance_weight=guidance_weight, min_visible=min_visible,
            consistency_3d=consistency_3d, consistency_2d=consistency_2d,
            supervised_weight=supervised_weight,
        )  # fmt: skip
        check_ranges(1, num_pairs=num_pairs, pairs_per_view=pairs_per_view)
        check_ranges(1e-3, temperature=temperature)
        check_ranges(0, 1, threshold=threshold, stored_weight=stored_weight)
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
        self.label_source, self.stored_weight = label_source, stored_weight
        self.supervised_weight = supervised_weight
        self.register_buffer("iteration", torch.zeros((), dtype=torch.int64))
        self.inference = inference

    def network(self, name: str) -> TwoBranchNet:
        """The student or the teacher `TwoBranchNet`."""
        check_choice("network", name, NETWORKS)
        return self.teacher if name == "teacher" else self.student

    def start_stage(self) -> None:
        """Forget the schedule of an earlier stage whose weights were loaded, not its weights."""
        self.iteration.zero_()
        self.threshold_3d.count.zero_()
        self.threshold_2d.count.zero_()

    def forward(self, input_dict: dict) -> dict[str, torch.Tensor]:
        return self._losses(input_dict) if self.training else self.infer(input_dict, self.inference)

    def infer(self, input_dict: dict, network: str) -> dict[str, torch.Tensor]:
        """Logits of one network: seg_logits (N, C), image_logits (P, C), loss if labelled."""
        net = self.network(network)
        result = {"seg_logits": net.points(input_dict).logits}
        if "image" in input_dict:
            result["image_logits"] = stacked_rows(net.images(view_stacks(input_dict)).logits)
        if "segment" in input_dict:
            logits, segment = result["seg_logits"], input_dict["segment"]
            result["loss"] = labelled_cross_entropy(logits, segment, alone=True)
        return result

    # ----------------------------------------------------------------------------- training

    def _losses(self, batch):
        index = BatchIndex.of(batch)
        points, images = self.student(batch, view_stacks(batch, "image", index.view_size))
        view_tags, scene_tags = batch["view_tags"], batch["teacher_tags"]
        cam_3d = point_tag_loss(
            points.logits, batch["offset"], batch["point_tags"], view_tags, scene_tags, index
        )
        view_scores, view_offset = view_means(images.logits), batch["view_offset"]
        cam_2d = image_tag_loss(view_scores, view_offset, batch["image_tags"], view_tags, index)
        losses = {"cam_3d": self.cam_weight * cam_3d, "cam_2d": self.image_cam_weight * cam_2d}
        if self._is_labelled(batch):
            loss = labelled_cross_entropy(points.logits, batch["segment"])
            losses["supervised"] = self.supervised_weight * loss
        # Source scene of each student voxel: under Mix3D its tags are not the sample's.
        point_scene = index.teacher_scene[index.teacher_row]
        link_columns = index.link_point, index.link_view, batch["link_row"], batch["link_col"]
        losses |= self._guidance(
            Links(*link_columns), points, images, scene_tags, point_scene, view_tags, index
        )
        stats = {}
        if self.consistency_3d:
            probs = self._point_labels(batch, point_scene, index)
            terms = points.logits, probs, index.point_region, self.threshold_3d, index.point_voters
            losses["rpc_3d"], stats["3d"] = self._consistency(self.consistency_3d, *terms)
        if self.consistency_2d:
            probs = self._pixel_labels(batch, index)
            rows = stacked_rows(images.logits)
            terms = rows, probs, index.pixel_region, self.threshold_2d, index.pixel_voters
            losses["rpc_2d"], stats["2d"] = self._consistency(self.consistency_2d, *terms)
        self.iteration += 1
        logged = {f"{k}_{d}": v for d, seen in stats.items() for k, v in seen.items()}
        logged = {name: value.detach() for name, value in (losses | logged).items()}
        return {"loss": sum(losses.values()), **logged}

    def _is_labelled(self, batch):
        """Are there point labels? They must be when, and only when, the model is to see them."""
        labelled = "segment" in batch
        if labelled != (self.supervised_weight > 0):
            raise ValueError(
                f"the training batch has {'' if labelled else 'no '}point labels, but "
                f"supervised_weight is {self.supervised_weight}; expected with_labels=True in "
                "data.train together with a weight > 0, or neither"
            )
        return labelled

    def _guidance(self, links, points, images, scene_tags, point_scene, view_tags, index):
        """Guidance in both directions, summed over the scenes of the batch."""
        kinds = {"guidance_3d": self.guidance_3d, "guidance_2d": self.guidance_2d}
        if set(kinds.values()) == {"none"}:
            return {}
        pairs, sizes = draw_pairs(index, **self.pairing)
        links = links.at(pairs)
        point_tags = scene_tags[point_scene[links.point]]
        sides = paired_sides(links, sizes, points, images, point_tags, view_tags, kinds.values())
        directions = {
            "guidance_3d": (self.project_points, sides),
            "guidance_2d": (self.project_pixels, [s[::-1] for s in sides]),
        }
        options = {"temperature": self.temperature}
        weight = self.guidance_weight * warmup(self.iteration, self.guidance_warmup)
        # Gradients are averaged over the processes; a sum over all scenes must not be.
        weight = weight * world_size()
        return {
            name: weight * sum(guidance_loss(*s, kinds[name], project, options) for s in pairs)
            for name, (project, pairs) in directions.items()
            if kinds[name] != "none"
        }

    def _consistency(self, beta, logits, probs, region, threshold, voters):
        """Eq. 2-8 on one branch: its weighted loss and its statistics."""
        weight = beta * warmup(self.iteration, self.consistency_warmup)
        consistency_loss = CONSISTENCY.get(self.consistency)
        loss, stats = consistency_loss(logits, probs, region, threshold, *voters)
        return weight * loss, stats

    @torch.no_grad()
    def _point_labels(self, batch, point_scene, index):
        """Probabilities (N, C) at the student's voxels, masked with the tags of their scenes."""
        teacher = stored = None
        if needs(self.label_source, "teacher"):
            logits = self.teacher.points(cloud(batch, "teacher")).logits
            tags = batch["teacher_tags"], batch["teacher_offset"], index.teacher_scenes
            teacher = tag_softmax(logits, *tags)[index.teacher_row]
        if needs(self.label_source, "stored"):
            if "stored_probs" not in batch:
                raise ValueError(
                    f"label_source is {self.label_source!r}, but the batch has no stored_probs; "
                    "set stored_labels to a label store in data.train, or label_source='teacher'"
                )
            stored = mask_stored(batch["stored_probs"], batch["teacher_tags"][point_scene])
        return LABEL_SOURCES.get(self.label_source)(teacher, stored, self.stored_weight)

    @torch.no_grad()
    def _pixel_labels(self, batch, index):
        """Probabilities (P, C), each view's masked with its tags; the teacher's where none are
        stored for pixels."""
        stored = batch.get("stored_image_probs")
        source = "teacher" if stored is None else self.label_source
        teacher, view_tags = None, batch["view_tags"]
        if needs(source, "teacher"):
            views = view_stacks(batch, "teacher_image", index.view_size)
            logits = stacked_rows(self.teacher.images(views).logits)
            teacher = tag_softmax(logits, view_tags, index.pixel_offset, index.view_pixels)
        if needs(source, "stored"):
            view = scene_index(index.pixel_offset, len(stored))
            stored = mask_stored(stored, view_tags[view])
        return LABEL_SOURCES.get(source)(teacher, stored, self.stored_weight)


def check_choice(name: str, value: str, known: Iterable[str]) -> None:
    """Raise ValueError for a value that is not among the known ones."""
    if value not in known:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(known)}")


def check_ranges(low: float, high: float = math.inf, **values: float) -> None:
    """Raise ValueError for a value outside low..high, ends included; NaN is outside."""
    for name, value in values.items():
        if not low <= value <= high:
            expected = f"at least {low}" if high == math.inf else f"{low} to {high}"
            raise ValueError(f"{name} is {value}; expected {expected}")
