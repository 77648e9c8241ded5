"""What the quickstart runs: sizes, places, and the command of each step."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pointcept_wsegpc.jobs.steps import last_checkpoint

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = Path("configs/quickstart")


def relative(path: Path) -> str:
    """As seen from the repository, where every command runs; short, and free of its own name."""
    return os.path.relpath(path, REPOSITORY)


@dataclass(frozen=True)
class Plan:
    """Sizes are WxH pixels. `overrides` are configuration keys that every training gets."""

    raw: Path = REPOSITORY / "data/synthetic_raw"
    data: Path = REPOSITORY / "data/synthetic"
    out: Path = REPOSITORY / "exp/quickstart"
    seed: int = 0  # of the trainings; the scans are always the same
    baseline: bool = False
    train_scenes: int = 24
    val_scenes: int = 8
    points: int = 30_000
    frames: int = 40
    color_size: str = "216x162"
    depth_size: str = "160x120"
    stride: int = 2
    view_size: str = "64x48"
    overrides: dict = field(default_factory=dict)

    def folder(self, name: str) -> Path:
        """Experiment folder of a configuration."""
        return self.out / name

    def checkpoint(self, name: str) -> Path:
        return last_checkpoint(self.folder(name))

    def pseudo_labels(self, name: str) -> Path:
        return self.folder(name) / "pseudo_labels"

    @property
    def pictures(self) -> Path:
        return self.out / "pictures"

    # Commands ---------------------------------------------------------------------------------

    def make_scans(self) -> list[str]:
        return tool(
            "make_synthetic", root=relative(self.raw), train=self.train_scenes, val=self.val_scenes,
            points=self.points, frames=self.frames, color_size=self.color_size,
            depth_size=self.depth_size,
        )  # fmt: skip

    def prepare(self) -> list[str]:
        command = tool(
            "prepare_scannet", raw=relative(self.raw), out=relative(self.data), stride=self.stride,
            size=self.view_size,
        )  # fmt: skip
        return [*command, "--splits", "train", "val"]

    def extract_regions(self) -> list[str]:
        return [*tool("extract_regions"), relative(self.data)]

    def train(self, name: str, **options) -> list[str]:
        """Train `configs/quickstart/<name>.py` into its folder; options are configuration keys."""
        options = {
            "save_path": relative(self.folder(name)),
            "data.train.data_root": relative(self.data),
            "data.val.data_root": relative(self.data),
            "seed": self.seed,
            **self.overrides,
            **options,
        }
        options = {k: relative(v) if isinstance(v, Path) else v for k, v in options.items()}
        pairs = [f"{key}={option_value(value)}" for key, value in options.items()]
        return [*tool("train", config_file=config_path(name)), "--options", *pairs]

    def export(self, name: str, split: str, store: Path) -> list[str]:
        """Label a split with a finished stage one, without its tags."""
        return export_labels(self.folder(name), split, store)

    def predict(self, name: str, split: str, out: Path) -> list[str]:
        """Label a split with a finished stage two."""
        return predict_labels(self.folder(name), split, out)

    def config(self, name: str):
        """The configuration that a training starts from, as its file says it."""
        from mmengine.config import Config

        path = str(REPOSITORY / config_path(name))
        cfg = Config.fromfile(path, import_custom_modules=False)
        cfg.merge_from_dict(self.overrides)
        return cfg

    def baseline_length(self) -> dict[str, int]:
        """Epochs of the tags-only baseline: as many as both parts of stage one together."""
        parts = [self.config(name) for name in ("wsegpc-cmg", "wsegpc-cmg-rpc")]
        epoch = sum(cfg.epoch for cfg in parts)
        return {"epoch": epoch, "eval_epoch": math.gcd(epoch, sum(c.eval_epoch for c in parts))}


def config_path(name: str) -> str:
    return str(CONFIGS / f"{name}.py")


def option_value(value):
    """The value; ValueError for text or a path that the parser of --options would not leave so."""
    if isinstance(value, str | Path) and set(str(value)) & set(" ,()[]{}'\"="):
        raise ValueError(
            f"{value}: options hold no path with spaces, commas, quotes, brackets or =; "
            "rename the folder or give another"
        )
    return value


def tool(name: str, **arguments) -> list[str]:
    """The command of tools/<name>.py with --key value for every argument."""
    command = [sys.executable, f"tools/{name}.py"]
    for key, value in arguments.items():
        command += [f"--{key.replace('_', '-')}", str(value)]
    return command


def export_labels(folder: Path, split: str, store: Path) -> list[str]:
    """The command that labels a split with the stage one trained into `folder`, without tags."""
    return [*_on_finished("export", folder), "--store", relative(store), "--split", split,
            "--no-tags", "--replace"]  # fmt: skip


def predict_labels(folder: Path, split: str, out: Path) -> list[str]:
    """The command that labels a split with the stage two trained into `folder`."""
    return [*_on_finished("predict", folder), "--split", split, "--out", relative(out)]


def _on_finished(name: str, folder: Path) -> list[str]:
    config, weight = folder / "config.py", last_checkpoint(folder)
    return tool(name, config_file=relative(config), weight=relative(weight))
