"""The cases of tools/studies/benchmark.py, and the textbook versions that ours is compared with."""
