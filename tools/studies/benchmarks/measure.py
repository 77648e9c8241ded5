"""Time and peak memory of a callable, and the machine they were taken on."""

import ctypes
import gc
import multiprocessing
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pointcept_wsegpc.host import find_engine


@dataclass(frozen=True)
class Case:
    """Ours and another version of one piece of work. A call is `calls` pieces; the other version
    does one part in `parts` of it, and its time counts so many times. Both leave nothing behind and
    return what they computed, for tests/test_benchmark.py to compare."""

    work: str
    ours: Callable
    other: Callable | None  # None: it needs a package that is not installed
    calls: int = 1
    parts: float = 1
    # (row of the report, repeat) -> what else there is to say: numbers, and a line "summary".
    findings: Callable | None = None


def best_times(calls, repeat):
    """Shortest time in seconds of each callable, called in turn `repeat` times after a warm-up.

    Other processes only ever add time, so the minimum is what the work itself takes.
    """
    best = [float("inf")] * len(calls)
    for call in calls:
        call()
    for _ in range(repeat):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def peak_memory(build, which):
    """Bytes by which one call of `which` ("ours", "other") of the case that `build()` returns
    raises the resident memory above that of its inputs; None where the system does not tell, or
    where there is no other version.

    It runs in a forked child, so that what one version leaves behind cannot hide the other's peak,
    and after a first call, so that libraries and caches that stay are not counted.
    """
    if not Path("/proc/self/clear_refs").exists():
        return None
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_measure_peak, args=(build, which, send))
    child.start()
    send.close()
    try:
        return receive.recv()
    except EOFError:
        raise RuntimeError(f"the memory measurement of {which} failed; see above") from None
    finally:
        child.join()


def _measure_peak(build, which, send):
    call = getattr(build(), which)
    if call is None:
        return send.send(None)
    call()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # glibc: free memory goes back to the system
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts anew from here
    before = _status("VmRSS")
    call()
    send.send(_status("VmHWM") - before)


def _status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def describe_machine():
    """What a time depends on besides the code."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "engine": f"{(engine := find_engine()).name} {engine.version}",
    }


def _processor():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
