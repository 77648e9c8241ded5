"""The same checks on the stand-in (in this process) and on Pointcept (`test_on_pointcept.py`).

CONTRACT_ENGINE=pointcept, which that test sets for a process of its own, chooses Pointcept.
"""

import os
import sys
from pathlib import Path

import pytest
import torch

from pointcept_wsegpc import cpu, host

HERE = Path(__file__).parent


def _real_pointcept() -> str | None:
    engine = host.find_engine()
    if engine is not None and not engine.is_standin:
        return str(engine.path)
    return os.environ.get("POINTCEPT_ROOT")


REAL_POINTCEPT = _real_pointcept()

if os.environ.get("CONTRACT_ENGINE") == "pointcept":
    if host.ensure_pointcept().is_standin:
        raise RuntimeError("CONTRACT_ENGINE=pointcept, but no Pointcept: set POINTCEPT_ROOT")
    if not torch.cuda.is_available():
        cpu.patch()
else:
    sys.path.insert(0, str(host.STANDIN_ROOT))


@pytest.fixture(scope="session")
def real_pointcept():
    """Folder of a real Pointcept; the test is skipped where there is none."""
    if REAL_POINTCEPT is None:
        pytest.skip("no Pointcept here: set POINTCEPT_ROOT to a checkout to run this")
    return REAL_POINTCEPT


@pytest.fixture
def load(tmp_path):
    """load(**overrides): the toy configuration, written into and ready to train in tmp_path."""

    def load_config(config="toy.py", **overrides):
        from pointcept.engines.defaults import default_config_parser

        overrides = {"save_path": str(tmp_path / "exp"), **overrides}
        return default_config_parser(str(HERE / "configs" / config), overrides)

    return load_config


@pytest.fixture
def train(load):
    """train(**overrides): the trainer, after it trained from the toy configuration."""

    def run(**overrides):
        from pointcept.engines.defaults import default_setup
        from pointcept.engines.train import TRAINERS

        # Pointcept's loader needs a worker; without one it is faster.
        workers = int(os.environ.get("CONTRACT_ENGINE") == "pointcept")
        cfg = default_setup(load(**{"num_worker": workers, **overrides}))
        trainer = TRAINERS.build({"type": cfg.train.type, "cfg": cfg})
        trainer.train()
        return trainer

    return run
