"""The parts of tools/ablation.py: tables, data sets, jobs, their runner, results."""
