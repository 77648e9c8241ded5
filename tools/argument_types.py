"""Types of arguments on a command line; their errors say what was expected."""

import argparse


def positive(text: str) -> int:
    """'3' -> 3."""
    value = _number(text, int)
    if not value >= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of at least 1")
    return value


def positive_number(text: str) -> float:
    """'0.5' -> 0.5; 'inf' is one."""
    value = _number(text, float)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
    return value


def size(text: str) -> tuple[int, int]:
    """'320x240' -> (240, 320)."""
    sides = [_number(side, int) for side in text.lower().split("x")]
    if len(sides) != 2 or not min(sides) >= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected WxH in pixels, such as 320x240")
    return sides[1], sides[0]


def _number(text, kind):
    """0 for what is none."""
    try:
        return kind(text)
    except ValueError:
        return 0
