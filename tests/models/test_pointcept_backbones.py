"""Stage one on Pointcept's own 3D networks, on a real Pointcept: two steps of each config, tiny."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
NETWORKS = {
    "spunet": {"channels": (8, 8, 8, 8, 8, 8, 8, 8), "layers": (1,) * 8, "base_channels": 8},
    # Flash attention is for GPUs alone.
    "ptv3": {
        "enc_depths": (1,) * 5,
        "enc_channels": (8, 16, 16, 16, 16),
        "enc_num_head": (1,) * 5,
        "dec_depths": (1,) * 4,
        "dec_channels": (8, 16, 16, 16),
        "dec_num_head": (1,) * 4,
        "enable_flash": False,
    },
}

TRAIN = """
import json, sys
import torch
from pointcept_wsegpc import cpu, host

assert not host.ensure_pointcept().is_standin
if not torch.cuda.is_available():
    cpu.patch()
import pointcept_wsegpc.register
from pointcept.datasets import build_dataset, collate_fn
from pointcept.models.builder import build_model
from pointcept.utils.config import Config
from pointcept.utils.optimizer import build_optimizer
from pointcept_wsegpc.models.teacher import copy_state, ema_update

root, changes = sys.argv[1], json.loads(sys.argv[2])
scenes = dict(data_root=root, num_views=2, grid_size=0.15, depth_tolerance=0.15)

def train(config):
    cfg = Config.fromfile(config)
    torch.manual_seed(0)
    cfg.model.backbone.update(changes)
    cfg.model.update(backbone_out_channels=8, min_pairs_per_view=4)
    cfg.model.update(guidance_warmup_iters=1, rpc_warmup_iters=1)
    cfg.model.rpc_threshold = 0.0  # an untrained teacher is sure of nothing
    cfg.model.image_encoder = dict(name="resnet10t", weights="none", num_stages=1)
    data = build_dataset(dict(cfg.data.train, **scenes))
    model = build_model(cfg.model)
    optimizer = build_optimizer(cfg.optimizer, model)
    copy_state(model.teacher, model.student)
    before = {k: v.clone() for k, v in model.named_parameters() if v.requires_grad}
    losses = []
    for step in range(2):
        model.train()
        output = model(collate_fn([data[0], data[1]]))
        optimizer.zero_grad()
        output["loss"].backward()
        missing = [k for k, v in model.named_parameters() if v.requires_grad and v.grad is None]
        assert missing == [], missing
        optimizer.step()
        ema_update(model.teacher, model.student, 0.9)
        losses.append({k: float(v) for k, v in output.items()})
    after = dict(model.named_parameters())
    batch = collate_fn([build_dataset(dict(cfg.data.val, **scenes))[0]])
    with torch.no_grad():
        logits = model.eval()(batch)["seg_logits"]
    return dict(
        losses=losses, still=[k for k, v in before.items() if torch.equal(v, after[k])],
        finite=bool(logits.isfinite().all()), shape=list(logits.shape),
        voxels=len(batch["coord"]), optimizer=type(optimizer).__name__)

print(json.dumps([train(config) for config in sys.argv[3:]]))
"""


@pytest.fixture(scope="module")
def real_pointcept():
    root = os.environ.get("POINTCEPT_ROOT")
    if not root:
        pytest.skip("no Pointcept here: set POINTCEPT_ROOT to a checkout to run this")
    return root


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_two_steps(real_pointcept, prepared_root, network):
    terms = {
        "cmg": {"cam_3d", "cam_2d", "guidance_3d", "guidance_2d"},
        "cmg-rpc": {"cam_3d", "cam_2d", "guidance_3d", "guidance_2d", "rpc_3d", "rpc_2d"},
    }
    configs = [REPOSITORY / f"configs/scannet/wsegpc-{stage}-{network}.py" for stage in terms]
    path = os.pathsep.join([real_pointcept, str(REPOSITORY)])
    result = subprocess.run(
        [sys.executable, "-c", TRAIN, prepared_root, json.dumps(NETWORKS[network]), *configs],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    for found, expected in zip(
        json.loads(result.stdout.strip().splitlines()[-1]), terms.values(), strict=True
    ):
        for losses in found["losses"]:
            assert {key for key in losses if losses[key] > 0} >= expected
            assert ("rpc_3d" in losses) == ("rpc_3d" in expected)
        assert found["losses"][0] != found["losses"][1]
        assert found["still"] == []
        assert found["finite"] and found["shape"] == [found["voxels"], 20]
        assert found["optimizer"] == {"spunet": "SGD", "ptv3": "AdamW"}[network]
