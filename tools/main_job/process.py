"""Child processes: output to a log file, one updating line of progress on the terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .plan import REPOSITORY

QUIET_SECONDS = 60  # between progress lines where there is no terminal

TRAIN = re.compile(
    r"Train: \[(\d+)/(\d+)\]\[(\d+)/(\d+)\].*?Remain (?P<remain>\S+).*?\bloss: (?P<loss>\S+)"
)
LABEL = re.compile(r"(?:Export|Predict): \[(\d+)/(\d+)\]")
TQDM = re.compile(r"(\d+)/(\d+) \[[\d:]+<([\d:?]+)")


class StepFailed(RuntimeError):
    """A child process failed; the message is one line."""


class Busy(StepFailed):
    """Another run is at it."""


def progress(line: str) -> str | None:
    """What a line of a trainer's or a tool's output says about progress; None if nothing."""
    if found := TRAIN.search(line):
        epoch, epochs, step, steps = found.group(1, 2, 3, 4)
        return (
            f"epoch {epoch}/{epochs}, step {step}/{steps}, "
            f"loss {found['loss']}, {found['remain']} left"
        )
    if found := LABEL.search(line):
        return "labels of scene {}/{}".format(*found.groups())
    if found := TQDM.search(line):
        return "scene {}/{}, {} left".format(*found.groups())
    return None


class ProgressLine:
    """Rewrites one line of a terminal; elsewhere prints one now and then."""

    def __init__(self, stream=None):
        self.stream = sys.stdout if stream is None else stream
        self.terminal = self.stream.isatty()
        self.last = time.monotonic()

    def show(self, text: str) -> None:
        if time.monotonic() - self.last < (0.2 if self.terminal else QUIET_SECONDS):
            return
        self.last = time.monotonic()
        start, end = ("\r\033[K", "") if self.terminal else ("", "\n")
        self.stream.write(f"{start}         {text}{end}")
        self.stream.flush()

    def clear(self) -> None:
        if self.terminal:
            self.stream.write("\r\033[K")


def run(
    command: list[str],
    log: Path,
    threads: int,
    keep_open=(),
    show: Callable[[str], None] | None = None,
    started: Callable[[subprocess.Popen], None] | None = None,
    **environment: str,
) -> None:
    """Run a command in the repository; its output goes to `log`, progress to the terminal.

    The file descriptors `keep_open` stay open in the child, whatever becomes of this process.
    show: takes the progress, instead of the terminal. started: takes the child as it starts.
    environment: variables that the child gets besides this process's.

    Raises:
        StepFailed: it ended with an error; the message has its last line and the log's place.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    last, shown = "", ProgressLine()
    show = show or shown.show
    # Matrices in numpy are small here: threads of its own would only take cores from torch.
    variables = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1", **environment}
    env = {**os.environ, **variables}
    child = subprocess.Popen(
        command, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", pass_fds=keep_open,
    )  # fmt: skip
    try:
        if started:
            started(child)
        with open(log, "a", encoding="utf-8") as file:
            for line in child.stdout:
                file.write(line)
                last = line.strip() or last
                if text := progress(line):
                    show(text)
    except BaseException:
        end(child)
        raise
    finally:
        status = child.wait()
        shown.clear()
    if status:
        raise StepFailed(f"{last or f'{command[1]} ended with status {status}'} (log: {log})")


def interrupt_at_sigterm() -> None:
    """Take SIGTERM for Ctrl-C: children of `run` then end with this process."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def end(child: subprocess.Popen) -> None:
    """Interrupt a child, and kill it if it does not heed."""
    child.send_signal(signal.SIGINT)
    try:
        child.wait(timeout=15)
    except subprocess.TimeoutExpired:
        child.kill()
