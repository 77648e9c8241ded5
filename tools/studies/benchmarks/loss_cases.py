"""Cases of what every training step computes besides the networks: losses and the EMA update."""

import torch

from pointcept_wsegpc.losses.consistency import AdaptiveThreshold, region_point_consistency
from pointcept_wsegpc.losses.guidance import contrastive_guidance
from pointcept_wsegpc.losses.ragged import pixel_rows
from pointcept_wsegpc.losses.tags import tag_softmax
from pointcept_wsegpc.models.branches import TwoBranchNet
from pointcept_wsegpc.models.teacher import build_teacher, ema_update

from . import inputs, textbook
from .inputs import views_text
from .measure import Case


def rpc_3d_case(sizes, cache):
    """Tag mask, region vote, threshold, loss and its gradient, on points."""
    data = inputs.consistency_points(sizes)
    work = f"{len(data.region)} x {sizes.classes}"
    return consistency_case(work, data, data, ours_rows=lambda x: x, plain_rows=lambda x: x)


def rpc_2d_case(sizes, cache):
    """The same on pixels, from logit maps to the gradient of the student's.

    Each version gets the maps in the layout that its network makes: models/branches.py channels
    last, a network that does nothing about it channels first.
    """
    plain = inputs.consistency_views(sizes)
    last = {
        name: getattr(plain, name).contiguous(memory_format=torch.channels_last)
        for name in ("student", "teacher")
    }
    data = inputs.ConsistencyInput(**{**vars(plain), **last})
    work = f"{sizes.batch}x{views_text(sizes)} x {sizes.classes}"
    return consistency_case(work, data, plain, pixel_rows, textbook.pixel_rows)


def consistency_case(work, data, plain, ours_rows, plain_rows):
    threshold = AdaptiveThreshold(data.tags.shape[1])

    def ours():
        threshold.count.copy_(data.count)
        student = data.student.detach().requires_grad_()
        with torch.no_grad():
            probs = tag_softmax(ours_rows(data.teacher), data.tags, data.offset)
        loss, stats = region_point_consistency(ours_rows(student), probs, data.region, threshold)
        loss.backward()
        return loss.detach(), student.grad, threshold.count, stats["kept"]

    def plainly():
        count = plain.count.clone()
        student = plain.student.detach().requires_grad_()
        loss = textbook.region_point_consistency(
            plain_rows(student),
            plain_rows(plain.teacher),
            plain.tags,
            textbook.scene_of_point(plain.offset),
            plain.region,
            count,
        )
        loss.backward()
        return loss.detach(), student.grad, count

    return Case(work, ours, plainly)


def guidance_case(sizes, cache):
    """Contrastive guidance, loss and gradient."""
    generator = torch.Generator().manual_seed(0)
    source, target = torch.randn(2, sizes.pairs, sizes.channels, generator=generator)

    def run(loss_function):
        leaf = source.clone().requires_grad_()
        loss = loss_function(leaf, target)
        loss.backward()
        return loss.detach(), leaf.grad

    return Case(
        f"{sizes.pairs} pairs, {sizes.channels} channels",
        lambda: run(contrastive_guidance),
        lambda: run(textbook.contrastive_guidance),
    )


def ema_case(sizes, cache):
    """One EMA update of the whole state."""
    arch, encoder = sizes.networks
    student = TwoBranchNet(
        {"type": "WSegPCMinkUNet", "arch": arch, "in_channels": 6},
        {"name": encoder, "weights": "none"},
        sizes.classes,
    )
    teacher, plain = build_teacher(student), build_teacher(student)
    for value in student.state_dict().values():
        value.add_(1)

    def ours():
        ema_update(teacher, student, 0.999)
        return teacher.state_dict()

    def plainly():
        textbook.ema_update(plain, student, 0.999)
        return plain.state_dict()

    state = teacher.state_dict().values()
    floats = sum(value.numel() for value in state) / 1e6
    return Case(f"{encoder} + MinkUNet{arch}, {floats:.1f} M in {len(state)}", ours, plainly)
