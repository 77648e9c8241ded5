"""`wsegpc train`: one training, on Pointcept or on the stand-in, with Pointcept's options."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..jobs.process import PROGRESS_FILE
from . import configs
from .arguments import subcommand
from .errors import end_in_one_line
from .output import claim

EXAMPLES = """
wsegpc train -c quickstart/wsegpc-cmg --options save_path=exp/cmg
wsegpc train -c exp/cmg/config.py --options resume=True weight=exp/cmg/model/model_last.pth
"""


@subcommand("train", EXAMPLES)
@click.option(
    "-c", "--config-file", required=True, help="A file, or the name of one of ours: folder/name."
)
@click.option("--num-gpus", default=1, help="GPUs per machine.")
@click.option("--num-machines", default=1, help="Machines.")
@click.option("--machine-rank", default=0, help="Rank of this machine.")
@click.option("--dist-url", default="auto", help="Where the processes of several GPUs meet.")
@click.option("--options", multiple=True, metavar="KEY=VALUE …", help="Overrides of the config.")
def command(config_file, options, **launch_options):
    """Train from a config, on Pointcept or, where there is none, on the stand-in."""
    engine = configs.start_engine()

    from pointcept.engines.defaults import default_config_parser
    from pointcept.engines.launch import launch

    path = configs.find_config(config_file, engine)
    given = configs.read_options(options)
    cfg = configs.read_config(path, given)
    if not cfg.resume:
        claim(Path(cfg.save_path), "train", ("config.py", "train.log", "model"))
    cfg = default_config_parser(str(path), given)
    with end_in_one_line("train", log=Path(cfg.save_path, "train.log")):
        launch(
            train,
            num_gpus_per_machine=launch_options.pop("num_gpus"),
            cfg=(cfg,),
            **launch_options,
        )


def train(cfg) -> None:
    """One process of a training."""
    from pointcept.engines.defaults import default_setup
    from pointcept.engines.train import TRAINERS

    if PROGRESS_FILE in os.environ:
        cfg.hooks.append({"type": "WSegPCProgress"})
    cfg = default_setup(cfg)
    TRAINERS.build({"type": cfg.train.type, "cfg": cfg}).train()
