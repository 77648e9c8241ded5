"""The .sens format: bytes, streaming, truncation."""

import io
import pickle
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pointcept_wsegpc.captures.scannet.sens import (
    SensHeader,
    SensReader,
    SensTruncated,
    pack_frame,
    write_sens,
)

FRAMES = 5


def make_header():
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(2, 4, 4)).astype(np.float32)
    return SensHeader(*matrices, 24, 18, 16, 12, name="test scanner")


@pytest.fixture
def scan(tmp_path):
    """A written file with what went into it."""
    rng = np.random.default_rng(1)
    header, path = make_header(), tmp_path / "a.sens"
    color = np.tile(rng.integers(0, 255, (FRAMES, 1, 1, 3)), (1, 18, 24, 1)).astype(np.uint8)
    depth = rng.integers(0, 6000, (FRAMES, 12, 16)).astype(np.uint16)
    pose = rng.normal(size=(FRAMES, 4, 4)).astype(np.float32)
    pose[2] = -np.inf
    frames = (pack_frame(header, i, pose[i], color[i], depth[i]) for i in range(FRAMES))
    assert write_sens(path, header, frames) == FRAMES
    assert [p.name for p in tmp_path.iterdir()] == ["a.sens"]
    return path, header, pose, color, depth


def test_round_trip(scan):
    path, header, pose, color, depth = scan
    with SensReader(path) as reader:
        assert (reader.name, reader.num_frames, reader.depth_shift) == (
            "test scanner",
            FRAMES,
            1000,
        )
        assert (reader.color_width, reader.color_height) == (24, 18)
        assert (reader.depth_width, reader.depth_height) == (16, 12)
        np.testing.assert_array_equal(reader.intrinsic_color, header.intrinsic_color)
        np.testing.assert_array_equal(reader.intrinsic_depth, header.intrinsic_depth)
        for i, frame in enumerate(reader):
            assert frame.index == i
            np.testing.assert_array_equal(frame.camera_to_world, pose[i])
            np.testing.assert_array_equal(frame.depth(), depth[i])
            assert np.abs(frame.color().astype(int) - color[i]).max() <= 4  # JPEG
        assert i == FRAMES - 1
        assert len(list(reader)) == FRAMES  # a second pass


def test_header_bytes(scan):
    """Against the published layout, parsed by hand."""
    path, header, *_ = scan
    data = path.read_bytes()
    assert struct.unpack_from("<IQ", data) == (4, 12) and data[12:24] == b"test scanner"
    matrices = np.frombuffer(data, "<f4", 64, 24).reshape(4, 4, 4)
    np.testing.assert_array_equal(matrices[0], header.intrinsic_color)
    np.testing.assert_array_equal(matrices[1], np.eye(4))
    np.testing.assert_array_equal(matrices[2], header.intrinsic_depth)
    fields = struct.unpack_from("<iiIIIIfQ", data, 24 + 256)
    assert fields == (2, 1, 24, 18, 16, 12, 1000.0, FRAMES)


def test_stride_skips_payloads(scan):
    path, _, _, _, depth = scan
    with SensReader(path) as reader:
        frames = list(reader.frames(2))
    assert [frame.index for frame in frames] == [0, 2, 4]
    np.testing.assert_array_equal(frames[1].depth(), depth[2])
    with SensReader(path) as reader, pytest.raises(ValueError, match="stride 0"):
        next(reader.frames(0))


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("cut", [1, 40, 130])
def test_truncated(scan, cut, stride):
    """Ends in the last frame's payload or header; whole frames come first, then the error."""
    path = scan[0]
    with SensReader(path) as reader:
        last = list(reader)[-1]
    size = 96 + len(last.color_data) + len(last.depth_data)
    path.write_bytes(path.read_bytes()[: -8 - size + cut])
    seen = []
    with SensReader(path) as reader, pytest.raises(SensTruncated) as caught:
        for frame in reader.frames(stride):
            seen.append(frame.index)
    assert seen == list(range(0, FRAMES - 1, stride))
    error = pickle.loads(pickle.dumps(caught.value))  # it comes back from worker processes
    assert (error.readable, error.claimed) == (FRAMES - 1, FRAMES)
    assert "a.sens" in str(error) and "\n" not in str(error)


def test_bad_header(scan):
    path = scan[0]
    data = path.read_bytes()
    path.write_bytes(struct.pack("<I", 3) + data[4:])
    with pytest.raises(ValueError, match=r"a\.sens.*version 3.*expected 4"):
        SensReader(path)
    for length in (0, 5, 100, 300):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"a\.sens.*header"):
            SensReader(path)


@pytest.mark.parametrize(
    ("offset", "code", "value"), [(28, "Q", 10**12), (8, "I", 0), (16, "I", 2**31), (24, "f", 0)]
)
def test_a_header_that_cannot_be_is_refused(scan, offset, code, value):
    """More frames than the file has place for; images and depths of no possible size."""
    data = bytearray(scan[0].read_bytes())
    struct.pack_into(f"<{code}", data, 24 + 256 + offset, value)
    scan[0].write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.sens.*its header announces"):
        SensReader(scan[0])


def test_bad_payload(scan):
    with SensReader(scan[0]) as reader:
        frame = next(iter(reader))
    frame.depth_data = b"not zlib"
    frame.color_data = b"not jpeg"
    with pytest.raises(ValueError, match="frame 0: unreadable depth"):
        frame.depth()
    with pytest.raises(ValueError, match="frame 0: unreadable color"):
        frame.color()
    Image.new("L", (9, 9)).save(buffer := io.BytesIO(), "PNG")
    size = b"IHDR" + struct.pack(">2I", 20_000, 20_000) + buffer.getvalue()[24:29]
    whole = buffer.getvalue()[:12] + size + struct.pack(">I", zlib.crc32(size))
    frame.color_data = whole + buffer.getvalue()[33:]  # Pillow refuses it by an error of its own
    with pytest.raises(ValueError, match=r"a\.sens, frame 0: unreadable color"):
        frame.color()
    frame.header.depth_compression = 0
    with pytest.raises(ValueError, match="8 bytes"):
        frame.depth()
