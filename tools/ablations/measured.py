#!/usr/bin/env python3
"""Run a Python script that ends with its parent, and record the memory that its process used.

    python tools/ablations/measured.py usage.json -m pointcept_wsegpc train --config-file job.py

Writes {"rss_mib", "cuda_mib"}: of the process itself, without loader workers, and of PyTorch on the
GPU (0 without one), the largest so far. A record that is there is raised, never lowered: a training
that was cut short goes on in another process. The script is killed as soon as the process that
started it is gone, however that ended: nobody would wait for it.
"""

import json
import os
import re
import resource
import runpy
import sys
import threading
import time
from pathlib import Path

MIB = 2**20
WATCH_SECONDS = 0.5


def usage():
    """{"rss_mib", "cuda_mib"} of this process so far."""
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_initialized()
    cuda = torch.cuda.max_memory_allocated() if on_gpu else 0
    return {"rss_mib": round(resident() / MIB), "cuda_mib": round(cuda / MIB)}


def resident():
    """The largest resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # on Linux, ru_maxrss counts what the parent held when it started us
        found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def record(path):
    """Raise the numbers in a JSON file to those of this process."""
    before = json.loads(path.read_text()) if path.is_file() else {}
    numbers = {key: max(value, before.get(key, 0)) for key, value in usage().items()}
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(numbers))
    os.replace(temporary, path)


def exit_after(parent):
    """End this process when another is its parent: the first one is gone."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def main():
    threading.Thread(target=exit_after, args=(os.getppid(),), daemon=True).start()
    path, script, *arguments = sys.argv[1:]
    as_module = script == "-m"
    if as_module:
        script, *arguments = arguments
    sys.argv = [script, *arguments]
    # As if it had been called itself.
    sys.path[0] = os.getcwd() if as_module else str(Path(script).resolve().parent)
    run = runpy.run_module if as_module else runpy.run_path
    try:
        run(script, run_name="__main__")
    finally:
        record(Path(path))


if __name__ == "__main__":
    main()
