"""Command line, configuration and set-up of one training process."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from pointcept.limits import NotInStandIn
from pointcept.utils import comm
from pointcept.utils.config import Config, DictAction
from pointcept.utils.env import get_random_seed, set_seed


def default_argument_parser(epilog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(epilog=epilog)
    add = parser.add_argument
    add("--config-file", default="", metavar="FILE", help="configuration file")
    add("--num-gpus", type=int, default=1, help="GPUs per machine (here: 0 or 1)")
    add("--num-machines", type=int, default=1, help="machines (here: 1)")
    add("--machine-rank", type=int, default=0, help="rank of this machine")
    add("--dist-url", default="auto", help="where processes meet (not used here)")
    add("--options", nargs="+", action=DictAction, help="KEY=VALUE overrides")
    return parser


def default_config_parser(file_path: str, options: dict | None) -> Config:
    """Read a configuration, settle seed and data loop, and keep a copy in ``save_path``.

    ``epoch`` passes over the data are split into ``eval_epoch`` epochs of the trainer, so the data
    set repeats itself ``epoch // eval_epoch`` times in each.
    """
    cfg = Config.fromfile(file_path)
    cfg.merge_from_dict(options or {})
    if cfg.seed is None:
        cfg.seed = get_random_seed()
    cfg.data.train.loop = cfg.epoch // cfg.eval_epoch
    Path(cfg.save_path, "model").mkdir(parents=True, exist_ok=True)
    if not cfg.resume:
        cfg.dump(Path(cfg.save_path, "config.py"))
    return cfg


def default_setup(cfg: Config) -> Config:
    """Refuse what the stand-in lacks, settle sizes per GPU, seed this process."""
    if comm.get_world_size() > 1:
        raise NotInStandIn("Training in several processes is")
    if cfg.mix_prob > 0:
        raise NotInStandIn(f"mix_prob = {cfg.mix_prob} is")
    if cfg.enable_wandb:
        raise NotInStandIn("enable_wandb = True (set it to False, or use Pointcept) is")
    if cfg.epoch % cfg.eval_epoch:
        raise ValueError(f"epoch = {cfg.epoch} must be a multiple of eval_epoch = {cfg.eval_epoch}")
    workers = os.cpu_count() if cfg.num_worker is None else cfg.num_worker
    cfg.num_worker = cfg.num_worker_per_gpu = workers
    cfg.batch_size_per_gpu = cfg.batch_size
    cfg.batch_size_val_per_gpu = cfg.batch_size_val or 1
    set_seed(cfg.seed)
    return cfg


def worker_init_fn(worker_id: int, num_workers: int, rank: int, seed: int | None) -> None:
    """Give each loader worker of each rank a seed of its own."""
    set_seed(None if seed is None else num_workers * rank + worker_id + seed)
