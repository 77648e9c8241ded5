"""Runs jobs side by side, each once those that it needs are finished."""

from __future__ import annotations

import functools
import os
import queue
import sys
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from pointcept_wsegpc.commands.trainings import relative
from pointcept_wsegpc.jobs.process import Busy, StepFailed, end, run
from pointcept_wsegpc.jobs.steps import Steps, exclusive

from .benchmarks import REPOSITORY
from .jobs import Job

LOG, STEPS, USAGE = "log.txt", "steps.json", "usage.json"  # in the folder of a job
MEASURED = Path(__file__).with_name("measured.py")
PATIENCE = 2  # seconds that a job which another run is at holds up a worker


class Runner:
    """Runs jobs in `out`, `workers` at a time: on the CPU one thread each, else one GPU each.

    After `run`, `failed` {title: one line} says what failed and why, and `not_started` what was not
    done because it needs something that failed, by title. An interrupted job goes on at the next
    run. One that another run is at is tried again after the others, and reused when finished.
    devices: values of CUDA_VISIBLE_DEVICES, dealt out in turn.
    """

    def __init__(self, out: Path, workers: int, devices: list[str], say=print):
        self.out, self.workers, self._say = out, workers, say
        self.devices: queue.SimpleQueue = queue.SimpleQueue()
        for worker in range(workers):
            self.devices.put(devices[worker % len(devices)] if devices else None)
        self.failed: dict[str, str] = {}
        self.not_started: list[str] = []
        self.children: set = set()
        self.stopped, self.begin = False, time.monotonic()

    def say(self, job: Job, remark: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.begin), 60)
        self._say(f"[{minutes:3d}:{seconds:02d}] {job.title}: {remark}")

    def run(self, jobs: list[Job]) -> None:
        """Run them in their order, as far as their needs, which are among them, allow."""
        named: dict[str, Job] = {}
        for job in jobs:
            named.setdefault(job.name, job)  # one that rows share has the title of the first
        waiting, running, done, busy = list(named.values()), {}, set(), set()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                while True:
                    ready = [job for job in waiting if done >= {n.name for n in job.needs.values()}]
                    for job in ready[: self.workers - len(running)]:
                        waiting.remove(job)
                        running[pool.submit(self._attempt, job)] = job
                    if not running:
                        break
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        job = running.pop(future)
                        try:
                            failure = future.result()
                        except Busy:
                            waiting.append(job)  # after the others
                            if job.name not in busy:
                                self.say(job, "waits for another run, which is at it")
                            busy.add(job.name)
                            continue
                        if failure is None:
                            done.add(job.name)
                        else:
                            self.failed[job.title] = failure
                            self.say(job, f"failed: {failure}")
            finally:
                self._stop()  # at Ctrl-C; otherwise nothing is running
        self.not_started = [job.title for job in waiting]
        if waiting:
            self._say(f"not started, for they need these: {'; '.join(self.not_started)}")

    def _attempt(self, job: Job) -> str | None:
        """Do a job; why it failed, or None. Raises Busy where another run is at it."""
        folder = self.out / job.name
        try:
            with exclusive(folder / ".lock", PATIENCE) as lock:
                steps = Steps(folder / STEPS, 1)
                steps.announce = lambda _, remark: self.say(job, remark or "starts")
                command = functools.partial(self._command, folder, lock)
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

    def _command(self, folder: Path, lock: int, command: list[str]) -> None:
        """Run a Python command for a job, on a device, as long as this process lives."""
        device = self.devices.get()
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


def gpus() -> list[str]:
    """The GPUs that this process may use, as values of CUDA_VISIBLE_DEVICES."""
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return given.split(",")[:count] if given else [str(index) for index in range(count)]
