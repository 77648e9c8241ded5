"""Claims: an exclusively created file says which process is at work on something.

Runs that share a folder, on one host or on several, claim what they write. A claim names its host
and its process, so that one that a killed run left is told from one that is held. The process of
another host cannot be looked up; there, a claim counts as long as its holder keeps renewing it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

RENEWED = 30.0  # seconds between renewals
MAX_AGE = 600.0  # seconds since the last renewal, after which a claim of another host is void

logger = logging.getLogger(__name__)


class Held(BlockingIOError):
    """Another run holds what was to be claimed; the message says which."""


@contextlib.contextmanager
def claim(path: str | Path, what: str | Path = "it") -> Iterator[Callable[[], None]]:
    """Hold the claim file `path` while the block runs; `what` it is of, for a message.

    Yields a function to call before the result is put in place: it raises Held where the claim was
    lost meanwhile, as to a run that found no renewal by a process that was stopped for long. A
    claim whose process is gone is taken over, and the log says so. Raises Held where another
    process holds it.
    """
    path, mine = Path(path), _this_process()
    while not _created(path, mine):
        holder = _read(path)
        if holder is not None and not _is_gone(path, holder):
            raise Held(f"{_name(holder)} is at work on {what}; wait for it, or end it")
        if holder is not None:
            logger.warning("%s: taken over from %s, which is gone", path.stem, _name(holder))
            _remove(path, holder)

    def check() -> None:
        if (_read(path) or {}).get("claim") != mine["claim"]:
            raise Held("another run took it over meanwhile")

    with _renewing(path):
        try:
            yield check
        finally:
            _remove(path, mine)


def _this_process() -> dict:
    process = os.getpid()
    return {
        "host": socket.gethostname(),
        "process": process,
        "start": _start(process),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "claim": uuid.uuid4().hex,
    }


def _start(process: int) -> str | None:
    """What tells a process from an earlier one of the same number; "" where it cannot be known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    return f"{boot} {stat.rpartition(')')[2].split()[19]}"  # start time, in clock ticks since boot


def _name(holder: dict) -> str:
    known = {"process": "an unknown process", "host": "an unknown host", "since": "?", **holder}
    return "process {process} on {host} (since {since})".format_map(known)


def _created(path: Path, content: dict) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except (FileExistsError, FileNotFoundError):  # held, or its folder was just removed
        return False
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(content, file)
    return True


def _read(path: Path) -> dict | None:
    """What a claim says, {} where it cannot be read (yet); None where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:  # just being written, or cut by a power failure
        return {}
    return content if isinstance(content, dict) else {}


def _is_gone(path: Path, holder: dict) -> bool:
    if holder.get("host") == socket.gethostname() and isinstance(holder.get("process"), int):
        return not _runs(holder["process"]) or _start(holder["process"]) != holder.get("start")
    return _age(path) > MAX_AGE


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


def _age(path: Path) -> float:
    """Seconds since the last renewal, by the clock of the file system that holds the claim."""
    now = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        now.touch()
        return now.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
    finally:
        now.unlink(missing_ok=True)


def _remove(path: Path, holder: dict) -> None:
    """Remove the claim of this holder; one that another process put there meanwhile stays."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        if _read(aside) != holder:
            with contextlib.suppress(OSError):
                os.link(aside, path)
        aside.unlink()


@contextlib.contextmanager
def _renewing(path: Path) -> Iterator[None]:
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEWED):
            with contextlib.suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
