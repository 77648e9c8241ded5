"""Cross-modal guidance of the student: at point-pixel pairs, one branch supervises the other.

Shapes: L links of a batch, P of them drawn as pairs, D feature channels, C classes. The losses
themselves are in losses/guidance.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from ..losses.blocks import blockwise
from ..losses.guidance import GUIDANCE
from ..losses.tags import row_tag_softmax
from .branches import Images, Points
from .images import Stack, read_views
from .pairing import sample_pixel_features


class Links(NamedTuple):
    """Point-pixel correspondences, each (L,): points and views numbered over the batch."""

    point: torch.Tensor
    view: torch.Tensor
    row: torch.Tensor
    col: torch.Tensor

    def at(self, index: torch.Tensor) -> Links:
        """Some of them, by their positions (P,)."""
        return Links(*(column[index] for column in self))


class Side(NamedTuple):
    """Outputs of one branch at pairs; fields that no guidance reads are None."""

    features: torch.Tensor | None = None  # (P, D)
    logits: torch.Tensor | None = None  # (P, C)
    tags: torch.Tensor | None = None  # (P, C), of the pair's own scene, as they hold in this branch


def kinds() -> list[str]:
    """Names of all guidances, "none" first."""
    return ["none", *GUIDANCE.names()]


def facts(kind: str) -> dict[str, Any]:
    """What a guidance needs of the model, see losses/guidance.py."""
    defaults = {"reads": "features", "projected": False, "options": (), "batched": False}
    return defaults | GUIDANCE.facts(kind)


def projection(kind: str, source_channels: int, target_channels: int) -> nn.Linear | None:
    """The layer that brings the source's features to the target's width, where one is needed.

    Affinities are compared within each branch, classes are the same in both.
    """
    needed = kind != "none" and facts(kind)["projected"]
    return nn.Linear(source_channels, target_channels) if needed else None


def guidance_loss(
    source: Side, target: Side, kind: str, project: nn.Module | None, options: Mapping[str, Any]
) -> torch.Tensor:
    """Loss () of one direction at the pairs of a scene: `target` teaches `source`.

    The class prediction of the target is masked with the tags of the branch that learns: after
    structure removal they differ, and a class must not be taught where the tag loss calls it
    absent.
    """
    about = facts(kind)
    if about["reads"] == "logits":
        learns, taught = source.logits, row_tag_softmax(target.logits, source.tags)
    else:
        learns, taught = source.features, target.features
        learns = learns if project is None else project(learns)
    return GUIDANCE.get(kind)(learns, taught, **{name: options[name] for name in about["options"]})


def scenes_guidance_loss(sides: list[tuple[Side, Side]], kind: str, *given: Any) -> torch.Tensor:
    """Sum () of `guidance_loss` over scenes, of their (source, target).

    In one pass where a pass for each costs launches, the loss takes scenes together, and each has
    as many pairs.
    """
    if facts(kind)["batched"]:
        features = [[side.features for side in each] for each in zip(*sides, strict=True)]
        if len({len(rows) for rows in features[0]}) == 1 and not blockwise(features[0][0]):
            joined = (Side(features=torch.stack(each)) for each in features)
            return len(sides) * guidance_loss(*joined, kind, *given)
    return sum(guidance_loss(*side, kind, *given) for side in sides)


def paired_sides(
    links: Links,
    sizes: list[int],
    points: Points,
    images: Images,
    point_tags: torch.Tensor,
    view_tags: torch.Tensor,
    kinds: Iterable[str],
) -> list[tuple[Side, Side]]:
    """Read both branches at the pairs of every scene.

    links: the pairs (P,), scene after scene; sizes: how many each scene has. point_tags (P, C):
    tags of the pairs' points; view_tags (V, C). kinds: the guidances that will read the result.
    Returns for every scene of the batch the point and the pixel `Side`.
    """
    read = {facts(kind)["reads"] for kind in kinds if kind != "none"}
    at_points, at_pixels = Side(), Side()
    # One gather each for the whole batch: a gather per scene would also mean, backwards, a
    # gradient of the size of all feature maps per scene.
    if "features" in read:
        at_points = at_points._replace(features=points.features[links.point])
        at_pixels = at_pixels._replace(features=_pixel_features(images, links))
    if "logits" in read:
        at_points = at_points._replace(logits=points.logits[links.point], tags=point_tags)
        logits = _pixel_logits(images.logits, links)
        at_pixels = at_pixels._replace(logits=logits, tags=view_tags[links.view])
    return list(zip(_by_scene(at_points, sizes), _by_scene(at_pixels, sizes), strict=True))


def _pixel_features(images, links):
    def read(number, view):
        size = images.logits[number].maps.shape[-2:]
        return sample_pixel_features(images.features[number].maps, view, links.row, links.col, size)

    return read_views(images.features, links.view, read)


def _pixel_logits(logits: list[Stack], links):
    def read(number, view):  # pairs of other views may lie outside
        maps = logits[number].maps
        row, col = (at.clamp(max=n - 1) for at, n in zip(links[2:], maps.shape[2:], strict=True))
        return maps[view, :, row, col]

    return read_views(logits, links.view, read)


def _by_scene(side, sizes):
    absent = (None,) * len(sizes)
    return map(Side, *(absent if rows is None else rows.split(sizes) for rows in side))
