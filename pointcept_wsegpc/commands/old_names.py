"""Old names of commands, options and files, and the page of all old names (docs/upgrade.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .. import renames

TOOLS = {
    "tools/prepare_scannet.py": "wsegpc prepare scannet",
    "tools/prepare_s3dis.py": "wsegpc prepare s3dis",
    "tools/prepare_folder.py": "wsegpc prepare scans",
    "tools/convert_data.py FORMAT": "wsegpc prepare wsegpc, openscene, concerto",
    "tools/convert_data.py pseudo-labels": "wsegpc import-labels",
    "tools/check_data.py": "wsegpc check",
    "tools/extract_regions.py": "wsegpc regions",
    "tools/sweep_regions.py": "wsegpc sweep-regions",
    "tools/train.py": "wsegpc train",
    "tools/train_folder.py": "wsegpc train-scans",
    "tools/export.py": "wsegpc export-labels",
    "tools/predict.py": "wsegpc predict",
    "tools/export_ply.py": "wsegpc export-ply",
    "tools/convert_minkowski.py": "wsegpc convert-checkpoint",
    "tools/make_synthetic.py": "wsegpc synthesize",
    "tools/make_synthrooms.py": "wsegpc synthrooms",
    "tools/quickstart.py": "wsegpc quickstart",
    "python -m pointcept_wsegpc": "wsegpc info",
}
OPTIONS = {
    "--root, positional root (written)": "--out",
    "--data, positional root (read)": "positional DATA_ROOT",
    "--points (S3DIS), positional source": "--raw",
    "--splits, --areas": "--split",
    "--every (converted data)": "--stride",
    "--size N (S3DIS)": "--size WxH",
    "--size small, large (SynthRooms)": "--edition",
    "--poses": "--pose-format",
    "--tolerance (check)": "--depth-tolerance",
    "--max-views (check)": "--sample-views",
    "--pictures": "--figures",
    "--names": "--classes",
    "positional store, --out (imported labels)": "--store",
    "--no-vote": "--no-region-vote",
    "--train, --val (synthetic scans)": "--num-train, --num-val",
}
# Parts of the paths of configs, as in `_base_`.
CONFIGS = {"synthetic": "quickstart", "folder": "scans", "wsegpc-full": "supervised"}
ENVIRONMENT = {"WSEGPC_SCANS": "WSEGPC_DATA_ROOT"}
# Imports from pointcept_wsegpc.labels in configs, and the statements that stand there now.
_TABLES = "from pointcept_wsegpc.contracts.classes import "
TABLE_IMPORTS = {
    "read_class_names": f"{_TABLES}read_class_names",
    **{
        f"{name.upper()}_NAMES": f"{_TABLES}ClassTable; {name.upper()}_NAMES = "
        f'ClassTable.shipped("{name}").names; del ClassTable'
        for name in ("scannet20", "s3dis")
    },
}
# In label stores.
METRICS = {"3D": "3d", "3D per point": "3d_no_vote", "2D": "2d", "points": "3d"}
STORE_FILES = {"manifest.json, run.json": "store.json", "measures/": "metrics/"}

TABLES = {
    "Commands": TOOLS,
    "Options": OPTIONS,
    "Configs, by name": CONFIGS,
    "Environment": ENVIRONMENT,
    "Imports of configs, from pointcept_wsegpc.labels": TABLE_IMPORTS,
    "Registered data sets": renames.DATASETS,
    "Registered hooks": renames.HOOKS,
    "Registered models": renames.MODELS,
    "Arguments of the model": renames.MODEL_KEYS,
    "Arguments of its image encoder": renames.ENCODER_KEYS,
    "Arguments of the Mink U-Net": renames.BACKBONE_KEYS,
    "Arguments of the exporter": renames.HOOK_KEYS,
    "Arguments of the data sets": renames.DATASET_KEYS,
    "Kinds of structures, now roles": renames.ROLES,
    "Keys of samples and batches": renames.BATCH_KEYS,
    "Entries of checkpoints": renames.STATE_KEYS,
    "Settings in manifests of scenes": renames.SETTINGS,
    "Metrics of label stores": METRICS,
    "Files of label stores": STORE_FILES,
}


def page() -> str:
    """All old names with their new ones, in Markdown."""
    return "\n".join(line for title, names in TABLES.items() for line in _table(title, names))


def _table(title: str, names: Mapping[str, str | tuple[str, ...]]) -> Iterator[str]:
    yield from (f"## {title}", "", "| old | now |", "|---|---|")
    for old, new in names.items():
        new = [new] if isinstance(new, str) else new
        yield f"| `{old}` | {', '.join(f'`{name}`' for name in new)} |"
    yield ""
