"""Configuration files, as mmengine reads them (Pointcept's reader descends from the same code)."""

from mmengine.config import Config, ConfigDict, DictAction

__all__ = ["Config", "ConfigDict", "DictAction"]
