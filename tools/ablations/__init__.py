"""The parts of tools/ablation.py: tables, data sets, jobs, their runner, results."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
