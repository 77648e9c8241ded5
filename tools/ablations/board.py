"""What a run of many jobs says on the terminal."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

from pointcept_wsegpc.jobs.process import ProgressLine
from pointcept_wsegpc.jobs.steps import Steps

MARGIN = 10  # columns that a line of progress is indented by, and the cursor


class Board:
    """What is said on the terminal: a line per job that starts or fails, one line of progress."""

    def __init__(self, total: int, say=print):
        self.total = total
        self.say = say
        self.line = ProgressLine()
        self.texts: dict[str, str] = {}  # progress of what is running, by title
        self.waited: set[str] = set()
        self.started = self.finished = self.failed = self.given_up = 0
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

    def wait(self, title: str) -> None:
        """Say, once, that a job waits for another run."""
        with self.lock:
            if title not in self.waited:
                self.waited.add(title)
                self.line.clear()
                self.say(f"         waits for another run, which is at it: {title}")

    def show(self, title: str, text: str) -> None:
        with self.lock:
            self.texts[title] = text
            failed = f", {self.failed} failed" if self.failed else ""
            failed += f", {self.given_up} not started" if self.given_up else ""
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

    def give_up(self, title: str, needed: str) -> None:
        """Say that a job is not started, for want of one that failed or was given up itself."""
        with self.lock:
            self.given_up += 1
            self.line.clear()
            self.say(f"         not started: {title}: needs {needed}, which did not finish")


class JobSteps(Steps):
    """The one step of a job, announced on the board by its title: rows that share it differ."""

    def __init__(self, file: Path, board: Board, title: str):
        super().__init__(file, 1)
        self.board = board
        self.title = title

    def announce(self, name, remark):
        self.board.announce(self.title, remark)
