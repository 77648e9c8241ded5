"""What the studies take from the project's commands; they run in the repository."""

from __future__ import annotations

from pathlib import Path

from pointcept_wsegpc.commands.quickstart_report import read_truth, scene_row, stage_two_miou
from pointcept_wsegpc.commands.trainings import (
    export_labels,
    predict_labels,
    relative,
    resume_options,
    wsegpc,
)

REPOSITORY = Path(__file__).resolve().parents[3]

__all__ = [
    "REPOSITORY",
    "export_labels",
    "predict_labels",
    "read_truth",
    "relative",
    "resume_options",
    "scene_row",
    "stage_two_miou",
    "wsegpc",
]
