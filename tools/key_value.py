"""KEY=VALUE on a command line."""

import argparse
import ast


def key_value(text):
    """'max_angle=15' -> ('max_angle', 15); a value that is no Python literal stays a string."""
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r}: expected KEY=VALUE, such as max_angle=15")
    try:
        return key, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return key, value
