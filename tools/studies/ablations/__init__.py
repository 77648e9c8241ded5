"""The parts of tools/studies/ablation.py: tables, data sets, jobs, their runner, results."""
