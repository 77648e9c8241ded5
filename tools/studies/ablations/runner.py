"""Runs jobs side by side, each once those that it needs are finished."""

from __future__ import annotations

import functools
import os
import queue
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from pointcept_wsegpc.jobs.process import Busy, StepFailed, end, num_cores, run
from pointcept_wsegpc.jobs.steps import Steps, exclusive

from .commands import REPOSITORY, relative
from .jobs import Job

LOG, STEPS, USAGE = "log.txt", "steps.json", "usage.json"  # in the folder of a job
MEASURED = Path(__file__).with_name("measured.py")
PATIENCE = 2  # seconds that a job which another run is at holds up a worker


class Runner:
    """Runs jobs in `out`, `workers` at a time: on the CPU one thread each, else one GPU each.

    After `run`, `failed` {job name: one line} says what failed and why, and `not_started` what was
    not done because it needs something that failed. An interrupted job goes on at the next run. One
    that another run is at is tried again after the others, and reused when it is finished.
    devices: values of CUDA_VISIBLE_DEVICES, dealt out in turn.
    """

    def __init__(self, out: Path, workers: int, devices: list[str], say=print):
        self.out, self.workers, self._say = out, workers, say
        self.devices: queue.SimpleQueue = queue.SimpleQueue()
        for worker in range(workers):
            self.devices.put(devices[worker % len(devices)] if devices else None)
        self.failed: dict[str, str] = {}
        self.not_started: list[str] = []
        self.done: set[str] = set()
        self.children: set = set()
        self.stopped = False
        self.begin, self.total = time.monotonic(), 0

    def say(self, title: str, remark: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.begin), 60)
        over = len(self.done) + len(self.failed) + len(self.not_started)
        self._say(f"[{minutes:3d}:{seconds:02d}] {over}/{self.total} {title}: {remark}")

    def run(self, jobs: list[Job]) -> None:
        waiting = {job.name: job for job in jobs}
        self.total, running, said = len(waiting), {}, set()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                while waiting or running:
                    for job in self._ready(waiting):
                        if len(running) < self.workers:
                            running[pool.submit(self._attempt, job)] = waiting.pop(job.name)
                    if waiting and not running:
                        raise RuntimeError(_missing(waiting, self.done))
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        job = running.pop(future)
                        try:
                            self._close(job, future.result())
                        except Busy:
                            waiting[job.name] = job
                            if job.name not in said:
                                self.say(job.title, "waits for another run, which is at it")
                            said.add(job.name)
            finally:
                self._stop()  # at Ctrl-C; otherwise nothing is running

    def _close(self, job: Job, failure: str | None) -> None:
        if failure is None:
            self.done.add(job.name)
        else:
            self.failed[job.name] = failure
            self.say(job.title, f"failed: {failure}")

    def _ready(self, waiting: dict[str, Job]) -> Iterator[Job]:
        """The jobs that can start; those that need a failed one are given up."""
        for job in list(waiting.values()):
            given_up = {*self.failed, *self.not_started}
            if broken := [need for need in job.needs.values() if need.name in given_up]:
                self.not_started.append(waiting.pop(job.name).name)
                self.say(job.title, f"not started: needs {broken[0].title}, which did not finish")
            elif all(need.name in self.done for need in job.needs.values()):
                yield job

    def _attempt(self, job: Job) -> str | None:
        """Do a job; why it failed, or None. Raises Busy where another run is at it."""
        folder = self.out / job.name
        try:
            with exclusive(folder / ".lock", PATIENCE) as lock:
                steps = Steps(folder / STEPS, 1)
                steps.announce = lambda _, remark: self.say(job.title, remark or "starts")
                command = functools.partial(self._command, job, lock)
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

    def _command(self, job: Job, lock: int, command: list[str]) -> None:
        """Run a Python script for a job, on a device, as long as this process lives."""
        folder, device = self.out / job.name, self.devices.get()
        try:
            run(
                [sys.executable, str(MEASURED), relative(folder / USAGE), *command[1:]],
                folder / LOG,
                threads=1,  # sums then come out the same, however many jobs run side by side
                show=lambda text: None,
                cwd=REPOSITORY,
                keep_open=(lock,),
                started=self._started,
                NUMBA_NUM_THREADS="1",
                **({} if device is None else {"CUDA_VISIBLE_DEVICES": device}),
            )
        finally:
            self.devices.put(device)

    def _started(self, child) -> None:
        self.children.add(child)
        if self.stopped:
            end(child)

    def _stop(self) -> None:
        self.stopped = True
        for child in list(self.children):
            if child.poll() is None:
                end(child)


def _missing(waiting: dict[str, Job], done: set[str]) -> str:
    """Which job can never start, for want of which."""
    known = done | waiting.keys()
    pairs = ((job, need) for job in waiting.values() for need in job.needs.values())
    job, need = next((job, need) for job, need in pairs if need.name not in known)
    return (
        f"{len(waiting)} jobs cannot start: {job.title} ({job.name}) needs {need.title} "
        f"({need.name}), which is not listed; list it as well"
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
