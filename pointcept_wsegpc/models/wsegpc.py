"""WSegPC: point-wise segmentation from scene-level tags, as a Pointcept segmentor.

Shapes: N student voxels, V views with P pixels, L links, C classes. datasets/multiview.py lists the
keys of a batch.
"""

from __future__ import annotations

import torch
from pointcept.models.builder import MODELS
from torch import nn

from ..losses.consistency import CONSISTENCY, AdaptiveThreshold
from ..losses.cross_entropy import labeled_cross_entropy
from ..losses.distributed import world_size
from ..losses.ragged import scene_index
from ..losses.tags import tag_softmax
from ..registry import check_choice, check_range
from ..renames import MODEL_KEYS, refuses_old
from . import guidance
from .batch_index import BatchIndex, cloud, view_stacks
from .branches import TwoBranchNet
from .cam import image_tag_loss, point_tag_loss
from .guidance import Links, paired_sides, projection, scenes_guidance_loss
from .images import stacked_rows, view_means
from .label_sources import LABEL_SOURCES, mask_stored, needs
from .pairing import draw_pairs
from .teacher import build_teacher

NETWORKS = ("teacher", "student")


def warmup(iteration: torch.Tensor, length: int) -> torch.Tensor:
    """Linear ramp 0..1 over `length` iterations; iteration is a tensor, so nothing synchronizes."""
    return ((iteration + 1) / max(length, 1)).clamp(max=1.0)


@MODELS.register_module("WSegPC")
@refuses_old(MODEL_KEYS)
class WSegPC(nn.Module):
    """Class activation in 2D and 3D, cross-modal guidance, region-point consistency.

    Args:
        num_classes, backbone, backbone_out_channels, image_encoder, point_head_init: see
            `TwoBranchNet`.
        cam_3d_weight, cam_2d_weight: of the tag losses of the 3D and the 2D branch.
            cam_warmup_iters: training iterations of their ramp, and of that of the point labels.
        guidance_3d, guidance_2d: loss by which the other branch teaches the 3D (2D) branch: "none",
            "contrastive" (Eq. 1), "affinity", "mse" or "cam", see losses/guidance.py. A frozen
            image encoder learns from none, its head from "cam".
        guidance_3d_weight, guidance_2d_weight: the paper's alpha. guidance_warmup_iters: length of
            its ramp.
        guidance_temperature: of the contrastive guidance, Eq. 1.
        max_pairs, max_pairs_per_view, min_pairs_per_view: point-pixel pairs of a scene, of a view,
            and the number of links that a view must exceed to take part.
        consistency: its form: "region-point" (Eq. 2-8), "point-point" or "region", see
            losses/consistency.py.
        rpc_3d_weight, rpc_2d_weight: the paper's beta; 0 switches the branch's term off.
        rpc_warmup_iters: iterations of its ramp.
        rpc_threshold, rpc_adaptive: `base` and `adaptive` of `AdaptiveThreshold`.
        label_source: what supervises consistency: "teacher", "stored" (labels in the batch: lifted
            predictions or an earlier round's, see the data set's stored_labels) or "blend". The
            tags mask all of them. Where none are stored for pixels, as by stored_labels, the
            teacher supervises the 2D branch. stored_weight: share of the stored labels in a blend.
        supervised_weight: of the cross-entropy of the 3D branch against point labels. For an upper
            bound only; it needs with_labels=True in the training data.
        network: "teacher" or "student", which of them answers in eval mode.

    In training it returns scalars, `loss` among them. In eval mode it returns Pointcept's
    `seg_logits` (N, C), `image_logits` (P, C) where the batch has images, and with `segment` the
    cross-entropy as `loss`.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: dict,
        backbone_out_channels: int | None = None,
        image_encoder: dict | None = None,
        point_head_init: str = "uniform",
        cam_3d_weight: float = 1.0,
        cam_2d_weight: float = 1.0,
        cam_warmup_iters: int = 1,
        guidance_3d: str = "contrastive",
        guidance_2d: str = "contrastive",
        guidance_3d_weight: float = 0.05,
        guidance_2d_weight: float = 0.05,
        guidance_warmup_iters: int = 2400,
        guidance_temperature: float = 0.07,
        max_pairs: int = 512,
        max_pairs_per_view: int = 512,
        min_pairs_per_view: int = 64,
        consistency: str = "region-point",
        rpc_3d_weight: float = 1.0,
        rpc_2d_weight: float = 1.0,
        rpc_warmup_iters: int = 2400,
        rpc_threshold: float = 0.8,
        rpc_adaptive: bool = True,
        label_source: str = "teacher",
        stored_weight: float = 0.5,
        supervised_weight: float = 0.0,
        network: str = "teacher",
    ):
        super().__init__()
        check_choice("guidance_3d", guidance_3d, guidance.kinds())
        check_choice("guidance_2d", guidance_2d, guidance.kinds())
        check_choice("consistency", consistency, CONSISTENCY.names())
        check_choice("label_source", label_source, LABEL_SOURCES.names())
        check_choice("network", network, NETWORKS)
        self.weights = {
            "cam_3d": cam_3d_weight,
            "cam_2d": cam_2d_weight,
            "supervised": supervised_weight,
            "guidance_3d": guidance_3d_weight,
            "guidance_2d": guidance_2d_weight,
            "rpc_3d": rpc_3d_weight,
            "rpc_2d": rpc_2d_weight,
        }
        check_range(0, **{f"{term}_weight": weight for term, weight in self.weights.items()})
        check_range(0, min_pairs_per_view=min_pairs_per_view)
        check_range(1, max_pairs=max_pairs, max_pairs_per_view=max_pairs_per_view)
        check_range(1e-3, guidance_temperature=guidance_temperature)
        check_range(0, 1, rpc_threshold=rpc_threshold, stored_weight=stored_weight)
        nets = TwoBranchNet(
            backbone, image_encoder or {}, num_classes, backbone_out_channels, point_head_init
        )
        self.student, self.teacher = nets, build_teacher(nets)
        self.guidance = {"guidance_3d": guidance_3d, "guidance_2d": guidance_2d}
        points, images = nets.point_channels, nets.image_channels
        self.project_points = projection(guidance_3d, points, images)
        self.project_images = projection(guidance_2d, images, points)
        self.guidance_options = {"temperature": guidance_temperature}
        self.warmup_iters = {  # of the terms by the first word of their names
            "cam": cam_warmup_iters,
            "supervised": cam_warmup_iters,
            "guidance": guidance_warmup_iters,
            "rpc": rpc_warmup_iters,
        }
        self.pairing = {
            "max_pairs": max_pairs,
            "max_pairs_per_view": max_pairs_per_view,
            "min_pairs_per_view": min_pairs_per_view,
        }
        self.consistency = consistency
        self.threshold_3d = AdaptiveThreshold(num_classes, rpc_threshold, rpc_adaptive)
        self.threshold_2d = AdaptiveThreshold(num_classes, rpc_threshold, rpc_adaptive)
        self.label_source, self.stored_weight = label_source, stored_weight
        self.register_buffer("iteration", torch.zeros((), dtype=torch.int64))
        self.network = network

    def branch_net(self, name: str) -> TwoBranchNet:
        """The student or the teacher `TwoBranchNet`."""
        check_choice("network", name, NETWORKS)
        return self.teacher if name == "teacher" else self.student

    def start_stage(self) -> None:
        """Reset the schedule of an earlier stage whose weights were loaded; keep the weights."""
        self.iteration.zero_()
        self.threshold_3d.count.zero_()
        self.threshold_2d.count.zero_()

    def forward(self, input_dict: dict) -> dict[str, torch.Tensor]:
        return self._losses(input_dict) if self.training else self.infer(input_dict, self.network)

    def infer(self, input_dict: dict, network: str) -> dict[str, torch.Tensor]:
        """Logits of one network: seg_logits (N, C), image_logits (P, C), loss if labeled."""
        net = self.branch_net(network)
        result = {"seg_logits": net.points(input_dict).logits}
        if "image" in input_dict:
            result["image_logits"] = stacked_rows(net.images(view_stacks(input_dict)).logits)
        if "segment" in input_dict:
            logits, segment = result["seg_logits"], input_dict["segment"]
            result["loss"] = labeled_cross_entropy(logits, segment, alone=True)
        return result

    # ----------------------------------------------------------------------------- training

    def _losses(self, batch):
        index = BatchIndex.of(batch)
        points, images = self.student(batch, view_stacks(batch, "image", index.view_size))
        terms = self._tag_terms(batch, points, images, index)
        terms |= self._guidance_terms(batch, points, images, index)
        stats, consistency = {}, CONSISTENCY.get(self.consistency)
        if self.weights["rpc_3d"]:
            probs = self._point_labels(batch, index)
            given = points.logits, probs, index.point_region, self.threshold_3d
            terms["rpc_3d"], stats["rpc_3d"] = consistency(*given, *index.point_voters)
        if self.weights["rpc_2d"]:
            probs = self._pixel_labels(batch, index)
            given = stacked_rows(images.logits), probs, index.pixel_region, self.threshold_2d
            terms["rpc_2d"], stats["rpc_2d"] = consistency(*given, *index.pixel_voters)
        # What is added is what is logged.
        terms = {term: self._weight(term) * loss for term, loss in terms.items()}
        self.iteration += 1
        logged = {f"{term}_{k}": v for term, seen in stats.items() for k, v in seen.items()}
        logged = {name: value.detach() for name, value in (terms | logged).items()}
        return {"loss": sum(terms.values()), **logged}

    def _weight(self, term):
        """Factor of a term of the loss at this iteration."""
        weight, kind = self.weights[term], term.partition("_")[0]
        if self.warmup_iters[kind] > 1:
            weight = weight * warmup(self.iteration, self.warmup_iters[kind])
        # Gradients are averaged over the processes; a sum over all scenes must not be.
        return weight * world_size() if kind == "guidance" else weight

    def _tag_terms(self, batch, points, images, index):
        """Tag losses of both branches; in full supervision that of the point labels, too."""
        view_tags, scene_tags = batch["view_tags"], batch["teacher_tags"]
        of_points = points.logits, batch["offset"], batch["point_tags"], view_tags, scene_tags
        of_images = view_means(images.logits), batch["image_tags"], view_tags
        terms = {
            "cam_3d": point_tag_loss(*of_points, index),
            "cam_2d": image_tag_loss(*of_images, index),
        }
        # Point labels must be there when, and only when, the model is to see them.
        labeled, weight = "segment" in batch, self.weights["supervised"]
        if labeled != (weight > 0):
            raise ValueError(
                f"the training batch has {'' if labeled else 'no '}point labels, but "
                f"supervised_weight is {weight}; expected with_labels=True in data.train together "
                "with a weight > 0, or neither"
            )
        if labeled:
            terms["supervised"] = labeled_cross_entropy(points.logits, batch["segment"])
        return terms

    def _guidance_terms(self, batch, points, images, index):
        """Guidance in both directions, summed over the scenes of the batch."""
        kinds = self.guidance
        if set(kinds.values()) == {"none"}:
            return {}
        pairs, sizes = draw_pairs(index, **self.pairing)
        columns = index.link_point, index.link_view, batch["link_row"], batch["link_col"]
        links, view_tags = Links(*columns).at(pairs), batch["view_tags"]
        point_tags = batch["teacher_tags"][index.point_scene[links.point]]
        sides = paired_sides(links, sizes, points, images, point_tags, view_tags, kinds.values())
        directions = {
            "guidance_3d": (self.project_points, sides),
            "guidance_2d": (self.project_images, [side[::-1] for side in sides]),
        }
        return {
            term: scenes_guidance_loss(pairs, kinds[term], project, self.guidance_options)
            for term, (project, pairs) in directions.items()
            if kinds[term] != "none"
        }

    @torch.no_grad()
    def _point_labels(self, batch, index):
        """Probabilities (N, C) at the student's voxels, masked with the tags of their scenes."""
        source, tags = self.label_source, batch["teacher_tags"]
        teacher = stored = None
        if needs(source, "teacher"):
            logits = self.teacher.points(cloud(batch, "teacher")).logits
            probs = tag_softmax(logits, tags, batch["teacher_offset"], index.teacher_scenes)
            teacher = probs[index.teacher_row]
        if needs(source, "stored"):
            if "stored_probs" not in batch:
                raise ValueError(
                    f"label_source is {source!r}, but the batch has no stored_probs; set "
                    "stored_labels to a label store in data.train, or label_source='teacher'"
                )
            stored = mask_stored(batch["stored_probs"], tags[index.point_scene])
        return LABEL_SOURCES.get(source)(teacher, stored, self.stored_weight)

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
