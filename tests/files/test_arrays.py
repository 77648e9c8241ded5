"""Arrays from damaged, foreign and hostile files: one error that names the file, and no leaks."""

import io
import os
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointcept_wsegpc.files.arrays import FileError, read_array, read_arrays, read_ids, reading


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


GOOD = {
    read_array: npy(np.arange(12, dtype=np.float32).reshape(4, 3)),
    read_arrays: npz(a=np.arange(5), b=np.ones((2, 2), np.float16)),
}


def test_arrays_come_back_as_they_were_written(tmp_path):
    (tmp_path / "a.npy").write_bytes(GOOD[read_array])
    (tmp_path / "b.npz").write_bytes(GOOD[read_arrays])
    for mmap in (False, True):
        read = read_array(tmp_path / "a.npy", mmap=mmap)
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, np.arange(12).reshape(4, 3))
    assert sorted(read_arrays(tmp_path / "b.npz")) == ["a", "b"]
    assert list(read_arrays(tmp_path / "b.npz", ["b"], ["c"])) == ["b"]
    np.testing.assert_array_equal(read_ids(tmp_path / "b.npz", "a"), np.arange(5))
    with pytest.raises(FileError, match=r"b\.npz"):
        read_arrays(tmp_path / "b.npz", ["c"])


@pytest.mark.parametrize("read", GOOD)
@settings(max_examples=200, deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_any_damage_is_one_error_with_the_file_name(tmp_path, read, data):
    content = bytearray(GOOD[read])
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read(path)
    except FileError as error:
        assert str(path) in str(error)


def claiming(shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(-1, -3)"])
def test_a_header_is_compared_with_the_size_of_the_file(tmp_path, shape):
    (tmp_path / "a.npy").write_bytes(claiming(shape) + bytes(24))
    with pytest.raises(FileError, match=r"a\.npy.*claims the shape"):
        read_array(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", claiming(shape) + bytes(24))
    with pytest.raises(FileError, match=r"a\.npz.*claims the shape"):
        read_arrays(tmp_path / "a.npz")


def test_objects_and_text_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    np.savez(tmp_path / "b.npz", a=np.array(["x"]))
    with pytest.raises(FileError):
        read_array(tmp_path / "a.npy")
    with pytest.raises(FileError):
        read_arrays(tmp_path / "b.npz")
    assert read_arrays(tmp_path / "b.npz", kinds="U")["a"] == "x"


def test_what_is_no_regular_file_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")  # opening it would wait for a writer
    for path in (tmp_path / "pipe.npy", tmp_path):
        with pytest.raises(FileError, match="not a regular file"):
            read_array(path)
    with pytest.raises(FileNotFoundError), reading(tmp_path / "none", "text"):
        pass
