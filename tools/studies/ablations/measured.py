#!/usr/bin/env python3
"""Run a Python command that ends with its parent, and record the memory that its process used.

    python measured.py usage.json -m pointcept_wsegpc train --config-file job.py

Writes {"rss_mib", "cuda_mib"}: of the process itself, without loader workers, and of PyTorch on the
GPU (0 without one), the largest so far. A record that is there is raised, never lowered: a training
that was cut short goes on in another process.
"""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

from pointcept_wsegpc.files import read_json, write_json
from pointcept_wsegpc.jobs.process import exit_after_parent


def record(path: Path) -> None:
    """Raise the numbers in a JSON file to those of this process."""
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_initialized()
    # ru_maxrss would count what the parent held when it started us.
    resident = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    cuda = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else 0
    usage = {"rss_mib": round(int(resident[1]) / 1024), "cuda_mib": round(cuda)}
    before = read_json(path) if path.is_file() else {}
    write_json(path, {key: max(value, before.get(key, 0)) for key, value in usage.items()})


if __name__ == "__main__":
    exit_after_parent()
    path, script, *arguments = sys.argv[1:]
    try:
        if script == "-m":
            sys.argv, sys.path[0] = arguments, ""
            runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = [script, *arguments], str(Path(script).resolve().parent)
            runpy.run_path(script, run_name="__main__")
    finally:
        record(Path(path))
