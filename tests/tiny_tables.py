"""Tables on the smallest benchmark: what the tests of tools/studies/ablation.py share."""

import dataclasses

from ablations.benchmarks import SYNTHETIC
from ablations.tables import TABLES


def tiny(root, **changes):
    """The synthetic benchmark with the smallest networks, on the data set of the tests."""
    networks = {
        "model.backbone.planes": (8,) * 8,
        "model.image_encoder.name": "resnet10t",
        "model.image_encoder.num_stages": 1,
        "model.min_pairs_per_view": 4,
    }
    settings = {
        "name": "tiny",
        "title": "tiny rooms",
        "first": "quickstart/wsegpc-cmg",
        "second": "quickstart/wsegpc-cmg-rpc",
        "stage_two": "quickstart/stage2-minkunet",
        "data_root": str(root),
        "make": "tests/conftest.py",
        "stage_one": networks,
        "more": {"batch_size": 2, "epoch": 6, "eval_epoch": 3, "num_worker": 1},
        **changes,
    }
    return dataclasses.replace(SYNTHETIC, **settings)


def table(name, benchmark=None):
    return TABLES[name](benchmark or tiny("nowhere"))


def rows_of(name, benchmark=None):
    return {row.label: row for row in table(name, benchmark).rows}
