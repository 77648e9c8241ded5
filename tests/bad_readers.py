"""Readers of foreign formats that do not behave, for a child process to run."""

import os
import time

import numpy as np


def whole(path):
    print("a library that talks")
    return np.array([(1.5, 2)], [("x", "f8"), ("n", "u1")])


def crash(path):
    os.write(2, b"allocation failed\n")
    os.abort()


def hang(path):
    time.sleep(60)


def hoard(path):
    return np.ones(2**32, np.uint8)


def refuse(path):
    raise KeyError(f"no points\nin {path}")
