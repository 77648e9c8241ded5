"""The parts of tools/quickstart.py: plan, steps, child processes, predictions, report."""
