"""What a wrong path, setting or file raised, as the one line that a tool ends with."""

import ast
import contextlib
import dis
import re
import sys
import traceback
from pathlib import Path

WRONG_INPUT = (ValueError, OSError, KeyError, NotImplementedError)
# Torch and broken installations raise these, too: only those that this package raised count.
WRONG_INPUT_IF_OURS = (RuntimeError, ImportError)

PACKAGE = Path(__file__).resolve().parent
LAST_LINE = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?$", re.MULTILINE)  # of a printed traceback


@contextlib.contextmanager
def end_in_one_line(tool, log=None):
    """End the process with status 1 and `tool: message` where the body meets a wrong input.

    Other errors pass. If there is a `log`, the traceback is appended to that file.
    """
    try:
        yield
    except Exception as error:
        if not is_wrong_input(error):
            raise
        hint = ""
        if log is not None:
            with open(log, "a", encoding="utf-8") as file:
                traceback.print_exc(file=file)
            hint = f" (traceback in {log})"
        sys.exit(f"{tool}: {one_line(error)}{hint}")


def is_wrong_input(error):
    """Is it of the kinds that checks of paths, settings and files raise?"""
    if isinstance(error, WRONG_INPUT):
        return True
    return isinstance(error, WRONG_INPUT_IF_OURS) and _raised_here(error)


def one_line(error):
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


def _raised_here(error):
    """Did a `raise` of this package start it? Registries raise once more what they caught."""
    while error is not None:
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        if last is not None and _is_own_raise(last):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_own_raise(entry):
    """Is this end of a traceback a `raise` of ours? C code that we call has no entry of its own."""
    code = entry.tb_frame.f_code
    inside = PACKAGE in Path(code.co_filename).resolve().parents
    return inside and code.co_code[entry.tb_lasti] == dis.opmap["RAISE_VARARGS"]
