"""From the rows of a table to jobs: configurations, and which job needs which."""

from __future__ import annotations

import copy
import functools
import hashlib
from dataclasses import dataclass

from pointcept_wsegpc.jobs.steps import continued_seed

from .benchmarks import REPOSITORY, Benchmark
from .data import fingerprint
from .jobs import Job, digest
from .rows import Row
from .tables import PARTITIONS

EXPORTER = "WSegPCPseudoLabelExporter"
PLACES = ("save_path", "weight", "resume")  # of a configuration: not what it trains


@functools.cache  # a table asks for the same few a hundred times
def config_file(name: str):
    """A configuration as its file says it; not to be changed."""
    from mmengine.config import Config

    path = REPOSITORY / "configs" / f"{name}.py"
    return Config.fromfile(str(path), import_custom_modules=False)


@dataclass(frozen=True)
class Study:
    """Jobs of rows on a benchmark."""

    benchmark: Benchmark

    def jobs(self, row: Row, seed: int | None) -> dict[str, Job]:
        """What a row needs, by role, in an order in which it can be done.

        Roles: regions, first, second (parts of stage one), val (its labels of unseen scenes),
        truth, stage_two, predict (of unseen scenes). Only those that the row has.
        """
        title, benchmark = f"{row.label}, seed {seed}", self.benchmark
        jobs = {"regions": regions} if (regions := self.regions(row)) else {}
        stage_one = (benchmark.stage_one, row.both)
        first = self.config(benchmark.first, *stage_one, {"seed": seed})
        first["hooks"] = [hook for hook in first["hooks"] if hook["type"] != EXPORTER]
        jobs["first"] = self._training(f"{title}: part 1 of stage one", first)
        own = {"seed": continued_seed(seed)}
        second = self.config(benchmark.second, *stage_one, row.second, own)
        self._label_same_views(second)
        needs = {"weight": jobs["first"], **({"regions": regions} if regions else {})}
        jobs["second"] = self._training(f"{title}: part 2 of stage one", second, needs)
        if row.stage_two is None:
            return jobs
        unseen, labels = {"split": "val"}, jobs["second"]
        jobs["val"] = Job("export", f"{title}: labels of val", unseen, {"model": labels})
        config = self.config(benchmark.stage_two, {"seed": seed})
        config["data"]["train"].pop("store", None)
        where = {"root": benchmark.data_root}
        if row.stage_two == "truth":
            settings = {**where, "names": list(config["data"]["names"]), "data": self.fingerprint}
            labels = jobs["truth"] = Job("truth", "ground truth as labels", settings)
        jobs["stage_two"] = self._training(f"{title}: stage two", config, {"labels": labels})
        needs, title = {"model": jobs["stage_two"]}, f"{title}: stage two labels val"
        jobs["predict"] = Job("predict", title, unseen | where, needs)
        return jobs

    def config_hash(self, row: Row) -> str:
        """What a row's results depend on besides the seed, in 12 hex digits."""
        return digest({role: job.name for role, job in self.jobs(row, None).items()})

    def regions(self, row: Row) -> Job | None:
        """The partition that a row needs to be made; None where it is that of the data root."""
        if row.partition in (None, self.benchmark.partition):
            return None
        method, preset = PARTITIONS[row.partition] or (None, None)
        settings = {"source": self.benchmark.data_root, "method": method, "preset": preset}
        settings["data"] = self.fingerprint
        return Job("regions", f"regions: {row.partition}", settings)

    def config(self, name: str, *changes: dict) -> dict:
        """A configuration with differences {dotted key: value}, on the benchmark's data."""
        cfg = copy.deepcopy(config_file(name))
        root = self.benchmark.data_root
        roots = {f"data.{part}.data_root": root for part in ("train", "val") if part in cfg.data}
        for difference in ({"evaluate": False}, roots, self.benchmark.more, *changes):
            cfg.merge_from_dict(copy.deepcopy(difference))
        if cfg.epoch % cfg.eval_epoch:
            raise ValueError(f"epoch = {cfg.epoch} is no multiple of eval_epoch {cfg.eval_epoch}")
        return {key: value for key, value in cfg.to_dict().items() if key not in PLACES}

    def _label_same_views(self, config):
        """In 2D, labels are measured on the views of the unchanged configuration."""
        views = self.config(self.benchmark.second)["data"]["train"]["num_views"]
        if config["data"]["train"]["num_views"] != views:
            exporter = next(hook for hook in config["hooks"] if hook["type"] == EXPORTER)
            exporter["dataset"] = {**config["data"]["train"], "mode": "eval", "num_views": views}

    def _training(self, title: str, config: dict, needs: dict | None = None) -> Job:
        settings = {"config": config, "data": self.fingerprint}
        weights = REPOSITORY / config["model"].get("image_encoder", {}).get("weights", "none")
        if weights.is_file():
            settings["weights"] = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
        return Job("train", title, settings, needs or {})

    @functools.cached_property
    def fingerprint(self) -> str:
        """Of the benchmark's data; "" where there are none."""
        return fingerprint(self.benchmark)
