"""Reading by a library that may hang, abort or ask for all memory: in a process with limits."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

THREADS = 4  # of the child
FEW_THREADS = {
    "RAYON_NUM_THREADS": str(THREADS),
    "RUST_BACKTRACE": "0",
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX"), "1"),
}
SERVE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from pointcept_wsegpc.files.child import serve; serve(*sys.argv[2:])"
)


class _Stream:
    """A pipe as numpy wants it: no file that it could seek in."""

    def __init__(self, file):
        self.read, self.write = file.read, file.write


def read_in_child(
    function: Callable[[str], np.ndarray], path: str | Path, seconds: int, memory: int
) -> np.ndarray:
    """function(path), an array of any dtype without objects, from a process of its own.

    function: of a module that imports little. seconds and memory (bytes) are its limits.
    Raises ValueError where it raises, crashes, or comes to a limit.
    """
    what = function.__module__, function.__qualname__, path, seconds, memory
    command = [sys.executable, "-c", SERVE, json.dumps(sys.path), *map(str, what)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    environment = {**os.environ, **FEW_THREADS}
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, **pipes, stderr=said, env=environment) as child,
    ):
        late = threading.Event()
        timer = threading.Timer(seconds, lambda: (late.set(), child.kill()))
        timer.start()
        try:
            array = _read(child.stdout)
            child.stdout.close()
            status = child.wait()
        except BaseException:
            child.kill()
            raise
        finally:
            timer.cancel()
        if status or array is None:
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").split("\n")
            lines = [line for line in lines if line and not line.startswith("note:")]
            reason = lines[-1] if lines else f"its reader ended with status {status}"
            if late.is_set() or -status == signal.SIGXCPU:
                reason = f"reading it takes more than {seconds} s"
            elif status < 0:
                reason = f"its reader crashed, {signal.Signals(-status).name}: {reason}"
            raise ValueError(reason)
    return array


def _read(pipe) -> np.ndarray | None:
    with contextlib.suppress(ValueError, EOFError):
        return np.lib.format.read_array(_Stream(pipe), allow_pickle=False)
    return None


def serve(module: str, name: str, path: str, seconds: str, memory: str) -> None:
    """In the child: call the function and send its array to the standard output."""
    import resource

    limits = {
        resource.RLIMIT_CPU: int(seconds) * THREADS,  # also where nobody is left to wait for it
        resource.RLIMIT_AS: int(memory),
        resource.RLIMIT_CORE: 0,
    }
    for kind, limit in limits.items():
        with contextlib.suppress(ValueError, OSError):  # less is allowed already
            resource.setrlimit(kind, (limit, limit))
    pipe = os.dup(1)
    os.dup2(2, 1)  # what the library prints is none of the array
    try:
        array = getattr(importlib.import_module(module), name)(path)
    except MemoryError:
        sys.exit(f"reading it takes more than {int(memory) >> 20} MiB")
    except Exception as error:
        sys.exit(" ".join(f"{error}".split()) or type(error).__name__)
    with open(pipe, "wb") as file:
        np.lib.format.write_array(_Stream(file), array)
