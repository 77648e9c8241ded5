"""The tables: every row is what differs from the benchmark's configuration of stage one.

The configuration is that of the whole method without Mix3D: guidance in both directions, then
region-point consistency in 3D and 2D. `paper` holds the figures of Duan et al. on ScanNet.
"""

from __future__ import annotations

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
NO_RPC, BOTH = consistency(0.0, 0.0), consistency(1.0, 1.0)
NO_REMOVAL = {"data.train.structure_removal": {"_delete_": True}}
FULL_SUPERVISION = {  # what sets configs/*/supervised.py apart from wsegpc-cam.py
    **NO_GUIDANCE,
    "model.cam_3d_weight": 0.0,
    "model.supervised_weight": 1.0,
    "data.train.with_labels": True,
    **NO_REMOVAL,
}

# The differences by which the paper's tables say what each part is good for.
ONE_WAY, WITH_CMG, RPC_3D = "CAM + 2D→3D", "CAM + CMG", "CMG + RPC 3D"
RPC, WHOLE = "CMG + RPC 3D + RPC 2D", "CMG + RPC + Mix3D"
MORE_REGIONS = ("growing", "supervoxel", "supervoxel+growing", "growing:wypr", "point-wise")
CLAIMS = {
    "components": (
        ("guidance 2D→3D", ONE_WAY, "CAM"),
        ("guidance 3D→2D beside it", WITH_CMG, ONE_WAY),
        ("consistency in 3D, with guidance", RPC_3D, WITH_CMG),
        ("consistency without guidance", "CAM + RPC", "CAM"),
        ("what it gains more with guidance", RPC_3D, WITH_CMG, ("CAM + RPC", "CAM")),
        ("consistency in 2D beside it", RPC, RPC_3D),
        ("Mix3D", WHOLE, RPC),
        ("all but Mix3D", RPC, "CAM"),
        ("full supervision beyond that", "full supervision", RPC),
        ("all of it", WHOLE, "CAM"),
        ("full supervision beyond that", "full supervision", WHOLE),
    ),
    "partitions": (
        *((f"ground truth in place of {label}", "oracle", label) for label in MORE_REGIONS),
        ("removal of structures", "growing", "growing, structures stay"),
    ),
    "thresholds": (
        ("regions vote", "region-point, fixed, 0.8", "point-point, fixed, 0.8"),
        ("thresholds adapt", "region-point, adaptive, 0.8", "region-point, fixed, 0.8"),
        ("points' own logits learn", "region-point, adaptive, 0.8", "region, adaptive, 0.8"),
    ),
    "weights": (
        ("pre-training", "pretrained", "none"),
        ("training them on", "pretrained", "frozen"),
    ),
}


def table(name: str, title: str, rows, note: str = "", **more) -> Table:
    claims = tuple(Comparison(*claim) for claim in CLAIMS.get(name, ()))
    return Table(name, title, tuple(rows), note, claims, **more)


def components(_: Benchmark) -> Table:
    mixed = {**BOTH, "data.train.mix3d_prob": 0.5}
    rows = (
        Row("CAM", NO_GUIDANCE, NO_RPC, None, "pseudo", paper(25.1, 15.2)),
        Row(ONE_WAY, guidance("contrastive", "none"), NO_RPC, paper=paper(36.8, 16.3)),
        Row(WITH_CMG, CMG, NO_RPC, paper=paper(36.8, 24.3)),
        Row("CAM + RPC", NO_GUIDANCE, BOTH, paper=paper(29.6, 24.4)),
        Row(RPC_3D, CMG, consistency(1.0, 0.0), paper=paper(47.7, 31.2)),
        Row(RPC, CMG, BOTH, None, "pseudo", paper(48.2, 35.4)),
        Row(WHOLE, CMG, mixed, None, "pseudo", paper(50.1, 35.4, 46.9)),
        Row("full supervision", FULL_SUPERVISION, NO_RPC, None, "truth", without=("2D",)),
    )
    note = (
        "Full supervision is an upper bound of ours, not in the paper: the same networks, "
        "equally long, with the true labels of all points in place of their tags and without "
        "structure removal. Its 2D branch learns from tags alone, so its 2D is skipped."
    )
    pictured = ("CAM", WITH_CMG, RPC, "full supervision")
    return table("components", "Components (the paper's Table II)", rows, note, pictured=pictured)


def guidance_losses(_: Benchmark) -> Table:
    # 2D→3D is how the 3D branch is taught (guidance_3d), 3D→2D the 2D branch. The paper's order is
    # 3D→2D / 2D→3D.
    figures = {
        "none / none": 25.1,
        "affinity / mse": 32.6,
        "affinity / cam": 32.7,
        "affinity / affinity": 34.2,
        "affinity / contrastive": 35.5,
        "contrastive / affinity": 35.1,
        "contrastive / contrastive": 36.8,
    }
    rows = (
        Row(label, guidance(*reversed(label.split(" / "))), NO_RPC, paper=paper(figure))
        for label, figure in figures.items()
    )
    note = "Rows are 3D→2D / 2D→3D, without region-point consistency."
    return table("guidance", "Guidance losses (the paper's Table V)", rows, note)


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
    rows = (
        *(Row(label, partition=label) for label in PARTITIONS),
        Row("growing, structures stay", second=NO_REMOVAL, partition="growing"),
    )
    note = (
        "Consistency, structure removal of the second part, and the vote use the row's regions. "
        "Point-wise has none, so nothing votes; there, and with supervoxels alone, which are "
        "smaller than any wall or floor, no structure is removed; the last row does without "
        "removal as well. "
        "The paper's figures of this table are not known to us."
    )
    methods = tuple(label for label in PARTITIONS if label not in ("point-wise", "oracle"))
    return table("partitions", "Partitions", rows, note, alike=methods)


def backbones(benchmark: Benchmark) -> Table:
    figures = {"14A": 46.3, "18A": 48.2, "34C": 49.5}
    figures |= {"ResNet-34": 47.8, "ResNet-50": 48.2, "ResNet-101": 48.4}
    networks = {
        **{f"3D MinkUNet {k}": (k, v) for k, v in benchmark.networks_3d.items()},
        **{f"2D {k}": (k, v) for k, v in benchmark.networks_2d.items()},
    }
    rows = (
        Row(label, changes, paper=paper(figures.get(name)))
        for label, (name, changes) in networks.items()
    )
    return table("backbones", "Networks", rows, benchmark.networks_note)


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
    return table("views", "Views", rows, note)


def weights(benchmark: Benchmark) -> Table:
    figures = {"none": 40.0, "ImageNet": 48.2, "DINO": 49.9, "MoCo": 46.5, "frozen": 42.3}
    if "ImageNet" not in benchmark.image_weights:
        figures["pretrained"] = figures["ImageNet"]
    rows = (
        Row(label, changes, paper=paper(figures.get(label)))
        for label, changes in benchmark.image_weights.items()
    )
    return table("weights", "Weights of the 2D network", rows, benchmark.weights_note)


# WSegPC's own: a row of these is the configuration itself.
CONSISTENCY = {
    "model.consistency": "region-point",
    "model.rpc_adaptive": True,
    "model.rpc_threshold": 0.8,
}


def thresholds(_: Benchmark) -> Table:
    kinds = ("point-point, fixed", "region-point, fixed", "region-point, adaptive")
    settings = [(kind, tenths / 10) for kind in kinds for tenths in range(10)]
    rows = []
    for kind, threshold in [*settings, ("region, adaptive", 0.8)]:
        what, how = kind.split(", ")
        second = dict(zip(CONSISTENCY, (what, how == "adaptive", threshold), strict=True))
        itself = second == CONSISTENCY
        figures = paper(48.2 if itself else None)
        second = {} if itself else second
        rows.append(Row(f"{kind}, {threshold:.1f}", second=second, paper=figures))
    note = (
        "On ScanNet the paper reports ranges over the thresholds: point-point fixed 42.0 to 44.5, "
        "region-point fixed 44.1 to 46.6, region-point adaptive 44.9 to 48.2 (best at 0.8). In the "
        "last row the regions' mean logits learn in place of the points'."
    )
    return table("thresholds", "Thresholds of the consistency", rows, note)


TABLES: dict[str, Callable[[Benchmark], Table]] = {
    "components": components,
    "guidance": guidance_losses,
    "partitions": partitions,
    "backbones": backbones,
    "views": views,
    "weights": weights,
    "thresholds": thresholds,
}
