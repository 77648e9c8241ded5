"""The cases of tools/benchmark.py, and the plain textbook versions that ours is compared with."""
