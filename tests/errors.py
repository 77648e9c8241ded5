"""What every error keeps to, whatever its words: one line, with the values in question."""

from contextlib import contextmanager

import pytest


@contextmanager
def assert_error(kind, *found):
    """The block raises this kind of error; its one line names every one of `found`."""
    with pytest.raises(kind) as error:
        yield
    message = str(error.value)
    assert "\n" not in message, message
    for part in found:
        assert str(part) in message, message
