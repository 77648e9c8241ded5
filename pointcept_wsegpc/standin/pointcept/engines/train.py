"""The trainer: builds everything from the configuration, then epochs of steps with hooks around."""

from __future__ import annotations

import logging
import sys
import weakref
from functools import partial
from pathlib import Path

import torch
from tensorboardX import SummaryWriter
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Sampler

from pointcept.datasets import build_dataset, collate_fn
from pointcept.models import build_model
from pointcept.utils.registry import Registry
from pointcept_wsegpc.losses.ragged import to_device

from .defaults import worker_init_fn
from .hooks import build_hooks

TRAINERS = Registry("trainers")
OPTIMIZERS = Registry("optimizers")
SCHEDULERS = Registry("schedulers")
for _optimizer in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
    OPTIMIZERS.register_module(module=_optimizer)


@SCHEDULERS.register_module()
class PolyLR(lr_scheduler.LambdaLR):
    """lr · (1 − step / (total_steps + 1))^power: still above zero in the last step."""

    def __init__(self, optimizer, total_steps: int, power: float = 0.9):
        super().__init__(optimizer, lambda step: (1 - step / (total_steps + 1)) ** power)


def parameter_groups(model: torch.nn.Module, lr: float, param_dicts=None) -> list[dict]:
    """The optimizer's groups of trained parameters; the default group comes first.

    ``param_dicts`` is a list of ``dict(keyword=..., lr=..., momentum=..., weight_decay=...)``; a
    parameter joins the first entry whose keyword its name contains.
    """
    groups, keywords = [{"params": [], "lr": lr}], []
    for entry in param_dicts or []:
        groups.append({**entry, "params": []})
        keywords.append(groups[-1].pop("keyword"))
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            matches = (i for i, keyword in enumerate(keywords, start=1) if keyword in name)
            groups[next(matches, 0)]["params"].append(parameter)
    return groups


def log_into(file: Path, mode: str) -> logging.Logger:
    """The logger of a training, to the console and its file alone: an earlier one's is closed."""
    logger = logging.getLogger("pointcept")
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()
    line = "[%(asctime)s %(levelname)s %(filename)s line %(lineno)d %(process)d] %(message)s"
    for handler in (logging.StreamHandler(), logging.FileHandler(file, mode)):
        handler.setFormatter(logging.Formatter(line))
        logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    return logger


class EpochSampler(Sampler):
    """Random order from seed and epoch alone, so that a resumed training continues in it."""

    def __init__(self, size: int, seed: int):
        self.size, self.seed, self.epoch = size, seed, 0

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
        self.comm_info = {}
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.logger = log_into(Path(cfg.save_path, "train.log"), "a" if cfg.resume else "w")
        self.logger.info(f"Pointcept stand-in on {self.device}, save path: {cfg.save_path}")
        self.logger.info(f"Config:\n{cfg.pretty_text}")
        self.model = build_model(cfg.model).to(self.device)
        trained = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        self.logger.info(f"Num params: {trained}")
        self.writer = SummaryWriter(cfg.save_path)
        self.train_loader = self.build_train_loader()
        self.val_loader = self.build_val_loader()
        groups = parameter_groups(self.model, cfg.optimizer.lr, cfg.param_dicts)
        self.optimizer = OPTIMIZERS.build({**cfg.optimizer, "params": groups})
        steps = len(self.train_loader) * self.max_epoch // cfg.gradient_accumulation_steps
        schedule = {"total_steps": steps, "optimizer": self.optimizer}
        self.scheduler = SCHEDULERS.build({**cfg.scheduler, **schedule})
        if cfg.enable_amp and self.device.type == "cpu":
            self.logger.info("enable_amp = True needs CUDA: this training runs in float32.")
            cfg.enable_amp = False
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=cfg.enable_amp)
        self.hooks = build_hooks(cfg.hooks)
        for hook in self.hooks:
            hook.trainer = weakref.proxy(self)  # a cycle would keep the trainer alive

    def train(self) -> None:
        self.call_hooks("before_train")
        for epoch in range(self.start_epoch, self.max_epoch):
            self.epoch = epoch
            self.run_epoch()
        self.call_hooks("after_train")
        self.writer.close()

    def run_epoch(self) -> None:
        self.train_loader.sampler.epoch = self.epoch
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

    def call_hooks(self, moment: str) -> None:
        for hook in self.hooks:
            getattr(hook, moment)()

    def run_step(self) -> None:
        batch = to_device(self.comm_info["input_dict"], self.device)
        self.comm_info["input_dict"] = batch
        if self._accumulated == 0:
            self.optimizer.zero_grad()
        dtype = getattr(torch, self.cfg.amp_dtype)
        with torch.autocast(self.device.type, dtype, enabled=self.cfg.enable_amp):
            output = self.model(batch)
            loss = output["loss"] / self.cfg.gradient_accumulation_steps
        self.scaler.scale(loss).backward()
        self._accumulated += 1
        if self._accumulated >= self.cfg.gradient_accumulation_steps:
            self.update_parameters()
            self._accumulated = 0
        self.comm_info["model_output_dict"] = output

    def update_parameters(self) -> None:
        if self.cfg.clip_grad is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.cfg.clip_grad)
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.get_scale() >= scale:  # a smaller scale: gradients overflowed, no step
            self.scheduler.step()

    def build_train_loader(self) -> DataLoader:
        cfg, dataset = self.cfg, build_dataset(self.cfg.data.train)
        return self._loader(
            dataset,
            batch_size=cfg.batch_size,
            sampler=EpochSampler(len(dataset), cfg.seed),
            worker_init_fn=partial(worker_init_fn, seed=cfg.seed),
            drop_last=len(dataset) > cfg.batch_size,
            persistent_workers=cfg.num_worker > 0,
        )

    def build_val_loader(self) -> DataLoader | None:
        if not self.cfg.evaluate:
            return None
        dataset = build_dataset(self.cfg.data.val)
        return self._loader(dataset, batch_size=self.cfg.batch_size_val or 1)

    def _loader(self, dataset, **options) -> DataLoader:
        # On Linux fork, which is not the default from Python 3.14 on: workers that a fork server
        # starts do not notice that a training was killed, and stay.
        if self.cfg.num_worker and sys.platform == "linux":
            options["multiprocessing_context"] = "fork"
        options |= {"num_workers": self.cfg.num_worker, "collate_fn": collate_fn}
        return DataLoader(dataset, pin_memory=self.device.type == "cuda", **options)
