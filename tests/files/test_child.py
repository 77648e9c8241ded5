"""What a library may do to a read in a child process: crash, hang, take all memory."""

import bad_readers
import numpy as np
import pytest

from pointcept_wsegpc.files.child import read_in_child


def test_an_array_comes_back():
    array = read_in_child(bad_readers.whole, "a", 60, 2**30)
    assert array.dtype.names == ("x", "n") and array.tolist() == [(1.5, 2)]


@pytest.mark.parametrize(
    ("function", "seconds", "message"),
    [
        (bad_readers.crash, 60, "crashed, SIGABRT: allocation failed"),
        (bad_readers.hang, 1, "more than 1 s"),
        (bad_readers.hoard, 60, "more than 1024 MiB"),
        (bad_readers.refuse, 60, "no points"),
    ],
)
def test_what_goes_wrong_is_one_line(function, seconds, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_in_child(function, "a", seconds, 2**30)
    assert "\n" not in str(caught.value)
    assert np.ones(3).sum() == 3  # this process lives
