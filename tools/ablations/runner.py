"""Runs jobs side by side, each once those that it needs are finished."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from pointcept_wsegpc.commands.trainings import relative
from pointcept_wsegpc.jobs.process import Busy, StepFailed, end, num_cores, run
from pointcept_wsegpc.jobs.steps import exclusive

from . import REPOSITORY
from .board import Board, JobSteps
from .jobs import Job

LOG = "log.txt"
STEPS = "steps.json"
USAGE = "usage.json"
MEASURED = "tools/ablations/measured.py"
PATIENCE = 2  # seconds that a job which another run is at holds up a worker


class Runner:
    """Runs jobs in `out`, `workers` at a time: on the CPU one thread each, else one GPU each.

    After `run`, `failed` {job name: one line} says what failed and why, and `not_started` what was
    not done because it needs something that failed. An interrupted job goes on at the next run. One
    that another run is at is tried again after the others, and reused when it is finished.
    """

    def __init__(self, out: Path, workers: int, devices: list[str], say=print):
        if workers < 1:
            raise ValueError(f"--workers is {workers}; give at least 1")
        self.out = out
        self.workers = workers
        self.devices = devices  # values of CUDA_VISIBLE_DEVICES, dealt out in turn
        self.say = say
        self.failed: dict[str, str] = {}
        self.not_started: list[str] = []
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
                        raise RuntimeError(_missing(waiting, done))
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        job, slot = running.pop(future)
                        slots.append(slot)
                        try:
                            self._close(job, future.result(), done, board)
                        except Busy:
                            board.wait(job.title)
                            waiting[job.name] = job
            finally:
                self._stop()  # at Ctrl-C; otherwise nothing is running
                board.line.clear()

    def _close(self, job, failure, done, board):
        board.close(job.title, failure)
        if failure is None:
            done.add(job.name)
        else:
            self.failed[job.name] = failure

    def _ready(self, waiting, done, board):
        """The jobs that can start; those that need a failed one are given up."""
        for job in list(waiting.values()):
            given_up = {*self.failed, *self.not_started}
            broken = [needed for needed in job.needs.values() if needed.name in given_up]
            if broken:
                self.not_started.append(waiting.pop(job.name).name)
                board.give_up(job.title, broken[0].title)
        return [j for j in waiting.values() if all(n.name in done for n in j.needs.values())]

    def _attempt(self, job: Job, slot: int, board: Board) -> str | None:
        """Do a job; why it failed, or None. Raises Busy where another run is at it."""
        folder = self.out / job.name
        try:
            with exclusive(folder / ".lock", PATIENCE) as lock:
                steps = JobSteps(folder / STEPS, board, job.title)
                command = functools.partial(self._command, job, slot, board, lock)
                action = functools.partial(job.run, self.out, command)
                steps.run(job.name, {}, job.output(self.out), action)
        except Busy:
            raise
        except (StepFailed, OSError, ValueError) as error:
            return " ".join(str(error).split())
        except Exception as error:  # whatever it is, the other jobs go on
            with open(folder / LOG, "a", encoding="utf-8") as log:
                log.write(traceback.format_exc())
            return f"{type(error).__name__}: {' '.join(str(error).split())}"
        return None

    def _command(self, job, slot, board, lock, command):
        """Run a Python script for a job, on a slot's device, as long as this process lives."""
        if self.stopped:
            raise StepFailed("interrupted")
        folder, device = self.out / job.name, {}
        measured = [sys.executable, MEASURED, relative(folder / USAGE)]
        if self.devices:
            device["CUDA_VISIBLE_DEVICES"] = self.devices[slot % len(self.devices)]
        run(
            [*measured, *command[1:]],
            folder / LOG,
            threads=1,  # sums then come out the same, however many jobs run side by side
            keep_open=(lock,),
            cwd=REPOSITORY,
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


def _missing(waiting: dict[str, Job], done: set[str]) -> str:
    """Which job can never start, for want of which."""
    job, needed = next(
        (job, needed)
        for job in waiting.values()
        for needed in job.needs.values()
        if needed.name not in done and needed.name not in waiting
    )
    return (
        f"{len(waiting)} jobs cannot start: {job.title} ({job.name}) needs {needed.title} "
        f"({needed.name}), which is not listed; list it as well"
    )


def gpus() -> list[str]:
    """The GPUs that this process may use, as values of CUDA_VISIBLE_DEVICES."""
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return given.split(",")[:count] if given else [str(index) for index in range(count)]


def side_by_side(devices: list[str]) -> int:
    """How many jobs run at a time unless told otherwise."""
    return len(devices) or num_cores()
