"""Configuration and set-up of one training process."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import torch

from pointcept.limits import NotInStandIn
from pointcept.utils.config import Config


def default_config_parser(file_path: str, options: dict | None) -> Config:
    """Read a configuration, settle seed and data loop, and keep a copy in ``save_path``.

    ``epoch`` passes over the data are split into ``eval_epoch`` epochs of the trainer, so the data
    set repeats itself ``epoch // eval_epoch`` times in each.
    """
    cfg = Config.fromfile(file_path)
    cfg.merge_from_dict(options or {})
    if cfg.seed is None:
        cfg.seed = random.SystemRandom().randrange(2**31)
    cfg.data.train.loop = cfg.epoch // cfg.eval_epoch
    Path(cfg.save_path, "model").mkdir(parents=True, exist_ok=True)
    if not cfg.resume:
        cfg.dump(Path(cfg.save_path, "config.py"))
    return cfg


def default_setup(cfg: Config) -> Config:
    """Refuse what the stand-in lacks, settle sizes per GPU, seed this process."""
    if cfg.mix_prob > 0:
        raise NotInStandIn(f"mix_prob = {cfg.mix_prob} is")
    if cfg.enable_wandb:
        raise NotInStandIn("enable_wandb = True (set it to False, or use Pointcept) is")
    if cfg.epoch % cfg.eval_epoch:
        raise ValueError(f"epoch = {cfg.epoch} must be a multiple of eval_epoch = {cfg.eval_epoch}")
    cfg.num_worker = os.cpu_count() if cfg.num_worker is None else cfg.num_worker
    set_seed(cfg.seed)
    return cfg


def set_seed(seed: int) -> None:
    """Seed Python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def worker_init_fn(worker_id: int, seed: int) -> None:
    """Give each loader worker a seed of its own."""
    set_seed(worker_id + seed)
