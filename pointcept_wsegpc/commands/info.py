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

# Module: what installs it where ours did not.
NEEDED = {
    "torch": "pip install torch",
    "torchvision": "pip install torchvision",
    "timm": "pip install timm",
    "numpy": "pip install numpy",
    "scipy": "pip install scipy",
    "numba": "pip install numba",
    "PIL": "pip install pillow",
    "tensorboardX": "pip install tensorboardX",
}
NEEDED_BY_STANDIN = {"mmengine": "pip install mmengine-lite"}
NEEDED_BY_POINTCEPT = {
    "spconv": "pip install spconv (CPU), or pip install -e '.[cu120]', '.[cu124]', '.[cu126]'",
    "torch_scatter": "pip install --no-build-isolation torch-scatter",
    "torch_cluster": "pip install --no-build-isolation torch-cluster",
    "torch_geometric": "pip install torch-geometric",
    "peft": "pip install peft",
    "wandb": "pip install wandb",
    "open3d": "pip install open3d",
    "pointops": "pip install --no-build-isolation ./libs/pointops in the Pointcept checkout",
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
    lines += [("python", platform.python_version()), ("device", _device())]
    on_standin = engine is None or engine.is_standin
    needed = NEEDED | (NEEDED_BY_STANDIN if on_standin else NEEDED_BY_POINTCEPT)
    distributions = packages_distributions()
    missing = [name for name in needed if find_spec(name) is None]
    for name in needed:
        if name not in missing:
            distribution = distributions.get(name, [""])[0]
            lines.append((distribution, version(distribution)) if distribution else (name, "found"))
    lines += [(name, f"missing: {needed[name]}") for name in missing]
    if set(missing) & set(cpu.STUBBED):
        lines.append(("", f"without CUDA, pointcept_wsegpc.cpu stubs {', '.join(cpu.STUBBED)}"))
    for name, value in lines:
        click.echo(f"{name:18} {value}")
    return 1 if missing or engine is None else 0


def _device() -> str:
    if find_spec("torch") is None:
        return "unknown without torch"
    torch = importlib.import_module("torch")
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
