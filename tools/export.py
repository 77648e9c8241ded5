#!/usr/bin/env python3
"""Export pseudo-labels from a finished checkpoint, as the WSegPCPseudoLabelExporter hook does.

    python tools/export.py --config-file exp/wsegpc/scannet/wsegpc-cmg-rpc/config.py \\
        --weight exp/wsegpc/scannet/wsegpc-cmg-rpc/model/model_last.pth

Finished scenes are skipped, so an interrupted export is continued by the same command. A store that
holds labels of other weights or settings is replaced with --replace, else refused.
"""

import argparse
import logging
import sys
from pathlib import Path

import torch

from finished import load_checkpoint, read_config
from pointcept_wsegpc import cpu, host
from pointcept_wsegpc.commands import errors

logger = logging.getLogger("export")


def parse_arguments(dict_action):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--config-file", required=True, help="the training's config; best the copy in its save_path"
    )
    parser.add_argument("--weight", required=True, help="checkpoint (model_last.pth)")
    parser.add_argument("--store", help="folder to write; default <save_path>/pseudo_labels")
    parser.add_argument("--network", choices=("teacher", "student"), default="teacher")
    parser.add_argument("--no-tags", action="store_true", help="do not mask with the scenes' tags")
    parser.add_argument("--no-vote", action="store_true", help="label points, not regions")
    parser.add_argument("--split", help="scenes to label, with --store; default: the training's")
    parser.add_argument(
        "--replace", action="store_true", help="remove the labels of other weights or settings"
    )
    parser.add_argument("--options", nargs="+", action=dict_action, help="KEY=VALUE overrides")
    args = parser.parse_args()
    if args.split and not args.store:
        parser.error("--split needs --store: a store holds the scenes of one split")
    return args


def build_network(cfg, weight):
    """The model of a stage-one config with all its weights from a checkpoint."""
    from pointcept.models.builder import build_model

    if "image_encoder" in cfg.model:
        cfg.model.image_encoder.weights = "none"  # all come from the checkpoint: fetch nothing
    model = build_model(cfg.model)
    if not hasattr(model, "infer"):
        raise ValueError(f"the config's model is {cfg.model.type}; pass one of stage one (WSegPC)")
    load_checkpoint(model, weight)
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def main():
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    engine = host.ensure_pointcept()
    if not engine.is_standin and not torch.cuda.is_available():
        cpu.patch()

    from pointcept.datasets import build_dataset
    from pointcept.utils.config import DictAction

    import pointcept_wsegpc.register  # noqa: F401  fills the registries
    from pointcept_wsegpc.hooks.pseudo_labels import export_pseudo_labels

    args = parse_arguments(DictAction)
    cfg = read_config(args.config_file, args.options)
    model = build_network(cfg, args.weight)
    dataset = {**cfg.data.train, "mode": "eval"}
    if args.split:
        dataset["split"] = args.split
    export_pseudo_labels(
        model,
        build_dataset(dataset),
        args.store or Path(cfg.save_path) / "pseudo_labels",
        network=args.network,
        use_tags=not args.no_tags,
        region_vote=not args.no_vote,
        config=str(Path(args.config_file).resolve()),
        num_worker=cfg.num_worker,
        replace=args.replace,
        log=logger.info,
    )


if __name__ == "__main__":
    try:
        with errors.end_in_one_line("export"):
            main()
    except KeyboardInterrupt:
        sys.exit("export: interrupted; the same command goes on")
