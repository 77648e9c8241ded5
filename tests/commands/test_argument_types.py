"""Types of arguments on a command line, and the tools that refuse to have no worker."""

import argparse
import importlib
import math
import sys

import pytest

from argument_types import positive, positive_number, size


def test_values():
    assert positive("3") == 3 and type(positive("3")) is int
    assert positive_number("0.5") == 0.5 and positive_number("inf") == math.inf
    assert size("320x240") == size("320X240") == (240, 320)


@pytest.mark.parametrize(
    ("kind", "texts", "expected"),
    [
        (positive, ("0", "-1", "1.5", "two", "", "inf"), "a whole number of at least 1"),
        (positive_number, ("0", "-0.1", "nan", "two", ""), "a number above 0"),
        (size, ("320", "320x", "0x240", "320x-1", "1x2x3", "axb", ""), "WxH in pixels, such as"),
    ],
)
def test_errors_say_what_was_got_and_expected(kind, texts, expected):
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError, match=f"^'{text}': expected {expected}"):
            kind(text)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("make_synthrooms", ["root"]),
        ("train_folder", ["root"]),
        ("make_synthetic", ["--root", "root"]),
        ("pretrain_images", ["--out", "weights.pth"]),
    ],
)
def test_no_workers_are_refused(tool, arguments, monkeypatch, capsys):
    tool = importlib.import_module(tool)
    monkeypatch.setattr(sys, "argv", ["tool", *arguments, "--workers", "0"])
    with pytest.raises(SystemExit):
        tool.parse_arguments()
    error = capsys.readouterr().err
    assert "argument --workers: '0': expected a whole number of at least 1" in error
