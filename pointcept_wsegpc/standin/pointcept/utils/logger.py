"""The logger that trainer, data sets and hooks share."""

from __future__ import annotations

import logging

FORMAT = "[%(asctime)s %(levelname)s %(filename)s line %(lineno)d %(process)d] %(message)s"


def get_root_logger(
    log_file: str | None = None, log_level: int = logging.INFO, file_mode: str = "a"
) -> logging.Logger:
    """Logger "pointcept", to the console and, once a trainer named one, to its log file."""
    logger = logging.getLogger("pointcept")
    if not logger.handlers:
        logger.propagate = False
        logger.setLevel(log_level)
        logger.addHandler(logging.StreamHandler())
    if log_file is not None:
        # A second trainer in one process must not write into the first one's file.
        for handler in [h for h in logger.handlers if isinstance(h, logging.FileHandler)]:
            logger.removeHandler(handler)
            handler.close()
        logger.addHandler(logging.FileHandler(log_file, file_mode))
    for handler in logger.handlers:
        handler.setFormatter(logging.Formatter(FORMAT))
    return logger
