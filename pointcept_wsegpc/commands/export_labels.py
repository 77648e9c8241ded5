"""`wsegpc export-labels`: pseudo-labels of a trained stage one, as its hook writes them."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from . import configs
from .arguments import PATH, subcommand

EXAMPLES = """
wsegpc export-labels --config-file exp/wsegpc/scannet/wsegpc-cmg-rpc/config.py \\
    --weight exp/wsegpc/scannet/wsegpc-cmg-rpc/model/model_last.pth
"""

logger = logging.getLogger("export")


@subcommand("export-labels", EXAMPLES)
@click.option(
    "-c",
    "--config-file",
    required=True,
    help="The training's config; best the copy in its save_path.",
)
@click.option("--weight", type=PATH, required=True, help="Checkpoint (model_last.pth).")
@click.option("--store", type=PATH, help="Folder to write; default SAVE_PATH/pseudo_labels.")
@click.option("--network", type=click.Choice(("teacher", "student")), default="teacher")
@click.option("--no-tags", is_flag=True, help="Do not mask with the scenes' tags.")
@click.option("--no-region-vote", is_flag=True, help="Label points, not regions.")
@click.option("--split", help="Scenes to label, with --store; default: the training's.")
@click.option("--replace", is_flag=True, help="Remove the labels of other weights or settings.")
@click.option("--options", multiple=True, metavar="KEY=VALUE …", help="Overrides of the config.")
def command(config_file, weight, store, network, no_tags, no_region_vote, split, replace, options):
    """Write the pseudo-labels of a trained stage one.

    Finished scenes are skipped, so an interrupted export is continued by the same command. A store
    that holds labels of other weights or settings is replaced with --replace, else refused.
    """
    if split and not store:
        raise click.UsageError("--split needs --store: a store holds the scenes of one split")
    engine = configs.start_engine()

    from pointcept.datasets import build_dataset

    from ..hooks.pseudo_labels import export_pseudo_labels

    path = configs.find_config(config_file, engine)
    cfg = configs.read_config(path, configs.read_options(options))
    model = build_network(cfg, weight)
    dataset = {**cfg.data.train, "mode": "eval"}
    if split:
        dataset["split"] = split
    export_pseudo_labels(
        model,
        build_dataset(dataset),
        store or Path(cfg.save_path) / "pseudo_labels",
        network=network,
        use_tags=not no_tags,
        region_vote=not no_region_vote,
        config=str(path.resolve()),
        num_worker=cfg.num_worker,
        replace=replace,
        log=logger.info,
    )


def build_network(cfg, weight: Path):
    """The model of a stage-one config with all its weights from a checkpoint."""
    import torch
    from pointcept.models.builder import build_model

    if "image_encoder" in cfg.model:
        cfg.model.image_encoder.weights = "none"  # all come from the checkpoint: download nothing
    model = build_model(cfg.model)
    if not hasattr(model, "infer"):
        raise ValueError(f"the config's model is {cfg.model.type}; pass one of stage one (WSegPC)")
    configs.load_checkpoint(model, weight)
    return model.to("cuda" if torch.cuda.is_available() else "cpu")
