from mmengine.config import Config, DictAction

__all__ = ["Config", "DictAction"]
