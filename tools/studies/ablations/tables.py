"""The tables: every row is what differs from the benchmark's configuration of stage one.

The configuration is that of the whole method without Mix3D: guidance in both directions, then
region-point consistency in 3D and 2D. `paper` holds the figures of Duan et al. on ScanNet.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from .benchmarks import Benchmark
from .rows import Comparison, Row, Table


def guidance(to_3d: str, to_2d: str) -> dict:
    return {"model.guidance_3d": to_3d, "model.guidance_2d": to_2d}


def consistency(in_3d: float, in_2d: float) -> dict:
    return {"model.rpc_3d_weight": in_3d, "model.rpc_2d_weight": in_2d}


def paper(in_3d=None, in_2d=None, stage_two=None) -> dict:
    figures = {"3D": in_3d, "2D": in_2d, "stage two": stage_two}
    return {key: value for key, value in figures.items() if value is not None}


NO_GUIDANCE, CMG = guidance("none", "none"), guidance("contrastive", "contrastive")
NO_RPC = consistency(0.0, 0.0)
FULL_SUPERVISION = {  # what sets configs/*/supervised.py apart from wsegpc-cam.py
    **NO_GUIDANCE,
    "model.cam_3d_weight": 0.0,
    "model.supervised_weight": 1.0,
    "data.train.with_labels": True,
    "data.train.structure_removal": {"_delete_": True},
}


# The differences by which the paper's tables say what each part is good for.
ONE_WAY, WITH_CMG, RPC_3D = "CAM + 2D→3D", "CAM + CMG", "CMG + RPC 3D"
RPC, WHOLE = "CMG + RPC 3D + RPC 2D", "CMG + RPC + Mix3D"

CLAIMS = {
    "components": (
        Comparison("guidance 2D→3D", ONE_WAY, "CAM"),
        Comparison("guidance 3D→2D beside it", WITH_CMG, ONE_WAY),
        Comparison("consistency in 3D, with guidance", RPC_3D, WITH_CMG),
        Comparison("consistency without guidance", "CAM + RPC", "CAM"),
        Comparison("what it gains more with guidance", RPC_3D, WITH_CMG, less=("CAM + RPC", "CAM")),
        Comparison("consistency in 2D beside it", RPC, RPC_3D),
        Comparison("Mix3D", WHOLE, RPC),
        Comparison("all but Mix3D", RPC, "CAM"),
        Comparison("full supervision beyond that", "full supervision", RPC),
        Comparison("all of it", WHOLE, "CAM"),
        Comparison("full supervision beyond that", "full supervision", WHOLE),
    ),
    "partitions": (
        *(
            Comparison(f"ground truth in place of {label}", "oracle", label)
            for label in (
                "growing", "supervoxel", "supervoxel+growing", "growing:wypr", "point-wise",
            )
        ),
        Comparison("removal of structures", "growing", "growing, structures stay"),
    ),
    "thresholds": (
        Comparison("regions vote", "region-point, fixed, 0.8", "point-point, fixed, 0.8"),
        Comparison("thresholds adapt", "region-point, adaptive, 0.8", "region-point, fixed, 0.8"),
        Comparison(
            "points' own logits learn", "region-point, adaptive, 0.8", "region, adaptive, 0.8"
        ),
    ),
    "weights": (
        Comparison("pre-training", "pretrained", "none"),
        Comparison("training them on", "pretrained", "frozen"),
    ),
}  # fmt: skip


def components(benchmark: Benchmark) -> Table:
    mixed = {**consistency(1.0, 1.0), "data.train.mix3d_prob": benchmark.mix3d}
    whole = paper(50.1, 35.4, 46.9)
    rows = (
        Row("CAM", NO_GUIDANCE, NO_RPC, None, "pseudo", paper(25.1, 15.2)),
        Row("CAM + 2D→3D", guidance("contrastive", "none"), NO_RPC, paper=paper(36.8, 16.3)),
        Row("CAM + CMG", CMG, NO_RPC, paper=paper(36.8, 24.3)),
        Row("CAM + RPC", NO_GUIDANCE, consistency(1.0, 1.0), paper=paper(29.6, 24.4)),
        Row("CMG + RPC 3D", CMG, consistency(1.0, 0.0), paper=paper(47.7, 31.2)),
        Row("CMG + RPC 3D + RPC 2D", CMG, consistency(1.0, 1.0), None, "pseudo", paper(48.2, 35.4)),
        Row("CMG + RPC + Mix3D", CMG, mixed, None, "pseudo", whole),
        Row("full supervision", FULL_SUPERVISION, NO_RPC, None, "truth", without=("2D",)),
    )
    note = (
        "Full supervision is an upper bound of ours, not in the paper: the same networks, "
        "equally long, with the true labels of all points in place of their tags and without "
        "structure removal. Its 2D branch learns from tags alone, so its 2D is skipped."
    )
    title = "Components (the paper's Table II)"
    pictured = ("CAM", "CAM + CMG", "CMG + RPC 3D + RPC 2D", "full supervision")
    return Table("components", title, rows, note, CLAIMS["components"], pictured=pictured)


def guidance_losses(_: Benchmark) -> Table:
    # 2D→3D is how the 3D branch is taught (guidance_3d), 3D→2D the 2D branch. The paper's order is
    # 3D→2D / 2D→3D.
    figures = {
        ("none", "none"): 25.1,
        ("affinity", "mse"): 32.6,
        ("affinity", "cam"): 32.7,
        ("affinity", "affinity"): 34.2,
        ("affinity", "contrastive"): 35.5,
        ("contrastive", "affinity"): 35.1,
        ("contrastive", "contrastive"): 36.8,
    }
    rows = tuple(
        Row(f"{to_2d} / {to_3d}", guidance(to_3d, to_2d), NO_RPC, paper=paper(figure))
        for (to_2d, to_3d), figure in figures.items()
    )
    note = "Rows are 3D→2D / 2D→3D, without region-point consistency."
    return Table("guidance", "Guidance losses (the paper's Table V)", rows, note)


# Label: method and preset of wsegpc regions; None: no regions, every point for itself.
PARTITIONS = {
    "point-wise": None,
    "supervoxel": ("supervoxel", None),
    "growing": ("growing", None),
    "supervoxel+growing": ("supervoxel+growing", None),
    "growing:wypr": ("growing", "wypr"),
    "oracle": ("oracle", None),
}


def partitions(_: Benchmark) -> Table:
    kept = {"data.train.structure_removal": {"_delete_": True}}
    rows = (
        *(Row(label, partition=label) for label in PARTITIONS),
        Row("growing, structures stay", second=kept, partition="growing"),
    )
    note = (
        "Consistency, structure removal of the second part, and the vote use the row's regions. "
        "Point-wise has none, so nothing votes; there, and with supervoxels alone, which are "
        "smaller than any wall or floor, no structure is removed; the last row does without "
        "removal as well. "
        "The paper's figures of this table are not known to us."
    )
    methods = tuple(label for label in PARTITIONS if label not in ("point-wise", "oracle"))
    return Table("partitions", "Partitions", rows, note, CLAIMS["partitions"], methods)


def backbones(benchmark: Benchmark) -> Table:
    figures = {
        "14A": 46.3, "18A": 48.2, "34C": 49.5,
        "ResNet-34": 47.8, "ResNet-50": 48.2, "ResNet-101": 48.4,
    }  # fmt: skip
    networks = {
        **{f"3D MinkUNet {k}": (k, v) for k, v in benchmark.networks_3d.items()},
        **{f"2D {k}": (k, v) for k, v in benchmark.networks_2d.items()},
    }
    rows = tuple(
        Row(label, changes, paper=paper(figures.get(name)))
        for label, (name, changes) in networks.items()
    )
    return Table("backbones", "Networks", rows, benchmark.networks_note)


def views(_: Benchmark) -> Table:
    figures = {3: 32.8, 6: 36.8, 9: 35.9, 12: 33.1}
    rows = (
        Row("0", NO_GUIDANCE, NO_RPC, paper=paper(25.1)),
        *(
            Row(str(count), {"data.train.num_views": count}, NO_RPC, paper=paper(figure))
            for count, figure in figures.items()
        ),
    )
    note = (
        "Views of a training sample, without region-point consistency. 0: no guidance; the 2D "
        "branch still trains. Labels in 2D are measured on equally many views in every row."
    )
    return Table("views", "Views", rows, note)


def weights(benchmark: Benchmark) -> Table:
    figures = {"none": 40.0, "ImageNet": 48.2, "DINO": 49.9, "MoCo": 46.5, "frozen": 42.3}
    if "ImageNet" not in benchmark.image_weights:
        figures["pretrained"] = figures["ImageNet"]
    rows = tuple(
        Row(label, changes, paper=paper(figures.get(label)))
        for label, changes in benchmark.image_weights.items()
    )
    note = benchmark.weights_note
    return Table("weights", "Weights of the 2D network", rows, note, CLAIMS["weights"])


# WSegPC's own: a row of these is the configuration itself.
CONSISTENCY = {
    "model.consistency": "region-point",
    "model.rpc_adaptive": True,
    "model.rpc_threshold": 0.8,
}


def thresholds(_: Benchmark) -> Table:
    kinds = {
        "point-point, fixed": {"model.consistency": "point-point", "model.rpc_adaptive": False},
        "region-point, fixed": {"model.consistency": "region-point", "model.rpc_adaptive": False},
        "region-point, adaptive": {"model.consistency": "region-point", "model.rpc_adaptive": True},
    }
    known = {("region-point, adaptive", 8): 48.2}
    rows = ()
    for kind, tenths in itertools.product(kinds, range(10)):
        second = {**kinds[kind], "model.rpc_threshold": tenths / 10}
        second = {} if second == CONSISTENCY else second
        figures = paper(known.get((kind, tenths)))
        rows += (Row(f"{kind}, {tenths / 10:.1f}", second=second, paper=figures),)
    note = (
        "On ScanNet the paper reports ranges over the thresholds: point-point fixed 42.0 to 44.5, "
        "region-point fixed 44.1 to 46.6, region-point adaptive 44.9 to 48.2 (best at 0.8). In the "
        "last row the regions' mean logits learn in place of the points'."
    )
    direct = {"model.consistency": "region", "model.rpc_adaptive": True, "model.rpc_threshold": 0.8}
    rows += (Row("region, adaptive, 0.8", second=direct),)
    return Table("thresholds", "Thresholds of the consistency", rows, note, CLAIMS["thresholds"])


TABLES: dict[str, Callable[[Benchmark], Table]] = {
    "components": components,
    "guidance": guidance_losses,
    "partitions": partitions,
    "backbones": backbones,
    "views": views,
    "weights": weights,
    "thresholds": thresholds,
}
