"""Runs jobs side by side, each once those that it needs are finished."""

from __future__ import annotations

import functools
import os
import shutil
import threading
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from main_job.plan import num_cores
from main_job.process import ProgressLine, StepFailed, end, run
from main_job.steps import Steps, exclusive

from .jobs import Job

LOG = "log.txt"
STEPS = "steps.json"
MARGIN = 10  # columns that a line of progress is indented by, and the cursor


class Board:
    """What is said on the terminal: a line per job that starts or fails, one line of progress."""

    def __init__(self, total: int, say=print):
        self.total = total
        self.say = say
        self.line = ProgressLine()
        self.texts: dict[str, str] = {}  # progress of what is running, by title
        self.started = self.finished = self.failed = 0
        self.begin = time.monotonic()
        self.lock = threading.Lock()

    def announce(self, title: str, remark: str) -> None:
        with self.lock:
            self.started += 1
            elapsed = int(time.monotonic() - self.begin)
            remark = f": {remark}" if remark else ""
            self.line.clear()
            self.say(
                f"[{elapsed // 60:3d}:{elapsed % 60:02d}] {self.started}/{self.total} "
                f"{title}{remark}"
            )

    def show(self, title: str, text: str) -> None:
        with self.lock:
            self.texts[title] = text
            failed = f", {self.failed} failed" if self.failed else ""
            running = " | ".join(f"{name}: {text}" for name, text in self.texts.items())
            text = f"{self.finished} of {self.total} done{failed} | {running}"
            width = shutil.get_terminal_size().columns - MARGIN
            self.line.show(text[:width] if self.line.terminal else text)

    def close(self, title: str, failure: str | None = None) -> None:
        with self.lock:
            self.texts.pop(title, None)
            if failure is None:
                self.finished += 1
                return
            self.failed += 1
            self.line.clear()
            self.say(f"         failed: {title}: {failure}")


class JobSteps(Steps):
    """The one step of a job, announced on the board by its title: rows that share it differ."""

    def __init__(self, file: Path, board: Board, title: str):
        super().__init__(file, 1)
        self.board = board
        self.title = title

    def announce(self, name, remark):
        self.board.announce(self.title, remark)


class Runner:
    """Runs jobs in `out`, `workers` at a time: on the CPU one thread each, else one GPU each.

    After `run`, `failed` {job name: one line} says what did not finish and why; what needs a failed
    job is in it too. An interrupted job goes on at the next run.
    """

    def __init__(self, out: Path, workers: int, devices: list[str], say=print):
        if workers < 1:
            raise ValueError(f"--workers is {workers}; give at least 1")
        self.out = out
        self.workers = workers
        self.devices = devices  # values of CUDA_VISIBLE_DEVICES, dealt out in turn
        self.say = say
        self.failed: dict[str, str] = {}
        self.children: set = set()
        self.stopped = False

    def run(self, jobs: list[Job]) -> None:
        waiting = {job.name: job for job in jobs}
        board = Board(len(waiting), self.say)
        done: set[str] = set()
        slots = list(range(self.workers))
        running = {}
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                while waiting or running:
                    for job in self._ready(waiting, done, board):
                        if slots:
                            slot = slots.pop(0)
                            future = pool.submit(self._attempt, job, slot, board)
                            running[future] = waiting.pop(job.name), slot
                    if waiting and not running:
                        raise RuntimeError(f"{len(waiting)} jobs need others that are not listed")
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        job, slot = running.pop(future)
                        slots.append(slot)
                        failure = future.result()
                        board.close(job.title, failure)
                        if failure is None:
                            done.add(job.name)
                        else:
                            self.failed[job.name] = failure
            finally:
                self._stop()  # at Ctrl-C; otherwise nothing is running
                board.line.clear()

    def _ready(self, waiting, done, board):
        """The jobs that can start; those that need a failed one fail."""
        for job in list(waiting.values()):
            broken = [needed for needed in job.needs.values() if needed.name in self.failed]
            if broken:
                del waiting[job.name]
                self.failed[job.name] = f"needs {broken[0].title}, which failed"
                board.close(job.title, self.failed[job.name])
        return [j for j in waiting.values() if all(n.name in done for n in j.needs.values())]

    def _attempt(self, job: Job, slot: int, board: Board) -> str | None:
        """Do a job; why it failed, or None."""
        folder = self.out / job.name
        try:
            with exclusive(folder / ".lock") as lock:
                steps = JobSteps(folder / STEPS, board, job.title)
                command = functools.partial(self._command, job, slot, board, lock)
                action = functools.partial(job.run, self.out, command)
                steps.run(job.name, {}, job.output(self.out), action)
        except (StepFailed, OSError, ValueError) as error:
            return " ".join(str(error).split())
        except Exception as error:  # whatever it is, the other jobs go on
            with open(folder / LOG, "a", encoding="utf-8") as log:
                log.write(traceback.format_exc())
            return f"{type(error).__name__}: {' '.join(str(error).split())}"
        return None

    def _command(self, job, slot, board, lock, command):
        if self.stopped:
            raise StepFailed("interrupted")
        device = {}
        if self.devices:
            device["CUDA_VISIBLE_DEVICES"] = self.devices[slot % len(self.devices)]
        run(
            command,
            self.out / job.name / LOG,
            threads=1,  # sums then come out the same, however many jobs run side by side
            keep_open=(lock,),
            show=functools.partial(board.show, job.title),
            started=self._started,
            NUMBA_NUM_THREADS="1",
            **device,
        )

    def _started(self, child):
        self.children.add(child)
        if self.stopped:
            end(child)

    def _stop(self):
        self.stopped = True
        for child in list(self.children):
            if child.poll() is None:
                end(child)


def gpus() -> list[str]:
    """The GPUs that this process may use, as values of CUDA_VISIBLE_DEVICES."""
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return given.split(",")[:count] if given else [str(index) for index in range(count)]


def side_by_side(devices: list[str]) -> int:
    """How many jobs run at a time unless told otherwise."""
    return len(devices) or num_cores()
