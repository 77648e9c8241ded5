"""Find Pointcept; where there is none, put the stand-in on the import path."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

STANDIN_ROOT = Path(__file__).parent / "standin"

# Pointcept names its version nowhere in its code: the newest part that is there tells it.
RELEASES = (("models/utonia", "1.7"), ("models/concerto", "1.6.1"), ("models/sonata", "1.6.0"))


@dataclass(frozen=True)
class EngineInfo:
    """Which package ``import pointcept`` gives; ``path`` is the folder that holds it."""

    name: str
    version: str
    path: Path
    is_standin: bool

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.path})"


def ensure_pointcept(quiet: bool = False) -> EngineInfo:
    """Make ``import pointcept`` work and say in one line what it gives (not if ``quiet``).

    An importable Pointcept wins, then the checkout that the environment variable POINTCEPT_ROOT
    names, then the current folder if it is a checkout, then the stand-in. Nothing of it is
    imported yet.

    Raises:
        FileNotFoundError: POINTCEPT_ROOT is needed, but holds no Pointcept.
        ModuleNotFoundError: only the stand-in is left, but mmengine, which it needs, is missing.
    """
    engine = find_engine()
    if engine is None:
        sys.path.append(str(_engine_root()))
        importlib.invalidate_caches()
        engine = find_engine()
    if engine.is_standin and importlib.util.find_spec("mmengine") is None:
        raise ModuleNotFoundError(
            "no Pointcept was found, and its stand-in needs mmengine, which is missing: "
            "set POINTCEPT_ROOT to a Pointcept checkout, or pip install mmengine-lite"
        )
    if not quiet:
        logger.info("Engine: %s", engine)
    return engine


def find_engine() -> EngineInfo | None:
    """What ``import pointcept`` would give now, without importing it; None if nothing."""
    spec = importlib.util.find_spec("pointcept")
    if spec is None or spec.origin is None:  # no origin: a folder of that name, not a package
        return None
    package = Path(spec.origin).parent
    if package.parent.resolve() == STANDIN_ROOT.resolve():
        from . import __version__

        return EngineInfo("Pointcept stand-in", __version__, package.parent, is_standin=True)
    return EngineInfo("Pointcept", _release(package), package.parent, is_standin=False)


def _engine_root() -> Path:
    root = os.environ.get("POINTCEPT_ROOT")
    if not root:
        # For a script, Python puts the script's folder on the path, not the current one.
        return Path.cwd() if _holds_pointcept(Path.cwd()) else STANDIN_ROOT
    if not _holds_pointcept(root):
        raise FileNotFoundError(
            f"POINTCEPT_ROOT={root} holds no pointcept/__init__.py: "
            "set it to a Pointcept checkout, or unset it to run on the stand-in"
        )
    return Path(root)


def _holds_pointcept(root: str | Path) -> bool:
    return Path(root, "pointcept", "__init__.py").is_file()


def _release(package: Path) -> str:
    found = (version for part, version in RELEASES if (package / part).is_dir())
    return next(found, "before 1.6.0")
