"""The trainer: builds everything from the configuration, then epochs of steps with hooks around."""

from __future__ import annotations

import sys
import weakref
from functools import partial
from pathlib import Path

import torch
from tensorboardX import SummaryWriter
from torch.utils.data import DataLoader, Sampler

from pointcept.datasets import build_dataset, collate_fn, point_collate_fn
from pointcept.models import build_model
from pointcept.utils.events import EventStorage
from pointcept.utils.logger import get_root_logger
from pointcept.utils.optimizer import build_optimizer
from pointcept.utils.registry import Registry
from pointcept.utils.scheduler import build_scheduler

from .defaults import worker_init_fn
from .hooks import build_hooks

TRAINERS = Registry("trainers")


class EpochSampler(Sampler):
    """Random order from seed and epoch alone, so that a resumed training continues in it."""

    def __init__(self, size: int, seed: int):
        self.size, self.seed, self.epoch = size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self):
        # 2^20 epochs per seed: neighbouring seeds do not share their orders.
        generator = torch.Generator().manual_seed((self.seed << 20) + self.epoch)
        return iter(torch.randperm(self.size, generator=generator).tolist())

    def __len__(self) -> int:
        return self.size


@TRAINERS.register_module("DefaultTrainer")
class Trainer:
    """One process on the CPU or one GPU. Hooks reach all attributes through ``hook.trainer``."""

    def __init__(self, cfg):
        self.cfg = cfg
        self.epoch = self.start_epoch = self._accumulated = 0
        self.max_epoch = cfg.eval_epoch
        self.best_metric_value = -torch.inf
        self.comm_info, self.storage = {}, EventStorage()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        log_file = str(Path(cfg.save_path, "train.log"))
        self.logger = get_root_logger(log_file, file_mode="a" if cfg.resume else "w")
        self.logger.info(f"Pointcept stand-in on {self.device}, save path: {cfg.save_path}")
        self.logger.info(f"Config:\n{cfg.pretty_text}")
        self.model = build_model(cfg.model).to(self.device)
        trained = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        self.logger.info(f"Num params: {trained}")
        self.writer = SummaryWriter(cfg.save_path)
        self.train_loader = self.build_train_loader()
        self.val_loader = self.build_val_loader()
        self.optimizer = build_optimizer(cfg.optimizer, self.model, cfg.param_dicts)
        steps = len(self.train_loader) * self.max_epoch
        cfg.scheduler.total_steps = steps // cfg.gradient_accumulation_steps
        self.scheduler = build_scheduler(cfg.scheduler, self.optimizer)
        if cfg.enable_amp and self.device.type == "cpu":
            self.logger.info("enable_amp = True needs CUDA: this training runs in float32.")
            cfg.enable_amp = False
        self.scaler = torch.amp.GradScaler(self.device.type) if cfg.enable_amp else None
        self.hooks = build_hooks(cfg.hooks)
        for hook in self.hooks:
            hook.trainer = weakref.proxy(self)  # a cycle would keep the trainer alive

    # Order of calls ---------------------------------------------------------------------------

    def train(self) -> None:
        self.call_hooks("before_train")
        for epoch in range(self.start_epoch, self.max_epoch):
            self.epoch = epoch
            self.run_epoch()
        self.call_hooks("after_train")
        self.writer.close()

    def run_epoch(self) -> None:
        self.train_loader.sampler.set_epoch(self.epoch)
        self.model.train()
        # As in Pointcept, workers start on the new epoch here: ahead of every before_epoch.
        batches = enumerate(self.train_loader)
        self.call_hooks("before_epoch")
        for index, batch in batches:
            self.comm_info.update(iter=index, input_dict=batch)
            self.call_hooks("before_step")
            self.run_step()
            self.call_hooks("after_step")
        self.call_hooks("after_epoch")
        self.storage.reset_histories()

    def call_hooks(self, moment: str) -> None:
        for hook in self.hooks:
            getattr(hook, moment)()

    # One step ---------------------------------------------------------------------------------

    def run_step(self) -> None:
        batch = self.comm_info["input_dict"]
        for key, value in batch.items():
            if torch.is_tensor(value):
                batch[key] = value.to(self.device, non_blocking=True)
        if self._accumulated == 0:
            self.optimizer.zero_grad()
        dtype = getattr(torch, self.cfg.amp_dtype)
        with torch.autocast(self.device.type, dtype, enabled=self.cfg.enable_amp):
            output = self.model(batch)
            loss = output["loss"] / self.cfg.gradient_accumulation_steps
        (self.scaler.scale(loss) if self.scaler else loss).backward()
        self._accumulated += 1
        if self._accumulated >= self.cfg.gradient_accumulation_steps:
            self.update_parameters()
            self._accumulated = 0
        self.comm_info["model_output_dict"] = output

    def update_parameters(self) -> None:
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        if self.cfg.clip_grad is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.cfg.clip_grad)
        if self.scaler is None:
            self.optimizer.step()
            self.scheduler.step()
            return
        self.scaler.step(self.optimizer)
        scale = self.scaler.get_scale()
        self.scaler.update()
        if self.scaler.get_scale() >= scale:  # a smaller scale: gradients overflowed, no step
            self.scheduler.step()

    # Data -------------------------------------------------------------------------------------

    def build_train_loader(self) -> DataLoader:
        cfg, dataset = self.cfg, build_dataset(self.cfg.data.train)
        workers = cfg.num_worker_per_gpu
        return self._loader(
            dataset,
            batch_size=cfg.batch_size_per_gpu,
            sampler=EpochSampler(len(dataset), cfg.seed),
            collate_fn=partial(point_collate_fn, mix_prob=cfg.mix_prob),
            worker_init_fn=partial(worker_init_fn, num_workers=workers, rank=0, seed=cfg.seed),
            drop_last=len(dataset) > cfg.batch_size,
            persistent_workers=workers > 0,
        )

    def build_val_loader(self) -> DataLoader | None:
        if not self.cfg.evaluate:
            return None
        dataset, size = build_dataset(self.cfg.data.val), self.cfg.batch_size_val_per_gpu
        return self._loader(dataset, batch_size=size, collate_fn=collate_fn)

    def _loader(self, dataset, **options) -> DataLoader:
        workers = self.cfg.num_worker_per_gpu
        options["pin_memory"] = self.device.type == "cuda"
        # On Linux fork, which is not the default from Python 3.14 on: workers that a fork server
        # starts do not notice that a training was killed, and stay.
        if workers and sys.platform == "linux":
            options["multiprocessing_context"] = "fork"
        return DataLoader(dataset, num_workers=workers, **options)
