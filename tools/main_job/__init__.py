"""The parts of tools/quickstart.py: plan, steps, child processes, report."""
