"""What the studies take from the project's commands."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from main_job.plan import REPOSITORY, export_labels, predict_labels, relative, tool
from main_job.report import read_truth, scene_row, stage_two_miou

__all__ = [
    "REPOSITORY",
    "export_labels",
    "predict_labels",
    "read_truth",
    "relative",
    "scene_row",
    "stage_two_miou",
    "tool",
]
