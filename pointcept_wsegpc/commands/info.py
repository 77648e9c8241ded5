"""`wsegpc info`: which engine and versions are there, and what is missing."""

from __future__ import annotations

import importlib
import platform
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec

import click

from .. import __version__, cpu, host
from .arguments import subcommand
from .configs import configs_folder

# Module: what to give `pip install` where it is missing.
NEEDED = {name: name for name in ("torch", "torchvision", "timm", "numpy", "scipy", "numba")}
NEEDED |= {"PIL": "pillow", "tensorboardX": "tensorboardX"}
NEEDED_BY_STANDIN = {"mmengine": "mmengine-lite"}
NEEDED_BY_POINTCEPT = {
    "spconv": "spconv (CPU), or pip install -e '.[cu120]', '.[cu124]', '.[cu126]'",
    "torch_scatter": "--no-build-isolation torch-scatter",
    "torch_cluster": "--no-build-isolation torch-cluster",
    "torch_geometric": "torch-geometric",
    "peft": "peft",
    "wandb": "wandb",
    "open3d": "open3d",
    "pointops": "--no-build-isolation ./libs/pointops in the Pointcept checkout",
}


@subcommand("info", "wsegpc info")
def command():
    """Say which engine and versions are there, and what is missing.

    Ends with status 1 where something is.
    """
    try:
        engine = host.ensure_pointcept(quiet=True)
    except (FileNotFoundError, ModuleNotFoundError) as error:
        engine, found = None, f"missing: {error}"
    else:
        found = str(engine)
    lines = [("pointcept_wsegpc", __version__), ("engine", found), ("configs", configs_folder())]
    lines += [("python", platform.python_version()), ("device", device())]
    on_standin = engine is None or engine.is_standin
    needed = NEEDED | (NEEDED_BY_STANDIN if on_standin else NEEDED_BY_POINTCEPT)
    distributions, missing = packages_distributions(), []
    for name, package in needed.items():
        if find_spec(name) is None:
            missing.append((name, f"missing: pip install {package}"))
        elif name in distributions:
            lines.append((distributions[name][0], version(distributions[name][0])))
        else:
            lines.append((name, "found"))
    lines += missing
    if dict(missing).keys() & set(cpu.STUBBED):
        lines.append(("", f"without CUDA, pointcept_wsegpc.cpu stubs {', '.join(cpu.STUBBED)}"))
    for name, value in lines:
        click.echo(f"{name:18} {value}")
    return 1 if missing or engine is None else 0


def device() -> str:
    if find_spec("torch") is None:
        return "unknown without torch"
    torch = importlib.import_module("torch")
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
