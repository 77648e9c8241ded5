"""What a wrong path, setting or file raised, as the one line that a command ends with."""

from __future__ import annotations

import ast
import contextlib
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from ..jobs.process import StepFailed

# What our checks of paths, settings, files and installed packages raise.
WRONG_INPUT = (ValueError, OSError, KeyError, NotImplementedError, ImportError, StepFailed)
LAST_LINE = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?$", re.MULTILINE)  # of a printed traceback


@contextlib.contextmanager
def end_in_one_line(command: str, log: Path | None = None) -> Iterator[None]:
    """End the process with status 1 and `command: message` where the body meets a wrong input.

    Other errors pass. If there is a `log`, the traceback is appended to that file.
    """
    try:
        yield
    except WRONG_INPUT as error:
        hint = ""
        if log is not None:
            with open(log, "a", encoding="utf-8") as file:
                traceback.print_exc(file=file)
            hint = f" (traceback in {log})"
        sys.exit(f"{command}: {one_line(error)}{hint}")


def one_line(error: BaseException) -> str:
    """The message of an error in one line, without its class.

    A DataLoader raises what its worker raised with the worker's whole traceback as the message; the
    last line of that has the message proper.
    """
    kind, text = type(error).__name__, str(error)
    if "Traceback (most recent call last)" in text:
        kind, text = LAST_LINE.findall(text)[-1]
    if kind == "KeyError":
        with contextlib.suppress(ValueError, SyntaxError):
            text = str(ast.literal_eval(text))  # a KeyError shows the repr of what it got
        if " " not in text:  # a bare key says nothing
            text = f"key {text!r} is missing"
    return " ".join(text.split()) or kind
