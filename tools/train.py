"""Train from a configuration, with Pointcept's command line, on Pointcept or on the stand-in.

    python tools/train.py --config-file configs/quickstart/wsegpc-cmg.py \\
        --options save_path=exp/cmg [weight=exp/cam/model/model_last.pth] [resume=True]
"""

import logging
import os
from pathlib import Path

import torch

from pointcept_wsegpc import cpu, host
from pointcept_wsegpc.commands import errors
from pointcept_wsegpc.jobs.process import PROGRESS_FILE


def main_worker(cfg):
    from pointcept.engines.defaults import default_setup
    from pointcept.engines.train import TRAINERS

    if PROGRESS_FILE in os.environ:
        cfg.hooks.append({"type": "WSegPCProgress"})
    cfg = default_setup(cfg)
    TRAINERS.build({"type": cfg.train.type, "cfg": cfg}).train()


def main():
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    engine = host.ensure_pointcept()
    if not engine.is_standin and not torch.cuda.is_available():
        cpu.patch()

    from pointcept.engines.defaults import default_argument_parser, default_config_parser
    from pointcept.engines.launch import launch

    import pointcept_wsegpc.register  # noqa: F401  fills the registries

    args = default_argument_parser().parse_args()
    cfg = default_config_parser(args.config_file, args.options)
    with errors.end_in_one_line("train", log=Path(cfg.save_path, "train.log")):
        launch(
            main_worker,
            num_gpus_per_machine=args.num_gpus,
            num_machines=args.num_machines,
            machine_rank=args.machine_rank,
            dist_url=args.dist_url,
            cfg=(cfg,),
        )


if __name__ == "__main__":
    with errors.end_in_one_line("train"):
        main()
