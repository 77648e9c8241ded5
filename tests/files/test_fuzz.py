"""Damaged files: an error of the reader's own that names the file, within limits.

WSEGPC_FUZZ=5000 damages as many per reader; `python tests/fuzz_files.py COUNT` prints a table.
"""

import os

import pytest
from fuzz_files import READERS, fuzz

COUNT = {"las_in_child": 3}  # each a process


@pytest.mark.parametrize("reader", READERS)
def test_no_damage_surprises_a_reader(reader, tmp_path):
    if reader.startswith("las"):
        pytest.importorskip("laspy")
        pytest.importorskip("lazrs")
    outcome = fuzz(reader, int(os.environ.get("WSEGPC_FUZZ", COUNT.get(reader, 60))), tmp_path)
    assert not outcome["surprises"]
