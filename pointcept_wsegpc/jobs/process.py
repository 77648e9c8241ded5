"""Child processes: output to a log, progress on one line, ended with their parent.

A child reports its progress by `report_progress`: one line of JSON in the file that `run` names
in its environment, rewritten at every step.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from ..files import write_json

PROGRESS_FILE = "WSEGPC_PROGRESS"  # environment variable: where a child reports
QUIET_SECONDS = 60  # between progress lines where there is no terminal
WATCH_SECONDS = 0.5  # between looks at whether the parent is there


class StepFailed(RuntimeError):
    """A child process failed; the message is one line."""


class Busy(StepFailed):
    """Another run is at it."""


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def run(
    command: list[str],
    log: Path,
    threads: int,
    show: Callable[[str], None] | None = None,
    *,
    cwd: Path | None = None,
    keep_open: Iterable[int] = (),
    started: Callable[[subprocess.Popen], None] | None = None,
    **environment: str,
) -> None:
    """Run a command; its output goes to the end of `log`, its progress to the terminal.

    show: takes the progress, instead of the terminal. cwd: folder to run in. The file descriptors
    `keep_open` stay open in the child, whatever becomes of this process. started: takes the child
    as it starts. environment: variables that the child gets besides this process's.

    Raises:
        StepFailed: it ended with an error; the message has its last line and the log's place.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    reports = log.with_name(f".{log.name}.progress.json")
    # Matrices in numpy are small here: threads of its own would only take cores from torch.
    variables = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **variables, PROGRESS_FILE: str(reports.resolve()), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=tuple(keep_open),
    )
    last, line_on_terminal = "", ProgressLine()
    show = show or line_on_terminal.show
    try:
        if started:
            started(child)
        with open(log, "a", encoding="utf-8") as file:
            for line in child.stdout:
                file.write(line)
                last = line.strip() or last
                if text := read_progress(reports):
                    show(text)
    except BaseException:
        end(child)
        raise
    finally:
        status = child.wait()
        line_on_terminal.clear()
        reports.unlink(missing_ok=True)
    if status:
        raise StepFailed(f"{last or f'{command[1]} ended with status {status}'} (log: {log})")


def run_together(tasks: Mapping[str, Callable[[Callable], None]]) -> None:
    """Call every task in a thread of its own, with a `run` for its children.

    Their progress is shown on one line, under the names of the tasks. If a task fails, or this
    process is interrupted, the children of the others are ended.
    """
    children, texts, line, stopped = [], {}, ProgressLine(), threading.Event()

    def started(name: str, child: subprocess.Popen) -> None:
        texts.pop(name, None)  # of the child before it
        children.append(child)
        if stopped.is_set():
            end(child)

    def show(name: str, text: str) -> None:
        texts[name] = f"{name}: {text}"
        line.show(" | ".join(list(texts.values())))

    def call(name: str, task: Callable) -> None:
        try:
            bound = {f.__name__: functools.partial(f, name) for f in (show, started)}
            task(functools.partial(run, **bound))
        finally:
            texts.pop(name, None)

    with ThreadPoolExecutor(len(tasks)) as pool:
        futures = [pool.submit(call, name, task) for name, task in tasks.items()]
        try:
            for future in as_completed(futures):
                future.result()
        finally:
            stopped.set()
            end(*children)


def report_progress(
    what: str, done: int, total: int, seconds_left: float | None = None, about: str = ""
) -> None:
    """Report progress to the parent process, if one is waiting.

    what: the unit that is counted. about: further values to show, such as the loss.
    """
    if path := os.environ.get(PROGRESS_FILE):
        report = {"what": what, "done": done, "total": total}
        write_json(path, {**report, "seconds_left": seconds_left, "about": about})


def read_progress(path: Path) -> str | None:
    """The last report in a file as text; None where there is none yet."""
    with contextlib.suppress(FileNotFoundError):
        report = json.loads(path.read_text(encoding="utf-8"))
        parts = ["{what} {done}/{total}".format(**report), report["about"]]
        if report["seconds_left"] is not None:
            minutes, seconds = divmod(round(report["seconds_left"]), 60)
            parts.append(f"{minutes}:{seconds:02d} left")
        return ", ".join(part for part in parts if part)
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


def interrupt_at_sigterm() -> None:
    """Take SIGTERM for Ctrl-C: children of `run` then end with this process."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def end(*children: subprocess.Popen) -> None:
    """Interrupt children, and kill those that do not stop."""
    for child in children:
        child.send_signal(signal.SIGINT)
    for child in children:
        try:
            child.wait(timeout=15)
        except subprocess.TimeoutExpired:
            child.kill()


def exit_after_parent() -> None:
    """End this process, from a thread, as soon as its parent is gone, however that ended."""
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)
