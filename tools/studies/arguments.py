"""Types of arguments on the command lines of the studies; their errors say what was expected."""

from __future__ import annotations

import argparse
import ast


def positive(text: str, kind: type = int) -> int:
    """'3' -> 3."""
    with_sign = {int: "a whole number of at least 1", float: "a number above 0"}
    try:
        value = kind(text)
    except ValueError:
        value = 0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {with_sign[kind]}")
    return value


def positive_number(text: str) -> float:
    """'0.5' -> 0.5; 'inf' is one."""
    return positive(text, float)


def size(text: str) -> tuple[int, int]:
    """'320x240' -> (240, 320)."""
    sides = [int(side) if side.isdecimal() else 0 for side in text.lower().split("x")]
    if len(sides) != 2 or not all(sides):
        raise argparse.ArgumentTypeError(f"{text!r}: expected WxH in pixels, such as 320x240")
    return sides[1], sides[0]


def key_value(text: str) -> tuple[str, object]:
    """'max_angle=15' -> ('max_angle', 15); a value that is no Python literal stays a string."""
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r}: expected KEY=VALUE, such as max_angle=15")
    try:
        return key, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return key, value
